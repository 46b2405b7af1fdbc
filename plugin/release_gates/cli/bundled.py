"""What a bundle holds besides the verdict: the ledger's events about its run, packed and checked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from release_gates.cli.project import Project
from release_gates.errors import TrustError
from release_gates.ledger.attestations.approvals import check_approval
from release_gates.ledger.attestations.bundle import Bundle, bad_bundle
from release_gates.ledger.attestations.checkpoints import check_signed_checkpoint
from release_gates.ledger.attestations.rules import approval_file
from release_gates.ledger.chain import to_row
from release_gates.ledger.history import RunView
from release_gates.ledger.segment import about_run, piece, read_segment, segment_bytes
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Approved, Event, Promoted
from release_gates.model.gate import EnvironmentPolicy
from release_gates.model.trust import Trust
from release_gates.model.verdict import Verdict
from release_gates.promotion.retold import retold

LARGEST_BYTES = 256 * 1024 * 1024
"""Room for the events of one bundle."""


class Events(NamedTuple):
    """What is packed of the ledger, and of the policy folder."""

    events: bytes
    checkpoint: bytes
    rules_approval: bytes


def events_of(project: Project, view: RunView) -> Events:
    """Return the ledger's events from a run's first to the last that is about it, and what is signed of it.

    They go on to a signed checkpoint that is named and newer: then the end of the chain is signed too.
    """
    events = tuple(project.ledger().events())
    about = about_run(events, view.started.run)
    last, checkpoint = about[-1].seq, b""
    noted, kept = project.noted(), project.checkpoint.newest() if project.checkpoint else None
    if noted is not None and kept is not None and noted.key is not None and noted.checkpoint.seq >= last:
        last, checkpoint = noted.checkpoint.seq, kept.data
    path = approval_file(project.policy_dir, view.started.rules)
    return Events(
        segment_bytes(piece(events, about[0].seq, last)),
        checkpoint,
        path.read_bytes() if path.is_file() else b"",
    )


class Told(NamedTuple):
    """What the events of a bundle show; ``chain`` says how far that is signed."""

    about: tuple[Event, ...]
    promotions: tuple[str, ...]
    answers: tuple[str, ...]
    chain: str

    @property
    def sentences(self) -> Iterator[str]:
        """What to tell people."""
        yield from self.promotions or ("the bundle holds no promotion of it",)
        yield from self.answers
        yield self.chain


def told(
    made: Bundle,
    verdict: Verdict,
    candidate: ReleaseCandidate,
    environment: EnvironmentPolicy,
    trust: Trust,
    file: Path,
) -> Told:
    """Return what the events of a bundle tell, or refuse by ``TrustError``: promotions are allowed again."""
    if len(made.events) > LARGEST_BYTES:
        raise bad_bundle(file, f"its events are more than {LARGEST_BYTES} bytes")
    try:
        events = read_segment(made.events)
        found = retold(events, verdict, candidate, environment, trust, made.rules_approval)
        signed_end = _signed_end(made.checkpoint, events, trust)
    except (ValueError, TrustError) as error:
        why = error.message if isinstance(error, TrustError) else str(error)
        raise bad_bundle(file, why.removesuffix(".")) from None
    chain = f"events {events[0].seq} to {events[-1].seq} of the ledger follow each other without a gap"
    return Told(
        found.about,
        tuple(_promotion(event) for event in found.promoted),
        tuple(_answer(event, trust) for event in found.answers),
        f"{chain}; {signed_end}",
    )


def _promotion(event: Event) -> str:
    fact = event.fact
    who = fact.by if isinstance(fact, Promoted) else ""
    return (
        f"promoted at {event.at:%Y-%m-%d %H:%M} UTC by {who} (event {event.seq}), as the rules of the bundle "
        "allowed at that moment"
    )


def _answer(event: Event, trust: Trust) -> str:
    fact = event.fact
    if not isinstance(fact, Approved):
        return ""
    try:
        check_approval(fact, trust, now=event.at)
        how = "signed by a key of that person"
    except TrustError as error:
        how = error.message.removesuffix(".")
    said = f"{fact.by} ({fact.role}) said {fact.answer} at {event.at:%Y-%m-%d %H:%M} UTC ({how})"
    return f"{said}: {fact.reason}" if fact.reason else said


def _signed_end(checkpoint: bytes, events: tuple[Event, ...], trust: Trust) -> str:
    if not checkpoint:
        return "nobody signed where that chain ends"
    line = checkpoint.removesuffix(b"\n")
    noted = check_signed_checkpoint(line, "the checkpoint", trust, now=datetime.now(UTC))
    last = to_row(events[-1])
    if (noted.checkpoint.seq, noted.checkpoint.digest) != (last.seq, last.digest) or noted.key is None:
        raise ValueError("its checkpoint is of another chain than its events")
    return f"key {noted.key.name} signed where that chain ends"
