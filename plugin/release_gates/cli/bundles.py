"""``attest`` signs a verdict, ``bundle`` packs what it rests on, ``verify --bundle`` checks it elsewhere."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, TypeVar

import click
import msgspec
from msgspec import UNSET

from release_gates import TOOL
from release_gates.candidate.store import ArtifactStore
from release_gates.cli.bundled import Told, events_of, told
from release_gates.cli.project import Project, environment_of, refusing, width
from release_gates.cli.signing import KEY, run_of, seal_for, sign_run
from release_gates.errors import LedgerError, TrustError
from release_gates.judge.decide import decide
from release_gates.ledger.attestations.bundle import Bundle, bad_bundle, packed, read_bundle
from release_gates.ledger.attestations.checks import Signed, Wanted, check_attestations
from release_gates.ledger.attestations.files import attestations_of, split_lines
from release_gates.ledger.bearing import history
from release_gates.ledger.evidence import evidence_from
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import History
from release_gates.model.record import canonical, digest
from release_gates.model.trust import Trust
from release_gates.model.verdict import Verdict
from release_gates.policy.load import policy_from_snapshot
from release_gates.policy.selection import expected_in
from release_gates.policy.snapshot import TOOL_KEY
from release_gates.policy.trust import FILE, read_keys
from release_gates.report.text import wrapped

PATH = click.Path(path_type=Path, dir_okay=False)
Kind = TypeVar("Kind")


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option(
    "--key",
    "file",
    type=KEY,
    required=True,
    help="A private key (a file that keygen wrote), or the word sigstore: the workflow's identity.",
)
@click.pass_obj
@refusing
def attest(project: Project, run_id: str, file: Path) -> None:
    """Sign the verdict of RUN and its evidence, as the ledger has them; earlier signatures are replaced.

    Only a verdict that deciding again gives, byte for byte. For a protected job that checks out no code of
    the candidate. A verdict that is LOCAL stays so.
    """
    view = run_of(project, run_id)
    environment = environment_of(project.policy(), view.started.environment)
    seal = seal_for(project, environment, file)
    made = _gathered(project, run_id, b"")
    name = Path(f"run {run_id}")
    verdict = _decided_again(made, view.started.candidate, name)
    if damage := project.ledger().verify():
        raise LedgerError(
            f"the ledger is damaged: {damage[0].sentence} ({len(damage)} finding(s)).",
            slug="ledger-damaged",
            hint="`release-gates verify` names all; bring the ledger back from its backup.",
        )
    evidence = [evidence_from(name, each) for each in made.evidence]
    written = sign_run(project, view, verdict, evidence, seal)
    project.say({"run": run_id, "file": str(written)}, [f"{written}: {verdict.title}, signed"])


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("--output", type=PATH, required=True, help="The file to write (zip).")
@click.option("--trust", type=PATH, help="The public keys to check by; default: gates/trust.toml.")
@click.pass_obj
@refusing
def bundle(project: Project, run_id: str, output: Path, trust: Path | None) -> None:
    """Pack the signed verdict of RUN with all that it rests on: evidence, rules, history, signatures.

    And what the ledger tells of it: approvals, promotion, deployment, in the chain of their events. It is
    checked before it is written, as `verify --bundle` checks it. It holds no artifact.
    """
    made = _gathered(project, run_id, _bytes(attestations_of(project.state, run_id)))
    checked(made, _trust(project, trust), output)
    try:
        with output.open("xb") as file:
            file.write(packed(made))
    except OSError as error:
        raise TrustError(
            f"{output}: cannot be written ({error.strerror}).",
            slug="bundle-not-written",
            hint="Name a new file.",
        ) from None
    project.say({"run": run_id, "file": str(output)}, [f"{output}: all that run {run_id} rests on"])


def verify_bundle(project: Project, file: Path, trust: Path | None, route: str) -> None:
    """Check a bundle and say what it shows; exit status 0 for a signed PROMOTE on that route, else 1."""
    found = checked(read_bundle(file), _trust(project, trust), file)
    verdict, signed = found.verdict, found.signed
    name = f"{verdict.candidate.name} {verdict.candidate.version} ({verdict.candidate.digest})"
    asked = verdict.route_name == route
    promotes = verdict.promotes and not verdict.is_observed and asked
    sentences = [
        f"{verdict.title}: {name} for the entry to {verdict.environment}, run {verdict.run}, decided "
        f"{verdict.decided:%Y-%m-%d %H:%M} UTC under the rules {verdict.inputs.rules[:12]}",
        f"signed by {signed.key.title} at {signed.at:%Y-%m-%d %H:%M} UTC; {len(verdict.inputs.evidence)} "
        "evidence file(s) and the rules are those of the verdict, and deciding again gives it, byte for byte",
        *found.told.sentences,
        *(() if asked else (f"it is for the route {verdict.route_name}, and --route asks for {route}",)),
    ]
    data = {
        "ok": promotes,
        "verdict": verdict,
        "key": signed.key.name,
        "signed": signed.at,
        "events": found.told.about,
        "told": tuple(found.told.sentences),
    }
    project.say(data, [line for sentence in sentences for line in wrapped(sentence, width())])
    if not promotes:
        sys.exit(1)


class Checked(NamedTuple):
    """What a bundle shows, once nothing speaks against it."""

    verdict: Verdict
    signed: Signed
    told: Told


def checked(made: Bundle, trust: Trust, file: Path) -> Checked:
    """Return the verdict of a bundle and who signed it, or refuse by ``TrustError``.

    The signatures first, then each digest that the verdict names, then the verdict itself: decided again.
    Then what the ledger told of its run: the chain, and whether each promotion was allowed.
    """
    verdict = _read(made.verdict, Verdict, file, "verdict")
    candidate = _read(made.candidate, ReleaseCandidate, file, "candidate")
    wanted = Wanted(
        candidate=candidate,
        environment=verdict.environment,
        rules=hashlib.sha256(made.rules).hexdigest(),
        verdict=verdict,
        now=None,
        most=timedelta(0),
    )
    signed = check_attestations(split_lines(made.attestations, str(file)), trust, wanted)
    if signed.at > datetime.now(UTC):
        raise bad_bundle(file, f"it was signed in the future, at {signed.at}")
    verdict = _decided_again(made, candidate, file)
    environment = environment_of(
        policy_from_snapshot(_snapshot(made, file)), verdict.environment, verdict.route_name
    )
    return Checked(verdict, signed, told(made, verdict, candidate, environment, trust, file))


def _decided_again(made: Bundle, candidate: ReleaseCandidate, file: Path) -> Verdict:
    """Return the verdict of a bundle, if all that it names is there and deciding again gives it."""
    verdict, past = (
        _read(made.verdict, Verdict, file, "verdict"),
        _read(made.history, History, file, "history"),
    )
    _check_inputs(made, verdict, candidate, past, file)
    if canonical(_again(made, verdict, past, file)) != canonical(verdict):
        raise bad_bundle(file, f"deciding again gives another verdict{_of_version(made, file)}")
    return verdict


def _check_inputs(
    made: Bundle, verdict: Verdict, candidate: ReleaseCandidate, past: History, file: Path
) -> None:
    inputs = verdict.inputs
    facts = {
        "candidate": (candidate.digest, verdict.candidate.digest),
        "rules": (hashlib.sha256(made.rules).hexdigest(), inputs.rules),
        "history": (digest(past), inputs.history),
        "evidence": (tuple(hashlib.sha256(each).hexdigest() for each in made.evidence), inputs.evidence),
    }
    for name, (found, named) in facts.items():
        if found != named:
            raise bad_bundle(file, f"its {name} is not what the verdict names")


def _again(made: Bundle, verdict: Verdict, past: History, file: Path) -> Verdict:
    policy = policy_from_snapshot(_snapshot(made, file))
    environment = environment_of(policy, verdict.environment, verdict.route_name)
    return decide(
        environment,
        rules=policy.digest,
        expected=expected_in(policy, environment),
        evidence=[evidence_from(file, each) for each in made.evidence],
        history=past,
        now=verdict.decided,
        local=verdict.local,
        run=verdict.run,
        waivers=policy.waivers,
        elsewhere="" if verdict.elsewhere is UNSET else verdict.elsewhere,
    )


def _gathered(project: Project, run_id: str, attestations: bytes) -> Bundle:
    view = run_of(project, run_id)
    verdict, candidate = view.verdict, view.started.candidate
    if verdict is None or view.invalidated:
        why = f"was invalidated: {view.invalidated}" if view.invalidated else "has no verdict"
        raise LedgerError(f"run {run_id} {why}.", slug="nothing-to-sign", hint="Name a run that counts.")
    before = [event for event in project.ledger().events() if event.seq < view.verdict_seq]
    past = history(
        before,
        candidate=candidate.digest,
        environment=verdict.environment,
        rules=verdict.inputs.rules,
        run=run_id,
    )
    files = [project.root / path for path in view.started.evidence]
    return Bundle(
        attestations=attestations,
        verdict=canonical(verdict),
        candidate=canonical(candidate),
        rules=ArtifactStore(project.state / "artifacts").get(verdict.inputs.rules).read_bytes(),
        history=canonical(past),
        evidence=tuple(_bytes(path) for path in files),
        **events_of(project, view)._asdict(),
    )


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TrustError(
            f"{path}: cannot be read ({error.strerror}).",
            slug="attestation-absent",
            hint="Bring it back; or `release-gates attest RUN`.",
        ) from None


def _trust(project: Project, file: Path | None) -> Trust:
    return read_keys(file or project.policy_dir / FILE)


def _snapshot(made: Bundle, file: Path) -> dict[str, str]:
    return _read(made.rules, dict[str, str], file, "rules")


def _of_version(made: Bundle, file: Path) -> str:
    by: Mapping[str, str] = _snapshot(made, file)
    other = by.get(TOOL_KEY, "")
    return "" if other == TOOL else f"; it was decided by {other[:60]!a}, and this is {TOOL}"


def _read(data: bytes, kind: type[Kind], file: Path, name: str) -> Kind:
    try:
        found = msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise bad_bundle(file, f"its {name} cannot be read") from None
    if canonical(found) != data:
        raise bad_bundle(file, f"its {name} is not in canonical form")
    return found
