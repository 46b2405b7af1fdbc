"""``export``: a period of the ledger with all that it rests on, in one file that checks itself."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from release_gates.candidate.store import ArtifactStore
from release_gates.cli.project import Project, refusing, width
from release_gates.errors import GateError, LedgerError
from release_gates.ledger import archive
from release_gates.ledger.archive import index, period, readme, runs_in, sums_text
from release_gates.ledger.archived import check_export
from release_gates.ledger.attestations.files import attestations_of
from release_gates.ledger.attestations.rules import approval_file
from release_gates.ledger.history import RunView
from release_gates.ledger.segment import segment_bytes
from release_gates.model.event import Event
from release_gates.model.export import Export, ExportedRun, Missing
from release_gates.model.record import canonical
from release_gates.policy.trust import read_keys
from release_gates.report.text import wrapped

DAY = click.DateTime(formats=["%Y-%m-%d"])
_EPOCH = (1980, 1, 1, 0, 0, 0)


@click.command()
@click.option("--since", type=DAY, required=True, help="The first day (UTC), such as 2026-01-01.")
@click.option("--until", type=DAY, required=True, help="The last day (UTC).")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The file to write (zip).",
)
@click.pass_obj
@refusing
def export(project: Project, since: datetime, until: datetime, output: Path) -> None:
    """Write every event of a period, with evidence, verdicts, signatures and rules, for whoever audits it.

    The file says how to check it. Exit status 1 if a file is missing: it is named then. The same ledger and
    files give the same bytes. It is evidence that can support an audit.
    """
    if until < since:
        raise click.UsageError("--until lies before --since")
    ledger = project.ledger()
    if damage := ledger.verify():
        raise LedgerError(
            f"the ledger is damaged: {damage[0].sentence} ({len(damage)} finding(s)).",
            slug="ledger-damaged",
            hint="`release-gates verify` names all; bring the ledger back from its backup.",
        )
    events = tuple(ledger.events())
    told = period(events, since.date(), until.date())
    made = _written(project, events, told, (since, until), output)
    lines = [
        f"{output}: events {made.first} to {made.last}, {len(made.runs)} run(s) from {made.since} to "
        f"{made.until} (UTC)"
    ]
    lines += [f"missing: {each.file} of run {each.run} ({each.because})" for each in made.missing]
    project.say(made, [line for each in lines for line in wrapped(each, width())])
    if made.missing:
        sys.exit(1)


def verify_export(project: Project, file: Path, trust: Path | None) -> None:
    """Check an export and say what it shows; exit status 1 if a file is missing in it."""
    found = check_export(file, read_keys(trust) if trust else None, now=datetime.now(UTC))
    made = found.export
    lines = [
        f"events {made.first} to {made.last} of the ledger {made.ledger[:12]}, from {made.since} to "
        f"{made.until} (UTC), follow each other without a gap; every file is what {archive.SUMS} says",
        f"{found.verdicts} of {len(made.runs)} run(s) have a verdict that an event of the period tells; "
        f"{found.evidence} evidence file(s) are those that these verdicts name",
    ]
    if others := len(made.runs) - found.verdicts:
        lines.append(
            f"{others} run(s) have no verdict, or had it before the period: of their files no more is known "
            f"than {archive.SUMS} says"
        )
    if trust is None:
        lines.append("no keys were named (--trust FILE), so no signature was looked at")
    else:
        lines.append(
            f"by the keys of {trust.name}, {found.signed_verdicts} verdict(s) and {found.signed_answers} of "
            f"{found.answers} answer(s) to promotions are signed; "
            f"{found.signed_end or 'nobody signed where the chain ends'}"
        )
    lines += [f"missing: {each.file} of run {each.run} ({each.because})" for each in made.missing]
    lines.append("It is evidence that can support an audit; whether it is enough is for the auditor to say.")
    data = {"ok": not made.missing, **msgspec.structs.asdict(made), "shown": lines}
    project.say(data, [line for each in lines for line in wrapped(each, width())])
    if made.missing:
        sys.exit(1)


class _Archive:
    """A file that is being written, and the digest of each of its entries."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self.file = file
        self.sums: dict[str, str] = {}
        self.size = 0

    def put(self, name: str, data: bytes) -> None:
        self.size += len(data)
        if len(data) > archive.LARGEST_FILE or self.size > archive.LARGEST_BYTES:
            raise _too_large(f"its files are more than {archive.LARGEST_BYTES} bytes, or {name} is too large")
        if len(self.sums) >= archive.MOST_FILES:
            raise _too_large(f"it would hold more than {archive.MOST_FILES} files")
        self.sums[name] = hashlib.sha256(data).hexdigest()
        self.file.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)


