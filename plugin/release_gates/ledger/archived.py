"""Whether an export is whole: every byte by its digest, the chain, each run with what its verdict names."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import msgspec

from release_gates.errors import TrustError
from release_gates.ledger import archive
from release_gates.ledger.archive import (
    check_files,
    check_index,
    check_names,
    evidence_by_folder,
    readme,
    runs_in,
    sums_text,
)
from release_gates.ledger.attestations.approvals import check_approval
from release_gates.ledger.attestations.bundle import odd_entries
from release_gates.ledger.attestations.checkpoints import check_signed_checkpoint
from release_gates.ledger.attestations.checks import Wanted, check_attestations
from release_gates.ledger.attestations.files import split_lines
from release_gates.ledger.chain import to_row
from release_gates.ledger.history import RunView
from release_gates.ledger.segment import read_segment
from release_gates.model.event import Approved, Event, RunFinished
from release_gates.model.export import Export, ExportedRun
from release_gates.model.record import canonical
from release_gates.model.trust import Trust
from release_gates.model.verdict import Verdict

_CHUNK_BYTES = 1 << 20
_LARGEST_READ = 256 * 1024 * 1024
Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """What an export shows, once nothing speaks against it.

    ``verdicts`` are those that an event tells, ``evidence`` the files that they name; signatures are
    counted where they hold.
    """

    export: Export
    events: int
    verdicts: int
    evidence: int
    signed_verdicts: int
    signed_answers: int
    answers: int
    signed_end: str


def check_export(path: Path, trust: Trust | None, *, now: datetime) -> Archived:
    """Return what an export shows; ``TrustError`` if anything of it does not fit.

    Without ``trust`` no signature is looked at. With it, one that is there and does not hold is refused.
    """
    try:
        with zipfile.ZipFile(path) as zipped:
            return _Reading(zipped, path, trust, now).checked()
    except TrustError as error:
        raise TrustError(f"{path}: {error.message}", slug=error.slug, hint=error.hint) from None
    except (OSError, zipfile.BadZipFile, EOFError, RuntimeError, ValueError, zlib.error) as error:
        raise bad_export(path, ascii(str(error)[:200])) from None


@dataclass(frozen=True, slots=True)
class _Reading:
    """One export while it is read; what is wrong is a ``ValueError`` with the sentence."""

    zipped: zipfile.ZipFile
    path: Path
    trust: Trust | None
    now: datetime

    def checked(self) -> Archived:
        sums = self._sums()
        events = read_segment(self._read(archive.EVENTS))
        export = self._record(archive.INDEX, Export)
        check_index(export, events)
        if self._read(archive.README) != readme(export).encode():
            raise ValueError("its README.txt is not the one that release-gates writes")
        check_names(export, events, sums)
        found = dict(runs_in(events, events))
        told: dict[str, list[Verdict]] = defaultdict(list)
        for event in events:
            if isinstance(event.fact, RunFinished):
                told[event.fact.run].append(event.fact.verdict)
        evidence = evidence_by_folder(sums)
        lost = {each.run for each in export.missing if each.file != archive.SIGNATURES}
        files = []
        for run in export.runs:
            verdict = self._verdict(run, found.get(run), told[run.run], sums)
            count = check_files(run, verdict, evidence[run.folder], said=run.run in lost)
            files.append(count if told[run.run] else None)
        return Archived(
            export=export,
            events=len(events),
            verdicts=sum(count is not None for count in files),
            evidence=sum(count or 0 for count in files),
            signed_verdicts=sum(self._is_signed(run, view, sums) for run, view in found.items()),
            signed_answers=sum(self._is_answer_signed(event) for event in events),
            answers=sum(isinstance(event.fact, Approved) for event in events),
            signed_end=self._end(events, sums),
        )

    def _sums(self) -> dict[str, str]:
        """Return the digest of every file but the sums, which are exactly these."""
        members = self.zipped.infolist()
        if len(members) > archive.MOST_FILES + 1:
            raise ValueError("it holds too many files")
        if why := odd_entries(self.zipped, self.path):
            raise ValueError(why)
        room, sums = archive.LARGEST_BYTES, {}
        for each in members:
            if archive.NAMES.fullmatch(each.filename) is None:
                raise ValueError(f"it holds {each.filename[:80]!a}, which belongs into no export")
            digest, size = self._hashed(each, room)
            room -= size
            sums[each.filename] = digest
        sums.pop(archive.SUMS, None)
        if self._read(archive.SUMS) != sums_text(sums).encode():
            raise ValueError("its SHA256SUMS are not those of its files")
        return sums

    def _hashed(self, member: zipfile.ZipInfo, room: int) -> tuple[str, int]:
        hashed, size = hashlib.sha256(), 0
        with self.zipped.open(member) as file:
            while chunk := file.read(_CHUNK_BYTES):
                size += len(chunk)
                if size > room:
                    raise ValueError(f"it unpacks to more than {archive.LARGEST_BYTES} bytes")
                hashed.update(chunk)
        return hashed.hexdigest(), size

    def _read(self, name: str) -> bytes:
        try:
            with self.zipped.open(name) as file:
                data = file.read(_LARGEST_READ + 1)
        except KeyError:
            raise ValueError(f"it has no {name}") from None
        if len(data) > _LARGEST_READ:
            raise ValueError(f"{name} is larger than {_LARGEST_READ} bytes")
        return data

    def _record(self, name: str, kind: type[Kind]) -> Kind:
        data = self._read(name)
        try:
            found = msgspec.json.decode(data, type=kind)
        except (msgspec.MsgspecError, RecursionError):
            raise ValueError(f"{name} cannot be read") from None
        if canonical(found) != data:
            raise ValueError(f"{name} is not in canonical form")
        return found

    def _verdict(
        self, run: ExportedRun, view: RunView | None, told: Sequence[Verdict], sums: Mapping[str, str]
    ) -> Verdict | None:
        """Return a run's verdict, which is one of those that events tell of it; None where it has none."""
        name = f"{run.folder}/{archive.VERDICT}"
        verdict = self._record(name, Verdict) if name in sums else None
        if verdict is not None and verdict.run != run.run:
            raise ValueError(f"{name} is of another run")
        if (view is not None and view.verdict not in (None, verdict)) or (told and verdict not in told):
            raise ValueError(f"{name} is not what the events say of run {run.run[:80]!a}")
        return verdict

    def _is_signed(self, run: ExportedRun, view: RunView, sums: Mapping[str, str]) -> bool:
        name = f"{run.folder}/{archive.ATTESTATIONS}"
        if self.trust is None or name not in sums or view.verdict is None:
            return False
        wanted = Wanted(
            candidate=view.started.candidate,
            environment=view.started.environment,
            rules=view.started.rules,
            verdict=view.verdict,
            now=None,
            most=timedelta(0),
        )
        signed = check_attestations(split_lines(self._read(name), name), self.trust, wanted)
        if signed.at > self.now:
            raise ValueError(f"{name} was signed in the future")
        return True

    def _is_answer_signed(self, event: Event) -> bool:
        fact = event.fact
        if self.trust is None or not isinstance(fact, Approved) or not isinstance(fact.envelope, str):
            return False
        check_approval(fact, self.trust, now=event.at)
        return True

    def _end(self, events: Sequence[Event], sums: Mapping[str, str]) -> str:
        if self.trust is None or archive.CHECKPOINT not in sums:
            return ""
        line = self._read(archive.CHECKPOINT).removesuffix(b"\n")
        noted = check_signed_checkpoint(line, archive.CHECKPOINT, self.trust, now=self.now)
        seen, last = noted.checkpoint, events[-1].seq
        inside = next((event for event in events if event.seq == seen.seq), None)
        if inside is not None and to_row(inside).digest != seen.digest:
            raise ValueError("its checkpoint is of another chain than its events")
        name = noted.key.name if noted.key else ""
        if inside is None:
            return f"key {name} signed event {seen.seq}, which is not in it"
        return f"key {name} signed the chain up to event {seen.seq} of {last}"


def bad_export(path: Path, why: str) -> TrustError:
    """Return the error for an export that is not as it was written."""
    return TrustError(
        f"{path}: does not hold together: {why}.",
        slug="export-damaged",
        hint="Bring back what was changed; `release-gates export` writes it again.",
    )
