"""How an export is laid out, and what belongs into it by the events of its period."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date

from release_gates.errors import LedgerError
from release_gates.ledger.chain import to_row
from release_gates.ledger.history import RunView, runs
from release_gates.ledger.segment import piece
from release_gates.model.event import Event, RunStarted
from release_gates.model.export import Export, ExportedRun, Missing

README, SUMS, INDEX = "README.txt", "SHA256SUMS", "export.json"
EVENTS, CHECKPOINT = "events.jsonl", "checkpoint.json"
VERDICT, ATTESTATIONS, EVIDENCE = "verdict.json", "attestations.intoto.jsonl", "evidence-{:04}.jsonl"
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
