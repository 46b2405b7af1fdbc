"""``keygen``, ``approve-rules``, and how ``decide --sign`` and ``attest`` sign: what, and by which key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import click

from release_gates.cli.project import Project, refusing
from release_gates.errors import EvidenceError, LedgerError, TrustError
from release_gates.ledger.attestations.ambient import CONFIG, WORD, ambient_seal
from release_gates.ledger.attestations.approvals import ROLE as APPROVAL
from release_gates.ledger.attestations.approvals import approval_statement
from release_gates.ledger.attestations.envelope import sealed
from release_gates.ledger.attestations.files import Seal, attestations_of, signed_lines, write_lines
from release_gates.ledger.attestations.keys import make_key, public_of, read_key
from release_gates.ledger.attestations.rules import ROLE, approval_file, rules_statement
from release_gates.ledger.history import RunView, runs
from release_gates.model.event import Approved
from release_gates.model.evidence import Evidence
from release_gates.model.gate import EnvironmentPolicy
from release_gates.model.trust import Trust
from release_gates.model.verdict import Verdict

KEY = click.Path(path_type=Path, dir_okay=False)
SIGNING = ("evidence", "verdict")


@click.command()
@click.argument("file", type=KEY)
@click.pass_obj
@refusing
def keygen(project: Project, file: Path) -> None:
    """Write a new private key (Ed25519) to FILE, outside of the project; print its public half.

    The file has mode 0600 and no password: whoever can read it can sign. Give it to the protected job as a
    secret, and to nobody else.
    """
    public = make_key(file, project.root)
    lines = [
        f"{file}: a private key; keep it out of every repository. Its public half, for gates/trust.toml:",
        "",
        "[key.NAME]",
        f'public = "{public}"',
    ]
    project.say({"file": str(file), "public": public}, lines)


@click.command("approve-rules")
@click.option("--key", "file", type=KEY, required=True, help="Your private key: a file that keygen wrote.")
@click.pass_obj
@refusing
def approve_rules(project: Project, file: Path) -> None:
    """Sign the rules as they are now: gates/, what measures, and the plugin's version.

    Commit the file that it writes to the protected branch. Where gates/environments.toml says
    approved_rules = true, nothing is promoted under rules that nobody approved.
    """
    policy, signer, now = project.policy(), read_key(file, project.root), datetime.now(UTC)
    trust = policy.environments[0].trust
    key = trust.key(public_of(signer)) if trust else None
    if key is None or key.holder != "person" or ROLE not in key.roles or not key.is_valid(now):
        raise TrustError(
            f"{file}: gates/trust.toml names no person's key with this public half and the role "
            f"{ROLE}, valid today.",
            slug="key-role",
            hint="What it signs would be refused.",
        )
    line = sealed(rules_statement(policy.digest, by=key.person, signed=now), signer)
    path = approval_file(project.policy_dir, policy.digest)
    write_lines(path, [line])
    written = {"rules": policy.digest, "by": key.person, "file": str(path)}
    project.say(written, [f"{path}: the rules {policy.digest[:12]}, approved by {key.person}"])


def seal_for(project: Project, environment: EnvironmentPolicy, file: Path) -> Seal:
    """Return what signs verdicts of an environment, if policy lets it today.

    That is the private key of a file; or, for the word sigstore, the identity of the workflow that runs this.
    """
    if str(file) == WORD:
        config = project.snapshot().get(CONFIG)
        return ambient_seal(environment.trust or Trust(), SIGNING, environment.name, config)
    signer = read_key(file, project.root)
    key = environment.trust.key(public_of(signer)) if environment.trust else None
    if key is None or not all(key.may(role, environment.name) for role in SIGNING):
        raise TrustError(
            f"{file}: gates/trust.toml names no key of a machine with this public half and the roles "
            f"{' and '.join(SIGNING)} for the entry to {environment.name}.",
            slug="key-role",
            hint="What it signs would be refused. Name it there, and run the gate again.",
        )
    if not key.is_valid(datetime.now(UTC)):
        raise TrustError(
            f"{file}: key {key.name} is valid from {key.valid_from} to {key.valid_until}.",
            slug="key-expired",
            hint="Make a new one: `release-gates keygen`.",
        )
    return lambda statement: sealed(statement, signer)


class Answering(NamedTuple):
    """A person who answers, by name, and how that person's key signs an answer."""

    person: str
    sign: Callable[[Approved], str]


def answering(project: Project, environment: EnvironmentPolicy, file: Path, *, now: datetime) -> Answering:
    """Return whose private key a file holds; ``TrustError`` if the policy names no person with it."""
    signer = read_key(file, project.root)
    key = environment.trust.key(public_of(signer)) if environment.trust else None
    if key is None or not key.may(APPROVAL, environment.name):
        raise TrustError(
            f"{file}: gates/trust.toml names no person's key with this public half and the role {APPROVAL} "
            f"for the entry to {environment.name}.",
            slug="key-role",
            hint="What it signs would be refused. Name it there, and run the gate again.",
        )
    return Answering(key.person, lambda fact: sealed(approval_statement(fact, now), signer).decode("ascii"))


def sign_run(
    project: Project, view: RunView, verdict: Verdict, evidence: Sequence[Evidence], seal: Seal
) -> Path:
    """Write the signed statements on a verdict and its evidence; return their file.

    ``EvidenceError`` where a file is not what the verdict was decided on.
    """
    if tuple(each.sha256 for each in evidence) != verdict.inputs.evidence:
        raise EvidenceError(
            f"the evidence of run {verdict.run} is not what it was decided on.",
            slug="evidence-changed",
            hint="Bring the original back, or run again.",
        )
    lines = signed_lines(evidence, verdict, view.started.candidate, seal, now=datetime.now(UTC))
    path = attestations_of(project.state, verdict.run)
    write_lines(path, lines)
    return path


def run_of(project: Project, run_id: str) -> RunView:
    """Return a run of the ledger; ``LedgerError`` for one that it does not know."""
    for view in runs(tuple(project.ledger().events())):
        if view.started.run == run_id:
            return view
    raise LedgerError(
        f"the ledger knows no run '{run_id}'.",
        slug="unknown-run",
        hint="`release-gates status` lists the newest.",
    )
