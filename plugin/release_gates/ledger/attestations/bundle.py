"""Everything that one verdict rests on in one file (zip), so that others can check it without our ledger."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from release_gates.errors import TrustError

LARGEST_BYTES = 512 * 1024 * 1024
"""Room for all files of a bundle together, as they are when unpacked."""
MOST = 1100
_NAMED = {
    "attestations": "attestations.intoto.jsonl",
    "verdict": "verdict.json",
    "candidate": "candidate.json",
    "rules": "rules.json",
    "history": "history.json",
    "events": "events.jsonl",
}
_IF_ANY = {"checkpoint": "checkpoint.json", "rules_approval": "rules-approval.intoto.jsonl"}
EVIDENCE = "evidence-{:04}.jsonl"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_ENTRY_BYTES, _END_BYTES = 46, 22
"""Of an entry of zip's list of files without comment or extra field, and of the list's end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """The bytes of a bundle; nothing of it is true before it was checked.

    ``events`` are the ledger's from the run's first to the last that is about it, or that a signed
    ``checkpoint`` notes; that and the ``rules_approval`` are there if the project has them.
    """

    attestations: bytes
    verdict: bytes
    candidate: bytes
    rules: bytes
    history: bytes
    events: bytes
    evidence: tuple[bytes, ...]
    checkpoint: bytes = b""
    rules_approval: bytes = b""


def packed(bundle: Bundle) -> bytes:
    """Return a bundle as a file: the same bundle gives the same bytes."""
    named = {file: getattr(bundle, part) for part, file in _NAMED.items()}
    named |= {file: data for part, file in _IF_ANY.items() if (data := getattr(bundle, part))}
    named |= {EVIDENCE.format(number): data for number, data in enumerate(bundle.evidence, start=1)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in named.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def read_bundle(path: Path) -> Bundle:
    """Return what a file holds; ``TrustError`` for anything but exactly the files of a bundle."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = _parts(archive, path)
    except (OSError, zipfile.BadZipFile, EOFError, RuntimeError, ValueError, zlib.error) as error:
        raise bad_bundle(path, ascii(str(error)[:100])) from None
    present = {part: file for part, file in _IF_ANY.items() if parts.get(file)}
    named = {**_NAMED, **present}
    files = [EVIDENCE.format(number) for number in range(1, len(parts) - len(named) + 1)]
    if not files or set(parts) != {*named.values(), *files}:
        raise bad_bundle(path, "it does not hold exactly the files of a bundle")
    return Bundle(
        **{part: parts[file] for part, file in named.items()},
        evidence=tuple(parts[name] for name in files),
    )


def _parts(archive: zipfile.ZipFile, path: Path) -> Mapping[str, bytes]:
    members = archive.infolist()
    if len(members) > MOST:
        raise bad_bundle(path, "it holds too many files")
    if why := odd_entries(archive, path):
        raise bad_bundle(path, why)
    room, parts = LARGEST_BYTES, {}
    for each in members:
        with archive.open(each) as file:
            data = file.read(room + 1)
        room -= len(data)
        if room < 0:
            raise bad_bundle(path, f"it unpacks to more than {LARGEST_BYTES} bytes")
        parts[each.filename] = data
    return parts


def odd_entries(archive: zipfile.ZipFile, path: Path) -> str:
    """Return what is wrong with zip's own list of files: nothing may stand in it twice, hidden or unread."""
    members = archive.infolist()
    if len({each.filename for each in members}) < len(members):
        return "it holds a file twice"
    listed = sum(_ENTRY_BYTES + len(each.filename) for each in members)
    if archive.start_dir + listed + _END_BYTES != path.stat().st_size:
        return "its list of files does not end where the file does"
    plain = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    return "" if all(each.compress_type in plain for each in members) else "it is packed in another way"


def bad_bundle(path: Path, why: str) -> TrustError:
    """Return the error for a bundle that is not as it was packed."""
    return TrustError(
        f"{path}: does not hold together: {why}.",
        slug="bundle-damaged",
        hint="Bring back what was changed; a bundle is packed again by `release-gates bundle RUN`.",
    )
