"""``import sarif``: what static analysis found, as one part of the evidence; what is known already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

from release_gates.candidate.store import ArtifactStore
from release_gates.cli.expecting import Learned, cell_of, cells_to_learn, learned
from release_gates.cli.importing import refusing_results
from release_gates.cli.parts import Part, check_age, decide_command, part_for, read_source, write_part
from release_gates.cli.project import ROUTE, Project, width
from release_gates.errors import EvidenceError, GateError, MeasurementError
from release_gates.model.evidence import Source, TestRecord
from release_gates.model.foreign import plain
from release_gates.model.measurement import Attachment
from release_gates.model.outcome import Outcome
from release_gates.policy.settings import settings_for
from release_gates.probes.junit.records import in_cell
from release_gates.probes.sarif.assessment import (
    Judged,
    described,
    is_suppressed,
    judge_findings,
    record_id,
    to_record,
)
from release_gates.probes.sarif.checkout import Checkout
from release_gates.probes.sarif.completeness import (
    check_commit,
    check_run,
    check_sources,
    ended,
    names_commit,
)
from release_gates.probes.sarif.document import ToolRun, read_log
from release_gates.probes.sarif.findings import Finding, findings_of
from release_gates.probes.sarif.known import FOLDER, KnownFinding, known_after, read_known, render_known
from release_gates.probes.sarif.places import Places
from release_gates.probes.sarif.settings import FindingsSettings
from release_gates.report.text import wrapped

REVIEW = "next: review and commit it; it is part of the policy, so that evidence has to be taken anew"
NO_COMMIT = "the file does not say which commit was analysed"


class Import(NamedTuple):
    """What one call of the command is about."""

    part: Part
    settings: FindingsSettings
    now: datetime
    cell: str


class Read(NamedTuple):
    """One file: what each of its tools found, by the id of its record, and when the tools ended."""

    source: Source
    findings: dict[str, tuple[Finding, ...]]
    taken: datetime


@click.command("sarif")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--gate", required=True, help="The gate that these findings belong to.")
@click.option("--environment", help="Whose entry; needed where several ask for the gate.")
@ROUTE
@click.option("--cell", "pairs", multiple=True, metavar="KEY=VALUE", help="The cell of the gate's matrix.")
@click.option("--output", type=click.Path(path_type=Path), help="The evidence file to write.")
@click.option("--accept-known", is_flag=True, help="Write gates/findings/GATE.json, and no evidence.")
@click.option("--expect", is_flag=True, help="Write gates/expected/GATE.txt, and no evidence.")
@click.pass_obj
@refusing_results
def sarif(
    project: Project,
    files: tuple[Path, ...],
    gate: str,
    environment: str | None,
    route: str,
    pairs: tuple[str, ...],
    output: Path | None,
    accept_known: bool,
    expect: bool,
) -> None:
    """Take SARIF 2.1.0 of CodeQL, Semgrep, Trivy, ruff, clang-tidy … into the evidence.

    What a finding does is said in policy, as [gate.NAME.findings]. --accept-known records what is found
    now, each with the day it was first seen: review that file like the policy that it is part of.
    """
    if (accept_known or expect) == (output is not None):
        raise click.UsageError(
            "Say either --output FILE, to write evidence, or --accept-known or --expect, to write policy."
        )
    part = part_for(project, gate, environment, route)
    cell = cell_of(part.gate, pairs) if output is not None or accept_known else ""
    this = Import(part, settings_for(part.gate, FindingsSettings), datetime.now(UTC), cell)
    if output is not None and output.exists():
        raise _exists(output)
    reads = _read_all(this, files)
    found = {test: findings for read in reads for test, findings in read.findings.items()}
    written = {}
    if accept_known:
        written["known"] = _accept(this, found)
    if expect:
        written["expected"] = _expect(part, found, pairs)
    if output is not None:
        _write(this, output, reads)
    else:
        data = {name: each.data for name, each in written.items()}
        project.say(data, [line for each in written.values() for line in each.lines] + [REVIEW])


def _read_all(this: Import, files: Sequence[Path]) -> list[Read]:
    seen: dict[str, Path] = {}
    reads = []
    for file in files:
        read = _read(this, file)
        for key in (read.source.sha256, *read.findings):
            if key in seen:
                raise MeasurementError(
                    f"{file}: {key} was read from {seen[key]} already.",
                    slug="source-twice",
                    hint="Name each file once, and give files of different folders different names.",
                )
            seen[key] = file
        reads.append(read)
    return reads


def _read(this: Import, file: Path) -> Read:
    data, source = read_source(file, "sarif", now=this.now)
    log = read_log(str(file), data)
    found: dict[str, list[Finding]] = {}
    tools, taken = [], source.modified
    for index, run in enumerate(log.runs or ()):
        tool, findings = _read_run(this, run, str(file), f"$.runs[{index}]")
        found.setdefault(record_id(tool, _name(this.part.project.root, file)), []).extend(findings)
        end = ended(run)
        if end is not None:
            check_age(file, end, this.part.gate.valid_for_s, now=this.now)
            taken = min(taken, end)
        tools.append(tool)
    check_age(file, taken, this.part.gate.valid_for_s, now=this.now)
    driver = (log.runs or ())[0].tool
    version = driver.driver.version if driver is not None and driver.driver is not None else ""
    completed = msgspec.structs.replace(
        source,
        tool=", ".join(dict.fromkeys(tools)),
        version=plain(version or ""),
        note="" if all(names_commit(run) for run in log.runs or ()) else NO_COMMIT,
        cases=sum(map(len, found.values())),
    )
    return Read(completed, {test: tuple(findings) for test, findings in found.items()}, taken)


def _read_run(this: Import, run: ToolRun, file: str, place: str) -> tuple[str, tuple[Finding, ...]]:
    root = this.part.project.root.resolve()
    tool = check_run(run, file=file, place=place)
    places, checkout = Places(run, root.as_posix()), Checkout(root)
    check_commit(
        run,
        this.part.candidate.commit,
        required=this.settings.commit_required,
        file=file,
        place=place,
    )
    check_sources(run, places, checkout.digest_of, file=file, place=place)
    return tool, findings_of(run, tool, places, checkout.lines_of, file=file, place=place)


def _name(root: Path, file: Path) -> str:
    """Return how a file is called in the evidence: below the project as a path, elsewhere by its name."""
    real = file.resolve()
    return real.relative_to(root.resolve()).as_posix() if real.is_relative_to(root.resolve()) else real.name


def _known(this: Import) -> tuple[KnownFinding, ...]:
    project, name = this.part.project, f"{FOLDER}/{this.part.gate.name}.json"
    text = project.snapshot().get(name)
    if text is None:
        return ()
    return read_known(f"{project.policy_dir.name}/{name}", text, today=this.now.date())


def _accept(this: Import, found: Mapping[str, Sequence[Finding]]) -> Learned:
    old, project, gate = _known(this), this.part.project, this.part.gate.name
    counted = {
        in_cell(test, this.cell): [each for each in findings if not is_suppressed(each, this.settings)]
        for test, findings in found.items()
    }
    new = known_after(old, counted, today=this.now.date())
    path = project.policy_dir / FOLDER / f"{gate}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_known(new), encoding="utf-8")
    added = [each for each in new if each not in old]
    removed = [each for each in old if each not in new]
    lines = [f"{FOLDER}/{gate}.json: {len(added)} added, {len(removed)} removed, {len(new)} in all"]
    for sign, entries in (("+", added), ("-", removed)):
        lines += [f"  {sign} {each.severity} {each.rule} at {each.path}: {each.text}" for each in entries]
    return Learned({"added": added, "removed": removed}, lines)


def _expect(part: Part, tests: Iterable[str], pairs: Sequence[str]) -> Learned:
    """Expect these records in the cell that is named, else in every cell of the gate's matrix."""
    cells = cells_to_learn(part.gate, pairs)
    ids = [in_cell(test, cell) for test in tests for cell in cells]
    return learned(part, ids, lambda test: test in ids)


