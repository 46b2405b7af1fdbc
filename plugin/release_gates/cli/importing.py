"""``import``: results of other tools become one part of the evidence; ``decide`` joins the parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import click
import msgspec

from release_gates.cli.expecting import cell_of, cells_to_learn, learn
from release_gates.cli.parts import (
    Part,
    check_age,
    decide_command,
    part_for,
    read_source,
    valid_for_s,
    write_part,
)
from release_gates.cli.project import ROUTE, Project, refuse, refusing
from release_gates.errors import GateError, MeasurementError
from release_gates.model.evidence import Source, TestRecord
from release_gates.model.outcome import Outcome
from release_gates.policy.settings import settings_for
from release_gates.probes.junit.facts import Report
from release_gates.probes.junit.reader import check_commit, read_junit
from release_gates.probes.junit.records import in_cell, to_records
from release_gates.probes.junit.settings import JunitSettings
from release_gates.session.ending import NOT_PROVEN

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Read = tuple[Report, Source]


@click.group("import")
def import_results() -> None:
    """Take results of other tools into the evidence, as one part of a run.

    Each file is read strictly: what is damaged, stale, empty or about another commit is refused, and
    nothing is written then. `release-gates decide` joins the parts.

    Exit status: 0 when the part was written (whatever the results are), 10 if the file proves nothing,
    2 if the command is wrong.
    """


def refusing_results(command: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Turn a ``MeasurementError`` into exit status 10 (not proven), any other ``GateError`` into 2."""

    @wraps(command)
    def wrapper(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return command(*args, **kwargs)
        except MeasurementError as error:
            refuse(error, status=NOT_PROVEN)

    return refusing(wrapper)


@import_results.command("junit")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--gate", required=True, help="The gate whose tests these are.")
@click.option("--environment", help="Whose entry; needed where several ask for the gate.")
@ROUTE
@click.option("--cell", "pairs", multiple=True, metavar="KEY=VALUE", help="The cell of the gate's matrix.")
@click.option("--suite", help="Replaces the names of the suites, where two files have the same.")
@click.option(
    "--valid-for", metavar="DURATION", help="How old the tests may be; at most the gate's valid_for."
)
@click.option("--output", type=click.Path(path_type=Path), help="The evidence file to write.")
@click.option(
    "--expect", is_flag=True, help="Write gates/expected/GATE.txt from these files, and no evidence."
)
@click.pass_obj
@refusing_results
def junit(
    project: Project,
    files: tuple[Path, ...],
    gate: str,
    environment: str | None,
    route: str,
    pairs: tuple[str, ...],
    suite: str | None,
    valid_for: str | None,
    output: Path | None,
    expect: bool,
) -> None:
    """Take JUnit XML of pytest, GoogleTest, Surefire, Gradle, gotestsum, Jest … into the evidence."""
    if expect == (output is not None):
        raise click.UsageError(
            "Say either --output FILE, to write evidence, or --expect, to learn the tests."
        )
    part = part_for(project, gate, environment, route)
    reads = _read_all(part, files, suite, valid_for_s(valid_for, part.gate))
    reports = [report for report, _ in reads]
    if output is None:
        _learn(part, reports, pairs)
        return
    cell = cell_of(part.gate, pairs)
    expected = frozenset(part.policy.expected.get(gate, ()))
    records = to_records(reports, gate=gate, cell=cell)
    kept = [record for record in records if record.id in expected or not _only_skipped(record)]
    if not kept:
        raise _all_skipped(files, len(records))
    limited = [msgspec.structs.replace(each, valid_for_s=valid_for_s(valid_for, part.gate)) for each in kept]
    left_out = frozenset(record.id for record in records) - {record.id for record in kept}
    sources = [_completed(source, report, cell, left_out) for report, source in reads]
    write_part(part, output, limited, sources)
    undated = [report.file for report in reports if not report.dated]
    _say(project, output, part, limited, sources, undated)


def _read_all(part: Part, files: Sequence[Path], suite: str | None, valid_s: float) -> list[Read]:
    settings, now = settings_for(part.gate, JunitSettings), datetime.now(UTC)
    seen: dict[str, Path] = {}
    reads = []
    for file in files:
        data, source = read_source(file, "junit", now=now)
        if source.sha256 in seen:
            raise MeasurementError(
                f"{file}: is the same as {seen[source.sha256]}, byte for byte.",
                slug="source-twice",
                hint="Name each file once.",
            )
        seen[source.sha256] = file
        report = read_junit(
            str(file), data, written=source.modified, suite=suite, commit_keys=settings.commit
        )
        check_commit(report, part.candidate.commit, required=settings.commit_required)
        check_age(file, report.taken, valid_s, now=now)
        reads.append((report, source))
    return reads


def _learn(part: Part, reports: Sequence[Report], pairs: Sequence[str]) -> None:
    cells = cells_to_learn(part.gate, pairs)
    suites = {f"junit:{case.suite}::" for report in reports for case in report.cases}
    ids = [
        record.id
        for cell in cells
        for record in to_records(reports, gate=part.gate.name, cell=cell)
        if not _only_skipped(record)
    ]

    def replaced(test: str) -> bool:
        """Whether an old line is about these suites and cells, so that these files speak for it."""
        own = any(test.startswith(suite) for suite in suites)
        return own and (cells == ("",) or any(test.endswith(in_cell("", cell)) for cell in cells))

    learn(part, ids, replaced)


def _only_skipped(record: TestRecord) -> bool:
    return record.outcome is Outcome.INCONCLUSIVE and record.attempts == 1


def _all_skipped(files: Sequence[Path], number: int) -> GateError:
    return MeasurementError(
        f"{', '.join(map(str, files))}: all {number} tests were skipped, and none of them is expected.",
        slug="junit-empty",
        hint="Look at what the test tool was told to run.",
    )


def _completed(source: Source, report: Report, cell: str, left_out: frozenset[str]) -> Source:
    return msgspec.structs.replace(
        source,
        tool=report.tool,
        version=report.version,
        cases=len(report.cases),
        left_out=sum(in_cell(case.id, cell) in left_out for case in report.cases),
        cell=cell,
    )


def _say(
    project: Project,
    output: Path,
    part: Part,
    records: Sequence[TestRecord],
    sources: Sequence[Source],
    undated: Sequence[str],
) -> None:
    counted = Counter(str(record.outcome) for record in records)
    expected = part.policy.expected.get(part.gate.name, ())
    unexpected = sum(record.id not in expected for record in records)
    left_out = sum(source.left_out for source in sources)
    told = ", ".join(f"{number} {outcome}" for outcome, number in sorted(counted.items()))
    lines = [f"{output}: {len(records)} tests for gate {part.gate.name}: {told}"]
    if left_out:
        lines.append(f"{left_out} skipped and not expected: left out")
    if undated:
        lines.append(f"without a timestamp, so its modification time counts: {', '.join(undated)}")
    if unexpected:
        lines.append(f"{unexpected} are not expected, which is an ERROR: the same command with --expect")
    lines.append(f"next: {decide_command(part, output)}")
    data = {"output": str(output), "outcomes": counted, "unexpected": unexpected, "sources": sources}
    project.say(data, lines)
