"""``prove``: planted defects, and whether each gate goes red on its own."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import click
import msgspec

from release_gates.cli.project import Project, environment_of, refusing, width
from release_gates.errors import PolicyError
from release_gates.ledger.history import live_in
from release_gates.ledger.proofs import gate_proofs
from release_gates.ledger.protocol import Ledger
from release_gates.model.event import Event, GatesProved
from release_gates.model.gate import EnvironmentPolicy, Policy
from release_gates.model.proof import Matrix
from release_gates.policy.load import policy_from_snapshot
from release_gates.proof.assess import standing
from release_gates.proof.bench import Bench
from release_gates.proof.command import Stop, Stopped
from release_gates.proof.prove import Proving
from release_gates.proof.registry import FILE, Defect, Registry, first_of_each, read_registry, select
from release_gates.report.proof import Line, matrix_lines, proofs_sentence, summary
from release_gates.session.deciding import BROKEN
from release_gates.session.ending import NOT_PROVEN
from release_gates.session.run import RUN_VARIABLE, actor

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STATUS = {"proven": 0, "broken": BROKEN, "not proven": NOT_PROVEN}


@click.command()
@click.argument("environment", required=False)
@click.option("--defect", "defects", multiple=True, metavar="NAME", help="Only this defect. Repeatable.")
@click.option("--gate", "gates", multiple=True, metavar="NAME", help="Only this gate's defects. Repeatable.")
@click.option("--first", is_flag=True, help="Only the first defect that the file declares for each gate.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Measure N defects of a gate at the same time, if it is not exclusive. Default: 1.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@click.pass_context
@refusing
def prove(
    context: click.Context,
    environment: str | None,
    defects: tuple[str, ...],
    gates: tuple[str, ...],
    first: bool,
    jobs: int,
    as_json: bool,
) -> None:
    """Plant each defect of gates/defects.toml and see its gate go red; on the clean system it must not.

    Decides nothing: a proof is no run, and the project's own candidate is left alone. Exit status: 0 if every
    defect is caught by its gate for the reason that it names and no gate is without a defect, 1 if not, 10 if
    something could not be proven.
    """
    project: Project = context.obj
    project = context.obj = replace(project, json=project.json or as_json)
    snapshot = project.snapshot()
    policy = policy_from_snapshot(snapshot, folder=project.policy_dir.name)
    registry = read_registry(snapshot, policy, folder=project.policy_dir.name)
    proved = _environment(policy, registry, environment)
    chosen = select(registry, proved, defects=defects, gates=gates)
    chosen = first_of_each(chosen, proved) if first else chosen
    ledger = project.ledger()
    with _alone(project), _stopping() as stop:
        bench = _bench(project, policy, proved, registry, ledger, stop)
        proving = Proving(bench, registry, Telling(err=project.json, jobs=jobs), jobs=jobs)
        try:
            matrix = proving.prove(chosen)
        except Stopped as stopped:
            left = proving.spoiled or "what was planted is undone"
            click.echo(f"\nended by {stopped}, nothing was recorded; {left}", err=True)
            sys.exit(128 + stopped.number)
        event = _record(ledger, matrix)
    _show(project, matrix, registry.defects, event)
    sys.exit(STATUS[standing(matrix)])


def seen_red(environment: EnvironmentPolicy, events: Sequence[Event], rules: str) -> list[dict[str, object]]:
    """Return for each gate of an environment when it was last seen red, as data and as a sentence."""
    found = [gate_proofs(events, environment=environment.name, gate=gate.name) for gate in environment.gates]
    return [
        {
            **msgspec.to_builtins(each),
            "sentence": proofs_sentence(each, environment=environment.name, rules=rules),
        }
        for each in found
    ]


class Telling:
    """Shows how a proof gets on: a line a step, on stderr where stdout is for JSON."""

    def __init__(self, *, err: bool, jobs: int = 1) -> None:
        self._echo: Callable[..., None] = lambda text, **how: click.echo(text, err=err, **how)
        self._at_once = jobs == 1

    def begins(self, number: int, of: int, what: str) -> Callable[[str], None]:
        """Print what begins (with several jobs not before its end), then how it ended and when."""
        line, started = f"[{number:>{len(str(of))}}/{of}] {what} … ", time.monotonic()
        if self._at_once:
            self._echo(line, nl=False)

        def ended(outcome: str) -> None:
            before = "" if self._at_once else line
            self._echo(f"{before}{outcome}, {time.monotonic() - started:.1f} s")

        return ended


def _environment(policy: Policy, registry: Registry, name: str | None) -> EnvironmentPolicy:
    if name is None and not registry.environment:
        raise PolicyError(
            f"gates/{FILE} is absent, so no environment is named.",
            slug="no-defect",
            hint="Declare planted defects in it, or name the environment: release-gates prove staging.",
        )
    return environment_of(policy, name or registry.environment)


def _bench(
    project: Project,
    policy: Policy,
    environment: EnvironmentPolicy,
    registry: Registry,
    ledger: Ledger,
    stop: Stop,
) -> Bench:
    return Bench(
        root=project.root,
        policy_dir=project.policy_dir.absolute(),
        policy=policy,
        environment=environment,
        ledger_url=ledger.url,
        live=live_in(ledger.events(), environment.name),
        timeout_s=registry.timeout_s,
        variables={name: value for name, value in os.environ.items() if name != RUN_VARIABLE},
        passed_on=registry.variables,
        stop=stop,
    )


def _record(ledger: Ledger, matrix: Matrix) -> Event | None:
    """Tell the ledger what was proved; where nothing was tried there is nothing to tell."""
    if not matrix.guarded:
        return None
    fact = GatesProved(
        environment=matrix.environment,
        rules=matrix.rules,
        actor=actor(),
        candidate=matrix.candidate,
        clean=matrix.clean,
        declared=matrix.declared,
        proofs=matrix.proofs,
    )
    return ledger.append(fact, at=datetime.now(UTC))


def _show(project: Project, matrix: Matrix, defects: tuple[Defect, ...], event: Event | None) -> None:
    data = {
        **msgspec.to_builtins(matrix),
        "standing": standing(matrix),
        "because": summary(matrix),
        "what": {defect.name: defect.what for defect in defects},
        "event": event.seq if event else None,
    }
    project.say(data, ["", *map(_coloured, matrix_lines(matrix, width()))])


def _coloured(line: Line) -> str:
    return line.text if line.good is None else click.style(line.text, fg="green" if line.good else "red")


@contextmanager
def _stopping() -> Iterator[Stop]:
    """Turn Ctrl-C, TERM and a closed terminal into a request that the proof looks at.

    A signal that whoever started us ignores (nohup) stays ignored.
    """
    stop = Stop()
    heard = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heard}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _alone(project: Project) -> Iterator[None]:
    """Refuse a second proof beside one that runs: it would remove its files, and undo its defects."""
    folder = project.state / "prove"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise PolicyError(
                "another `release-gates prove` runs in this project.",
                slug="proof-in-progress",
                hint="Wait for it.",
            ) from None
        yield
