"""``adopt``, ``first-release``, ``invalidate``, ``verify``, ``approve``: what people tell it."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from release_gates.candidate.file import read_candidate
from release_gates.candidate.keep import keep_candidate
from release_gates.cli.bundles import PATH, verify_bundle
from release_gates.cli.exporting import verify_export
from release_gates.cli.project import ROUTE, Project, environment_of, refusing, width
from release_gates.cli.signing import KEY, answering
from release_gates.ledger.checkpoint import contradictions
from release_gates.promotion import promote as promotion
from release_gates.promotion import telling
from release_gates.promotion.adopting import adopt_live
from release_gates.report.text import wrapped
from release_gates.session.run import actor


@click.command()
@click.argument("environment")
@click.option("--candidate", "file", type=click.Path(path_type=Path), help="Default: candidate.toml.")
@click.option("--reason", required=True, help="Why this is known to be live.")
@click.option("--outside", is_flag=True, help="It runs, and the executor never deployed anything there.")
@click.pass_obj
@refusing
def adopt(project: Project, environment: str, file: Path | None, reason: str, outside: bool) -> None:
    """Record which candidate is live in ENVIRONMENT already: the baseline of the next entry.

    The environment's executor has to read it back. With --outside it has to read back nothing at all: its
    first deployment begins from there, and the way back from that is the candidate that is adopted.
    """
    entry = environment_of(project.policy(), environment)
    path = (file or project.candidate_file).absolute()
    candidate = read_candidate(path)
    keep_candidate(candidate, path.parent, project.state)
    event, said = adopt_live(
        project.ledger(create=True),
        environment=entry,
        candidate=candidate,
        by=actor(),
        reason=reason,
        clock=lambda: datetime.now(UTC),
        root=project.root,
        outside=outside,
    )
    lines = [f"{candidate.name} {candidate.version} is live in {environment} (event {event.seq})"]
    project.say(event, [*lines, *(wrapped(said, width()) if said else ())])


@click.command("first-release")
@click.argument("environment")
@click.option("--reason", required=True, help="Why nothing is live there.")
@click.pass_obj
@refusing
def first_release(project: Project, environment: str, reason: str) -> None:
    """Record that nothing is live in ENVIRONMENT yet, so that there is no baseline to compare with."""
    environment_of(project.policy(), environment)
    event = telling.first_release(
        project.ledger(create=True), environment=environment, by=actor(), reason=reason, now=datetime.now(UTC)
    )
    project.say(event, [f"the next entry to {environment} is a first release (event {event.seq})"])


@click.command()
@click.argument("run")
@click.option("--by", required=True, help="Who decided this; not who ran it.")
@click.option("--reason", required=True)
@click.pass_obj
@refusing
def invalidate(project: Project, run: str, by: str, reason: str) -> None:
    """Record that RUN counts for nothing, neither its FAIL nor its PROMOTE."""
    event = telling.invalidate(project.ledger(), run=run, by=by, reason=reason, now=datetime.now(UTC))
    project.say(event, [f"run {run} counts for nothing now (event {event.seq})"])


@click.command()
@click.option("--head", "heads", multiple=True, help="A head digest that was printed earlier. Repeatable.")
@click.option("--bundle", type=PATH, help="Check this file of `bundle` instead; no ledger is needed.")
@click.option("--export", type=PATH, help="Check this file of `export` instead; no ledger is needed.")
@click.option(
    "--trust",
    type=PATH,
    help="The public keys to check by. A bundle's default: gates/trust.toml; an export has none.",
)
@ROUTE
@click.pass_obj
@refusing
def verify(
    project: Project,
    heads: tuple[str, ...],
    bundle: Path | None,
    export: Path | None,
    trust: Path | None,
    route: str,
) -> None:
    """Check the ledger's whole chain, and that no head that a verdict file names is missing from it.

    A checkpoint that --gate-checkpoint or GATE_CHECKPOINT names is compared as well.

    With --bundle: check one verdict's complete evidence elsewhere, offline; status 0 for a signed PROMOTE
    on the route that is asked for.
    With --export: check what was written for an audit; status 1 if it says that files are missing.
    """
    if bundle is not None or export is not None:
        if heads or (bundle and export):
            raise click.UsageError("--bundle or --export stand alone: --head is of a ledger.")
        if bundle is not None:
            verify_bundle(project, bundle, trust, route)
        elif export is not None:
            verify_export(project, export, trust)
        return
    if trust is not None:
        raise click.UsageError("--trust is for --bundle and --export.")
    ledger = project.ledger(compare=False)
    damage = ledger.verify(heads=[*heads, *seen_heads(project)])
    if not damage and (noted := project.noted()) is not None:  # of a damaged one, no event can be believed
        damage = tuple(contradictions(noted, ledger.events()))
    head = ledger.head()
    lines = [each.sentence for each in damage] or [f"the ledger is whole; head {head}"]
    data = {
        "ok": not damage,
        "head": head,
        "damage": [{"seq": d.seq, "sentence": d.sentence} for d in damage],
    }
    project.say(data, lines)
    if damage:
        sys.exit(1)


@click.command()
@click.argument("environment")
@click.option("--key", "file", type=KEY, help="Your private key: a file that keygen wrote.")
@click.option(
    "--by",
    help="Who says it: a name or address of gates/environments.toml. Default: the key's, else GATE_ACTOR.",
)
@click.option("--role", help="For which role, if that person has several.")
@click.option("--refuse", is_flag=True, help="Say no: nothing moves on this verdict any more.")
@click.option("--reason", default="", help="Needed for a no.")
@ROUTE
@click.pass_obj
@refusing
def approve(
    project: Project,
    environment: str,
    file: Path | None,
    by: str | None,
    role: str | None,
    refuse: bool,
    reason: str,
    route: str,
) -> None:
    """Say yes, or no, to the candidate's promotion to ENVIRONMENT on its newest verdict, and on no other.

    Where LOCAL is not enough and gates/trust.toml names keys, a yes is signed by a person's key.
    """
    policy, candidate, now = project.policy(), project.candidate(), datetime.now(UTC)
    entry = environment_of(policy, environment, route)
    signing = None if file is None else answering(project, entry, file, now=now)
    event = promotion.answer(
        project.ledger(),
        environment=entry,
        candidate=candidate,
        rules=policy.digest,
        by=by if by is not None else signing.person if signing else actor(),
        role=role,
        yes=not refuse,
        reason=reason,
        now=now,
        root=project.root,
        sign=signing.sign if signing else None,
    )
    said = "refused" if refuse else "approved"
    name = f"{candidate.name} {candidate.version} ({candidate.digest[:12]})"
    project.say(event, wrapped(f"{name}: promotion to {environment} {said} (event {event.seq})", width()))


def seen_heads(project: Project) -> list[str]:
    """Return the heads of the ledger that verdict files name: it has to have each of them."""
    heads = []
    for file in sorted(project.state.glob("verdict-*.json")):
        try:
            head = json.loads(file.read_text(encoding="utf-8")).get("ledger_head")
        except (OSError, ValueError, AttributeError):
            continue  # the file only tells; the ledger decides
        if isinstance(head, str):
            heads.append(head)
    return heads
