"""Which lines changed between a commit and the sources on disk, and how many of them were executed."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from release_gates.errors import MeasurementError
from release_gates.probes.coverage.facts import CoverageReport, Share
from release_gates.probes.coverage.faults import MAX_LINE
from release_gates.probes.coverage.git import check_repository, commit_id, git

EVERY_LINE = range(1, MAX_LINE + 1)

_DIFF = (
    "diff", "--unified=0", "--inter-hunk-context=0", "--text", "--no-color", "--no-ext-diff", "--no-textconv",
    "--find-renames", "--relative", "--ignore-submodules=none", "--submodule=short",
    "--src-prefix=a/", "--dst-prefix=b/", "--no-indent-heuristic",
)  # fmt: skip
"""No attribute or configuration may hide a line: ``--text`` also shows files marked binary."""

_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


def changed_lines(root: Path, base: str, candidate: str) -> Mapping[str, Container[int]]:
    """Return the lines that differ from commit ``base``, by path relative to ``root``.

    The sources on disk are compared, as the report was checked against them; so the checkout must be at the
    commit of the candidate. A renamed file's other lines are not changed. A changed submodule stands with
    all its lines. Raises MeasurementError: no repository, unknown commit, ``coverage-wrong-checkout``.
    """
    check_repository(root)
    before, wanted = commit_id(root, base, "baseline"), commit_id(root, candidate, "candidate")
    here = git(root, "rev-parse", "HEAD").decode().strip()
    if here != wanted:
        raise MeasurementError(
            f"{root}: the checkout is at {here[:12]}, but the candidate was built from {wanted[:12]}.",
            slug="coverage-wrong-checkout",
            hint=f"Run `git checkout {wanted[:12]}`, or make the candidate anew.",
        )
    return parse_diff(git(root, *_DIFF, before, "--", "."))


def tracked_paths(root: Path) -> frozenset[str]:
    """Return the paths that git tracks below ``root``, relative to it; submodules as one path."""
    names = git(root, "ls-files", "-z", "--cached", "--", ".").split(b"\0")
    return frozenset(name.decode(errors="surrogateescape") for name in names if name)


def changed_share(
    report: CoverageReport, changed: Mapping[str, Container[int]], tracked: Iterable[str]
) -> Share:
    """Return how many changed executable lines were hit; a source that git does not track is all new."""
    known, share = frozenset(tracked), Share()
    for path, source in report.sources.items():
        lines = _changes_of(path, changed, known)
        hits = [hit for line, hit in source.lines.items() if line in lines]
        share += Share(hit=sum(hits), found=len(hits))
    return share


def _changes_of(path: str, changed: Mapping[str, Container[int]], tracked: frozenset[str]) -> Container[int]:
    names = [path, *(str(parent) for parent in PurePosixPath(path).parents)]
    if not any(name in tracked for name in names):
        return EVERY_LINE
    return next((changed[name] for name in names if name in changed), ())


def parse_diff(patch: bytes) -> dict[str, Container[int]]:
    """Return the new line numbers by path from a patch without context lines.

    Raises MeasurementError ``coverage-diff-failed`` for a patch that ends inside of a hunk.
    """
    changed: dict[str, Container[int]] = {}
    path, whole = "", False
    lines = iter(patch.split(b"\n"))
    for line in lines:
        if line.startswith(b"diff --git "):
            path, whole = "", False
        elif line.startswith((b"index ", b"new file mode ")) and line.endswith(b" 160000"):
            whole = True
        elif line.startswith(b"+++ "):
            path = _path(line[4:])
        elif hunk := _HUNK.match(line):
            added = _take_hunk(hunk, lines)
            if path:
                known = changed.setdefault(path, EVERY_LINE if whole else set())
                if isinstance(known, set):
                    known.update(added)
    return changed


def _take_hunk(hunk: re.Match[bytes], lines: Iterator[bytes]) -> range:
    """Skip the hunk's own lines, which may look like headers, and return the new line numbers."""
    removed, start, added = int(hunk[1] or 1), int(hunk[2]), int(hunk[3] or 1)
    for _ in range(removed + added):
        line = next(lines, b"")
        while line.startswith(b"\\"):
            line = next(lines, b"")
        if not line.startswith((b"+", b"-")):
            raise MeasurementError(
                f"git diff: a hunk of {removed + added} lines ends early at {line[:40]!r}.",
                slug="coverage-diff-failed",
                hint="Run `git diff` by hand; report it if its output is whole.",
            )
    return range(start, start + added)


def _path(name: bytes) -> str:
    """Return the path of a +++ line, "" for a deleted file."""
    if name.startswith(b'"'):
        name = re.sub(rb"\\([0-7]{3}|.)", _unescaped, name.rstrip(b"\t")[1:-1])
    name = name.rstrip(b"\t")
    return "" if name == b"/dev/null" else name.removeprefix(b"b/").decode(errors="surrogateescape")


def _unescaped(escape: re.Match[bytes]) -> bytes:
    code = escape[1]
    if len(code) == 3:
        return bytes([int(code, 8) & 0xFF])
    return {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}.get(
        code, code
    )