def _write(this: Import, output: Path, reads: Sequence[Read]) -> None:
    part, known = this.part, _known(this)
    store = ArtifactStore(part.project.state / "artifacts")
    records, lines = [], []
    for read in reads:
        attachment = Attachment(name=Path(read.source.path).name, sha256=_stored(store, read.source))
        for name, findings in read.findings.items():
            test = in_cell(name, this.cell)
            own = [entry for entry in known if entry.test == test]
            judged = judge_findings(findings, own, this.settings, today=this.now.date())
            record = to_record(
                test,
                part.gate.name,
                judged,
                settings=this.settings,
                attachment=attachment,
                finished=read.taken,
            )
            record = msgspec.structs.replace(record, cell=this.cell)
            records.append(record)
            lines += _told(record, judged)
    sources = [msgspec.structs.replace(read.source, cell=this.cell) for read in reads]
    write_part(part, output, records, sources)
    _say(part, output, records, lines)


def _stored(store: ArtifactStore, source: Source) -> str:
    """Keep the file with the evidence; it has to be what was read."""
    found = store.put(Path(source.path))
    if found != source.sha256:
        raise MeasurementError(
            f"{source.path}: changed while it was read.",
            slug="source-unreadable",
            hint="Wait until the tool has ended.",
        )
    return found


def _told(record: TestRecord, judged: Sequence[Judged]) -> list[str]:
    counts = {each.name.partition(".")[2]: int(each.value or 0) for each in record.measurements}
    shown = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts.items() if number)
    lines = [f"{record.id}: {record.outcome}: {shown or 'no findings'}"]
    for each in judged:
        mark = {Outcome.FAIL: "!", Outcome.INCONCLUSIVE: "?", Outcome.WARN: "~"}.get(each.outcome, " ")
        lines += wrapped(f"{mark} {described(each)}", width(), "  ")
    return lines


def _say(part: Part, output: Path, records: Sequence[TestRecord], lines: Sequence[str]) -> None:
    expected = part.policy.expected.get(part.gate.name, ())
    strange = [record.id for record in records if record.id not in expected]
    notes = (
        [f"{len(strange)} not expected, which is an ERROR: the same command with --expect"] if strange else []
    )
    following = f"next: {decide_command(part, output)}"
    data = {"output": str(output), "records": records, "unexpected": strange}
    part.project.say(data, [*lines, *notes, following])


def _exists(output: Path) -> GateError:
    return EvidenceError(
        f"{output}: is there already, and evidence is never overwritten.",
        slug="evidence-exists",
        hint="Name another file by --output.",
    )
