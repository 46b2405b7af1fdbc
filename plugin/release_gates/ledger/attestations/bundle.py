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
ATTESTATIONS, VERDICT, CANDIDATE = "attestations.intoto.jsonl", "verdict.json", "candidate.json"
RULES, HISTORY, EVIDENCE = "rules.json", "history.json", "evidence-{:04}.jsonl"
_NAMED = (ATTESTATIONS, VERDICT, CANDIDATE, RULES, HISTORY)
_EPOCH = (1980, 1, 1, 0, 0, 0)
_ENTRY_BYTES, _END_BYTES = 46, 22
"""Of an entry of zip's list of files without comment or extra field, and of the list's end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """The bytes of a bundle; nothing of it is true before it was checked."""

    attestations: bytes
    verdict: bytes
    candidate: bytes
    rules: bytes
    history: bytes
    evidence: tuple[bytes, ...]


def packed(bundle: Bundle) -> bytes:
    """Return a bundle as a file: the same bundle gives the same bytes."""
    parts = [bundle.attestations, bundle.verdict, bundle.candidate, bundle.rules, bundle.history]
    named = dict(zip(_NAMED, parts, strict=True))
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
    files = [EVIDENCE.format(number) for number in range(1, len(parts) - len(_NAMED) + 1)]
    if not files or set(parts) != {*_NAMED, *files}:
        raise bad_bundle(path, "it does not hold exactly the files of a bundle")
    return Bundle(
        attestations=parts[ATTESTATIONS],
        verdict=parts[VERDICT],
        candidate=parts[CANDIDATE],
        rules=parts[RULES],
        history=parts[HISTORY],
        evidence=tuple(parts[name] for name in files),
    )


def _parts(archive: zipfile.ZipFile, path: Path) -> Mapping[str, bytes]:
    members = archive.infolist()
    if len(members) > MOST or len({each.filename for each in members}) < len(members):
        raise bad_bundle(path, "it holds too many files, or one twice")
    listed = sum(_ENTRY_BYTES + len(each.filename) for each in members)
    if archive.start_dir + listed + _END_BYTES != path.stat().st_size:
        raise bad_bundle(path, "its list of files does not end where the file does")
    room, parts = LARGEST_BYTES, {}
    for each in members:
        if each.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise bad_bundle(path, "it is packed in another way")
        with archive.open(each) as file:
            data = file.read(room + 1)
        room -= len(data)
        if room < 0:
            raise bad_bundle(path, f"it unpacks to more than {LARGEST_BYTES} bytes")
        parts[each.filename] = data
    return parts


def bad_bundle(path: Path, why: str) -> TrustError:
    """Return the error for a bundle that is not as it was packed."""
    return TrustError(
        f"{path}: does not hold together: {why}.",
        slug="bundle-damaged",
        hint="Bring back what was changed; a bundle is packed again by `release-gates bundle RUN`.",
    )
