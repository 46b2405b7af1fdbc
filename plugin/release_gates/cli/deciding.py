"""``run``, ``decide``, ``explain``, ``replay``: from a candidate to a verdict, and back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import UNSET

from release_gates.candidate.store import ArtifactStore
from release_gates.cli.project import ROUTE, Project, environment_of, refusing, width
from release_gates.cli.signing import KEY, run_of, seal_for, sign_run
from release_gates.errors import EvidenceError, LedgerError
from release_gates.judge.decide import decide
from release_gates.ledger.bearing import history
from release_gates.ledger.evidence import EvidenceWriter, read_evidence
from release_gates.ledger.history import RunView, runs
from release_gates.ledger.opening import told_to_child
from release_gates.ledger.protocol import Ledger
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.record import canonical
from release_gates.model.verdict import Verdict, taken_back
from release_gates.policy.load import policy_from_snapshot
from release_gates.policy.selection import expected_in
from release_gates.report.text import (
    MOST_REASONS,
    explanation_lines,
    taken_back_lines,
    verdict_lines,
)
from release_gates.session.deciding import exit_status
from release_gates.session.ending import NOT_PROVEN
from release_gates.session.run import RUN_VARIABLE, Run, new_run_id


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("environment")
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
@ROUTE
@click.pass_obj
@refusing
def run(project: Project, environment: str, pytest_arguments: tuple[str, ...], route: str) -> None:
    """Run pytest -m gate_ENVIRONMENT from outside; the exit status is that of the committed verdict.

    Arguments after -- go to pytest. A pytest that ends without a verdict, however it ends, is a HOLD.
    """
    started = _prepared(project, environment, route, project.candidate(), project.candidate_file.parent)
    evidence = started.default_evidence()
    started.begin([evidence])
    status = _pytest(project, (environment, route), started.id, evidence, pytest_arguments)
    view = _view(project.ledger(), started.id)
    if view.verdict is None:
        closed = _close_unfinished(started, evidence, status)
        project.say(closed, verdict_lines(closed, head=started.head, width=width()))
        sys.exit(status if status > 1 or closed.is_observed else NOT_PROVEN)
    verdict = _reading(view, view.verdict)
    lines: list[str] = []
    if verdict.promotes and status and not verdict.is_observed:
        reason = f"pytest ended with exit status {status} after its verdict"
        started.take_back(reason)
        verdict = taken_back(verdict, reason)
        lines = taken_back_lines(verdict, head=started.head, width=width())
    if project.json or lines:
        project.say(verdict, lines)
    if view.observed:
        sys.exit(status)  # pytest's own last word: ours stops nothing
    decided = exit_status(0, verdict)
    sys.exit(max(status, decided) if status > 1 else decided)


@click.command("decide")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--environment", required=True)
@click.option(
    "--sign",
    type=KEY,
    metavar="KEYFILE",
    help="Sign the verdict, by a key or as `sigstore`; for a protected job.",
)
@ROUTE
@click.pass_obj
@refusing
def decide_files(
    project: Project, files: tuple[Path, ...], environment: str, sign: Path | None, route: str
) -> None:
    """Decide on evidence FILES that were measured in parts (pytest --gate-part).

    A verdict that is signed at once is not LOCAL, whatever the ledger is.
    """
    evidence = [read_evidence(file) for file in files]
    for part, file in zip(evidence, files, strict=True):
        if part.header.environment != environment:
            raise EvidenceError(
                f"{file}: was measured for the entry to {part.header.environment}, not to {environment}.",
                slug="evidence-of-another-entry",
                hint=f"Measure with -m gate_{environment} --gate-part.",
            )
    candidate, folder = evidence[0].header.candidate, project.candidate_file.parent
    seal = seal_for(project, environment_of(project.policy(), environment), sign) if sign else None
    joined = _prepared(project, environment, route, candidate, folder, signed=seal is not None)
    joined.begin([file.absolute() for file in files])
    verdict = joined.conclude(evidence)
    if seal is not None:
        sign_run(project, run_of(project, verdict.run), verdict, evidence, seal)
    project.say(verdict, verdict_lines(verdict, head=joined.head, width=width()))
    sys.exit(exit_status(0, verdict))


@click.command()
@click.argument("environment")
@click.option("--run", "run_id", help="A run other than the newest.")
@click.option("--all", "every", is_flag=True, help="Every reason, however many.")
@click.pass_obj
@refusing
def explain(project: Project, environment: str, run_id: str | None, every: bool) -> None:
    """Say why the newest verdict is as it is: blockers ranked, owners, how to run each again."""
    views = [view for view in _runs(project.ledger()) if view.started.environment == environment]
    chosen = [view for view in views if run_id in (None, view.started.run)]
    if not chosen:
        raise LedgerError(
            f"the ledger has no run {run_id or ''} for the entry to {environment}.",
            slug="unknown-run",
            hint=f"`release-gates run {environment}` makes one; `release-gates status` lists them.",
        )
    if (decided := chosen[-1].verdict) is None:
        sentence = f"run {chosen[-1].started.run} has no verdict: it is in progress, or was killed"
        project.say({"run": chosen[-1].started.run, "verdict": None, "because": sentence}, [sentence])
        sys.exit(NOT_PROVEN)
    verdict = _reading(chosen[-1], decided)
    owners = {gate.name: gate.owner for gate in verdict.gates}
    most = len(verdict.reasons) if every else MOST_REASONS
    lines = list(explanation_lines(verdict, owners, width=width(), most=most))
    if chosen[-1].invalidated:
        lines.append(f"This run was invalidated: {chosen[-1].invalidated}")
    project.say(verdict, lines)
    sys.exit(exit_status(0, verdict))


@click.command()
@click.argument("run_id", metavar="RUN")
@click.pass_obj
@refusing
def replay(project: Project, run_id: str) -> None:
    """Decide RUN again from its stored inputs; the verdict has to be the same, byte for byte."""
    ledger = project.ledger()
    view = _view(ledger, run_id)
    if view.verdict is None:
        raise LedgerError(f"run {run_id} has no verdict to replay.", slug="run-unfinished", hint="")
    again = _decided_again(project, ledger, view, view.verdict)
    same = canonical(again) == canonical(view.verdict)
    sentence = "the same verdict, byte for byte" if same else "ANOTHER verdict than the ledger has"
    project.say({"same": same, "verdict": again}, [f"{run_id}: {again.title}: {sentence}"])
    if not same:
        sys.exit(1)


def _decided_again(project: Project, ledger: Ledger, view: RunView, verdict: Verdict) -> Verdict:
    stored = ArtifactStore(project.state / "artifacts").get(verdict.inputs.rules).read_bytes()
    policy = policy_from_snapshot(msgspec.json.decode(stored, type=dict[str, str]))
    candidate, environment = view.started.candidate.digest, verdict.environment
    before = [event for event in ledger.events() if event.seq < view.verdict_seq]
    entry = environment_of(policy, environment, verdict.route_name)
    return decide(
        entry,
        rules=policy.digest,
        expected=expected_in(policy, entry),
        evidence=[read_evidence(project.root / path) for path in view.started.evidence],
        history=history(
            before, candidate=candidate, environment=environment, rules=policy.digest, run=view.started.run
        ),
        now=verdict.decided,
        local=verdict.local,
        run=view.started.run,
        waivers=policy.waivers,
        elsewhere="" if verdict.elsewhere is UNSET else verdict.elsewhere,
    )


def _prepared(
    project: Project,
    environment: str,
    route: str,
    candidate: ReleaseCandidate,
    folder: Path,
    *,
    signed: bool = False,
) -> Run:
    snapshot = project.snapshot()
    policy = policy_from_snapshot(snapshot, folder=project.policy_dir.name)
    return Run(
        policy=policy,
        snapshot=snapshot,
        environment=environment_of(policy, environment, route),
        candidate=candidate,
        ledger=project.ledger(),
        root=project.root,
        candidate_root=folder,
        run=new_run_id(datetime.now(UTC)),
        policy_dir=project.policy_dir,
        elsewhere=project.elsewhere,
        signed=signed,
    )


def _pytest(
    project: Project, entry: tuple[str, str], run_id: str, evidence: Path, arguments: Sequence[str]
) -> int:
    environment, route = entry
    command = [sys.executable, "-m", "pytest", "-m", f"gate_{environment}", f"--rootdir={project.root}"]
    command += [f"--gate-route={route}", f"--gate-policy={project.policy_dir}"]
    command += [f"--gate-candidate={project.candidate_file}", f"--gate-evidence={evidence}"]
    words, variables = ([], {}) if project.ledger_url is None else told_to_child(project.ledger_url)
    command += words
    # JSON goes to stdout alone, so pytest's own words go to stderr then.
    output: Any = sys.stderr if project.json else None
    child = subprocess.Popen(
        [*command, *arguments],
        env={**os.environ, **variables, RUN_VARIABLE: run_id},
        stdout=output,
        cwd=project.root,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _frame: child.send_signal(received))
    status = child.wait()
    return 128 - status if status < 0 else status


def _close_unfinished(started: Run, evidence: Path, status: int) -> Verdict:
    """Commit the HOLD of a run whose pytest ended without a verdict, with whatever it measured."""
    if not evidence.exists():
        words = ("release-gates", "run")
        writer = EvidenceWriter(evidence, started.header(words, ()))
        started.end_evidence(writer, [f"pytest ended with exit status {status} before it measured anything"])
    return started.conclude([read_evidence(evidence)])


def _reading(view: RunView, verdict: Verdict) -> Verdict:
    """Return how a run's verdict reads now: one that was invalidated is no PROMOTE."""
    return taken_back(verdict, view.invalidated) if view.invalidated else verdict


def _runs(ledger: Ledger) -> tuple[RunView, ...]:
    return runs(tuple(ledger.events()))


def _view(ledger: Ledger, run_id: str) -> RunView:
    for view in _runs(ledger):
        if view.started.run == run_id:
            return view
    raise LedgerError(
        f"the ledger knows no run '{run_id}'.",
        slug="unknown-run",
        hint="`release-gates status` lists the newest.",
    )
