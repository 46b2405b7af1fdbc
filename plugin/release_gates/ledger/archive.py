"""How an export is laid out, and what belongs into it by the events of its period. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

import msgspec

from release_gates.errors import LedgerError
from release_gates.ledger.chain import to_row
from release_gates.ledger.history import RunView, runs
from release_gates.ledger.segment import piece
from release_gates.model.event import Event, RunStarted
from release_gates.model.export import Export, ExportedRun, Missing
from release_gates.model.record import SCHEMA
from release_gates.model.verdict import Verdict

README, SUMS, INDEX = "README.txt", "SHA256SUMS", "export.json"
EVENTS, CHECKPOINT = "events.jsonl", "checkpoint.json"
VERDICT, ATTESTATIONS, EVIDENCE = "verdict.json", "attestations.intoto.jsonl", "evidence-{:04}.jsonl"
SIGNATURES = "signatures"
"""What is said to be missing where signatures are there and cannot be read."""
RULES, APPROVAL = "rules/{}.json", "rules-approvals/{}.intoto.jsonl"
NAMES = re.compile(
    r"README\.txt|SHA256SUMS|export\.json|events\.jsonl|checkpoint\.json"
    r"|runs/[0-9]{8,18}/(verdict\.json|attestations\.intoto\.jsonl|evidence-[0-9]{4,9}\.jsonl)"
    r"|rules/[0-9a-f]{64}\.json|rules-approvals/[0-9a-f]{64}\.intoto\.jsonl"
)
MOST_FILES = 60_000
LARGEST_BYTES = 3 * 1024**3
LARGEST_FILE = 512 * 1024 * 1024
"""Of one file, unpacked; all files together have ``LARGEST_BYTES``."""

_README = """\
Release gates, export of the ledger from {since} to {until} (UTC).

What is in it
  {events}      every event of the period, in order; each names the digest of the one before it
  {index}       which piece of which ledger this is, its runs, and the files that are missing
  runs/NUMBER/      one folder for each run that an event is about, by the number of the event that began it:
                    its verdict, the signatures of it, the evidence that it was decided on
  rules/            the rules that they were decided under, by digest
  rules-approvals/  signed approvals of rules; approvals of promotions are events, with their signatures
  {checkpoint}   where the ledger was once, if a checkpoint was named; signed or not
  {sums}        the SHA-256 of everything else

How to check it
  unzip FILE, then in its folder:   sha256sum -c {sums}
  the chain, verdicts and evidence: release-gates verify --export FILE
  the signatures as well:           release-gates verify --export FILE --trust KEYS.toml
  Take the public keys from somewhere else than this file.

Missing files: {missing}

It is evidence that can support an audit. Whether it is enough is for the auditor to say.
"""


def period(events: Sequence[Event], since: date, until: date) -> tuple[Event, ...]:
    """Return the events from the first to the last of a period, both days in it; ``LedgerError`` for none."""
    inside = [event.seq for event in events if since <= event.at.date() <= until]
    if not inside:
        raise LedgerError(
            f"the ledger has no event from {since} to {until} (UTC).",
            slug="export-empty",
            hint="`release-gates status` shows what there is.",
        )
    return piece(events, inside[0], inside[-1])


def runs_in(events: Sequence[Event], told: Sequence[Event]) -> tuple[tuple[ExportedRun, RunView], ...]:
    """Return every run that an event of ``told`` names, as far as ``events`` know how it began."""
    named = {getattr(event.fact, "run", "") for event in told}
    began = [event.seq for event in events if isinstance(event.fact, RunStarted)]
    return tuple(
        (ExportedRun(run=view.started.run, seq=seq), view)
        for seq, view in zip(began, runs(events), strict=True)
        if view.started.run in named
    )


def index(
    events: Sequence[Event],
    told: Sequence[Event],
    since: date,
    until: date,
    *,
    exported: Sequence[ExportedRun],
    missing: Sequence[Missing],
) -> Export:
    """Return what an export of the piece ``told`` says of itself."""
    return Export(
        since=since,
        until=until,
        ledger=to_row(events[0]).digest,
        first=told[0].seq,
        last=told[-1].seq,
        prev=told[0].prev,
        head=to_row(told[-1]).digest,
        runs=tuple(exported),
        missing=tuple(missing),
    )


def readme(of: Export) -> str:
    """Return what the export tells a person who opens it."""
    return _README.format(
        since=of.since,
        until=of.until,
        events=EVENTS,
        index=INDEX,
        checkpoint=CHECKPOINT,
        sums=SUMS,
        missing=f"{len(of.missing)}, named in {INDEX}" if of.missing else "none",
    )


def sums_text(sums: Mapping[str, str]) -> str:
    """Return digests by file as ``sha256sum -c`` reads them."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))


def check_index(export: Export, events: Sequence[Event]) -> None:
    """Raise ``ValueError`` unless an export says of itself what its events say."""
    told = [run for run, _ in runs_in(events, events)]
    made = index(events, events, export.since, export.until, exported=export.runs, missing=export.missing)
    whole = msgspec.structs.replace(made, ledger=made.ledger if events[0].seq == 1 else export.ledger)
    if export != whole or export.schema != SCHEMA:
        raise ValueError(f"{INDEX} does not say what its events say")
    if not (export.since <= events[0].at.date() and events[-1].at.date() <= export.until):
        raise ValueError("its events are of another period")
    if [run for run in export.runs if run.seq >= events[0].seq] != told:
        raise ValueError(f"{INDEX} does not name the runs that its events name")
    named = {getattr(event.fact, "run", "") for event in events} - {""}
    began = {event.fact.run for event in events if isinstance(event.fact, RunStarted)}
    if not {run.run for run in export.runs} - began <= named - began:
        raise ValueError(f"{INDEX} names a run that no event names")


def check_names(export: Export, events: Sequence[Event], sums: Mapping[str, str]) -> None:
    """Raise ``ValueError`` for a file that no run has, and for rules that are not what their name says."""
    folders = {run.folder for run in export.runs}
    for name, digest in sums.items():
        folder, _, file = name.rpartition("/")
        if folder.startswith("runs/") and folder not in folders:
            raise ValueError(f"{name} is of no run of the export")
        if folder == "rules" and file != f"{digest}.json":
            raise ValueError(f"{name} is not what its name says")
    absent = {each.file for each in export.missing}
    for event in events:
        if isinstance(event.fact, RunStarted):
            rules = event.fact.rules
            if RULES.format(rules) not in sums and f"rules {rules[:64]}" not in absent:
                raise ValueError(
                    f"the rules of run {event.fact.run[:80]!a} are neither there nor said to be missing"
                )


def check_files(run: ExportedRun, verdict: Verdict | None, there: Mapping[str, str], *, said: bool) -> int:
    """Return how many evidence files there are; ``ValueError`` unless each is what the verdict names.

    Or ``said`` to be missing. Of a run without verdict nobody knows what they have to be.
    """
    if verdict is None:
        return len(there)
    wanted = {
        EVIDENCE.format(number): digest for number, digest in enumerate(verdict.inputs.evidence, start=1)
    }
    lost = wanted.keys() - there.keys()
    if not there.items() <= wanted.items() or (lost and not said):
        raise ValueError(f"the evidence of run {run.run[:80]!a} is not what its verdict names")
    return len(there)


def evidence_by_folder(sums: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the digests of evidence files by the folder of their run."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for name, digest in sums.items():
        folder, _, file = name.rpartition("/")
        if file.startswith("evidence-"):
            found[folder][file] = digest
    return found
