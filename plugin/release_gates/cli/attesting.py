"""``record``: a number that somebody answers for, because no test can measure it."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from release_gates.cli.expecting import learn
from release_gates.cli.importing import refusing_results
from release_gates.cli.parts import (
    Part,
    check_age,
    part_for,
    read_source,
    unreadable,
    valid_for_s,
    write_part,
)
from release_gates.cli.project import ROUTE, Project
from release_gates.errors import GateError
from release_gates.judge.limits import matches
from release_gates.model.evidence import TestRecord
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome
from release_gates.model.units import check_convertible, dimension
from release_gates.policy.mistake import suggestion
from release_gates.session.run import actor

SHAPE = re.compile(r"([A-Za-z0-9_.@-]+)\s*=\s*(\S+?)\s+(\S+)")
PHASES = ("setup", "call", "teardown")


@click.command()
@click.argument("gate")
@click.argument("words", nargs=-1, required=True, metavar="NAME=VALUE UNIT")
@click.option("--source", required=True, type=click.Path(path_type=Path), help="The document that shows it.")
@click.option("--valid-for", required=True, metavar="DURATION", help="At most the gate's valid_for.")
@click.option(
    "--on", metavar="DATE", help="When it was found out (ISO 8601); default: when the source was written."
)
@click.option("--by", help="Who answers for it; default: who runs this.")
@click.option("--note", default="", help="What a reader should know.")
@click.option("--environment", help="Whose entry; needed where several ask for the gate.")
@ROUTE
@click.option("--output", type=click.Path(path_type=Path), help="The evidence file to write.")
@click.option("--expect", is_flag=True, help="Add it to gates/expected/GATE.txt, and write no evidence.")
@click.pass_obj
@refusing_results
def record(
    project: Project,
    gate: str,
    words: tuple[str, ...],
    source: Path,
    valid_for: str,
    on: str | None,
    by: str | None,
    note: str,
    environment: str | None,
    route: str,
    output: Path | None,
    expect: bool,
) -> None:
    """Record a number that is attested and not measured: a recovery drill, a penetration test.

    Evidence, verdict and every report name who attests it. It counts only where gates/expected/GATE.txt
    lists it (--expect), and no longer than it is valid for.
    """
    if expect == (output is not None):
        raise click.UsageError(
            "Say either --output FILE, to write evidence, or --expect, to have it expected."
        )
    part, who = part_for(project, gate, environment, route), (by if by is not None else actor()).strip()
    if not who or not who.isprintable():
        raise _wrong(f"--by {who!r} names nobody.", "Write the name of who answers for the number.")
    measurement = _measurement(part, " ".join(words), who)
    test = f"attested:{measurement.name}"
    if output is None:
        learn(part, [test], lambda _: False)
        return
    now = datetime.now(UTC)
    data, kept = read_source(source, "attested", now=now)
    if not data.strip():
        raise unreadable(source, "it is empty")
    taken, valid_s = _moment(on) if on is not None else kept.modified, valid_for_s(valid_for, part.gate)
    check_age(source, taken, valid_s, now=now)
    attested = TestRecord(
        id=test,
        gate=gate,
        outcome=Outcome.PASS,
        phases=PHASES,
        measurements=(measurement,),
        finished=taken,
        valid_for_s=valid_s,
    )
    write_part(part, output, [attested], [msgspec.structs.replace(kept, cases=1, by=who, note=note)])
    told = f"{measurement.name} = {measurement.value:g} {measurement.unit}"
    lines = [f"{output}: {told}, attested by {who}, not measured; valid for {valid_s / 86400:g} d"]
    if test not in part.policy.expected.get(gate, ()):
        lines.append("it is not expected, which is an ERROR: the same command with --expect")
    project.say({"output": str(output), "measurement": measurement}, lines)


def _measurement(part: Part, text: str, by: str) -> Measurement:
    found = SHAPE.fullmatch(text.strip())
    if found is None:
        raise _wrong(f"'{text}' is no measurement.", "Write: dr.recovery_time=42 min")
    name, number, unit = found.groups()
    value = _number(number)
    try:
        dimension(unit)
    except ValueError as error:
        raise _wrong(f"{name}: {error}", "") from None
    _check_limits(part, name, unit)
    return Measurement(name=name, value=value, unit=unit, attested=by)


def _number(text: str) -> float:
    try:
        value = (
            float(text) if re.fullmatch(r"[+-]?[0-9][0-9_]*(\.[0-9]+)?([eE][+-]?[0-9]+)?", text) else math.nan
        )
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _wrong(f"'{text}' is no finite decimal number.", "Write: dr.recovery_time=42 min")
    return value


def _check_limits(part: Part, name: str, unit: str) -> None:
    """Refuse a number that no limit covers: nobody would judge it, and it would pass."""
    rules = [rule for rule in part.gate.limits if matches(rule.name, name)]
    if not rules:
        known = [rule.name for rule in part.gate.limits]
        raise _wrong(
            f"no limit of gate '{part.gate.name}' covers '{name}', so that nothing would judge it.",
            suggestion(name, known).strip() or f"Add one below [gate.{part.gate.name}.limits].",
        )
    for bound in (
        each for rule in rules for limit in (rule.limit, rule.target) if limit for each in limit.bounds
    ):
        try:
            check_convertible(unit, bound.unit)
        except ValueError as error:
            raise _wrong(f"{name}: {error}", "") from None


def _moment(text: str) -> datetime:
    try:
        read = datetime.fromisoformat(text)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _wrong(f"--on '{text}' is no date.", "Write: --on 2026-01-31") from None


def _wrong(message: str, hint: str) -> GateError:
    return GateError(message, slug="record-value", hint=hint)