def _written(
    project: Project,
    events: tuple[Event, ...],
    told: tuple[Event, ...],
    days: tuple[datetime, datetime],
    output: Path,
) -> Export:
    """Write the export, as a whole or not at all, and return what it says of itself."""
    try:
        with output.open("xb") as file, zipfile.ZipFile(file, "w") as zipped:
            made = _filled(project, events, told, days, _Archive(zipped))
    except FileExistsError:
        raise _not_written(output, "it exists, and is never replaced") from None
    except OSError as error:
        output.unlink(missing_ok=True)
        raise _not_written(output, error.strerror or str(error)) from None
    except BaseException:
        output.unlink(missing_ok=True)
        raise
    return made


def _filled(
    project: Project,
    events: tuple[Event, ...],
    told: tuple[Event, ...],
    days: tuple[datetime, datetime],
    into: _Archive,
) -> Export:
    found = runs_in(events, told)
    missing = [each for run, view in found for each in _run(project, run, view, into)]
    for rules in sorted({view.started.rules for _, view in found}):
        missing += _rules(project, rules, into)
    if project.checkpoint is not None and (kept := project.checkpoint.newest()) is not None:
        into.put(archive.CHECKPOINT, kept.data)
    since, until = (day.date() for day in days)
    made = index(events, told, since, until, exported=[run for run, _ in found], missing=missing)
    into.put(archive.EVENTS, segment_bytes(told))
    into.put(archive.INDEX, canonical(made))
    into.put(archive.README, readme(made).encode())
    into.put(archive.SUMS, sums_text(into.sums).encode())
    return made


def _run(project: Project, run: ExportedRun, view: RunView, into: _Archive) -> Iterator[Missing]:
    """Put the files of a run into the archive, and yield each that is not what the verdict was decided on."""
    if view.verdict is not None:
        into.put(f"{run.folder}/{archive.VERDICT}", canonical(view.verdict))
    signed, why = _signatures(project, run.run)
    if why:
        yield Missing(run=run.run, file=archive.SIGNATURES, because=why)
    elif signed:
        into.put(f"{run.folder}/{archive.ATTESTATIONS}", signed)
    digests = view.verdict.inputs.evidence if view.verdict else None
    if digests is not None and len(digests) != len(view.started.evidence):
        yield Missing(run=run.run, file="evidence", because="the run names other files than its verdict")
        return
    for number, name in enumerate(view.started.evidence, start=1):
        data, why = _evidence(project.root, name, digests[number - 1] if digests is not None else None)
        if why:
            yield Missing(run=run.run, file=name, because=why)
        else:
            into.put(f"{run.folder}/{archive.EVIDENCE.format(number)}", data)


def _evidence(root: Path, name: str, digest: str | None) -> tuple[bytes, str]:
    """Return an evidence file, and why it does not count; of a run without verdict, only from inside."""
    path = root / name
    if digest is None and not path.resolve().is_relative_to(root.resolve()):
        return b"", "the run has no verdict, and the file lies outside of the project"
    try:
        with path.open("rb") as file:
            data = file.read(archive.LARGEST_FILE + 1)
    except OSError as error:
        return b"", error.strerror or str(error)
    if digest is not None and hashlib.sha256(data).hexdigest() != digest:
        return b"", "it is not what the verdict was decided on"
    return data, ""


def _signatures(project: Project, run: str) -> tuple[bytes, str]:
    """Return the signatures of a run, nothing where nobody signed, and why they cannot be read."""
    try:
        return attestations_of(project.state, run).read_bytes(), ""
    except FileNotFoundError:
        return b"", ""
    except (GateError, OSError) as error:
        return b"", error.message if isinstance(error, GateError) else error.strerror or str(error)


def _rules(project: Project, rules: str, into: _Archive) -> Iterator[Missing]:
    try:
        data = ArtifactStore(project.state / "artifacts").get(rules).read_bytes()
        into.put(archive.RULES.format(rules), data)
        path = approval_file(project.policy_dir, rules)
        if path.is_file():
            into.put(archive.APPROVAL.format(rules), path.read_bytes())
    except GateError as error:
        if error.slug == "export-too-large":
            raise
        yield Missing(run="", file=f"rules {rules[:64]}", because=error.message)


def _too_large(why: str) -> LedgerError:
    return LedgerError(
        f"the export is too large for one file: {why}.",
        slug="export-too-large",
        hint="Export shorter periods, one after another: their chains join.",
    )


def _not_written(output: Path, why: str) -> LedgerError:
    return LedgerError(
        f"{output}: the export cannot be written ({why}).", slug="export-not-written", hint="Name a new file."
    )
