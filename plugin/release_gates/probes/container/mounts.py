"""Which paths of the host a container's mounts show, as the kernel has it (``/proc/PID/mountinfo``).

What was declared may be a symbolic link, or a volume whose driver binds another folder; the kernel followed
both already.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from release_gates.errors import MeasurementError

_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelMount:
    """One line: ``root`` within the file system ``device`` (major:minor) is shown at ``point``."""

    device: str
    root: str
    point: str


def parse_mounts(text: str, place: str) -> tuple[KernelMount, ...]:
    """Return the lines of a mountinfo file, see proc(5); ``MeasurementError`` for another form."""
    return tuple(_mount(line.split(), place) for line in text.splitlines())


def shown_paths(
    targets: Sequence[str], inside: Sequence[KernelMount], host: Sequence[KernelMount]
) -> dict[str, tuple[str, ...]]:
    """Return target -> paths of the host that are seen there or below; one that is no mount is left out."""
    return {
        target: tuple(
            dict.fromkeys(
                path
                for mount in inside
                if mount.point == target or mount.point.startswith(f"{target.rstrip('/')}/")
                for path in _paths(mount, host)
            )
        )
        for target in targets
        if any(mount.point == target for mount in inside)
    }


def brought(paths: Iterable[str], inside: Sequence[KernelMount]) -> tuple[str, ...]:
    """Return the paths within a container that lie on another mount than its root: no image holds them."""
    points = {mount.point.rstrip("/") for mount in inside} - {""}
    return tuple(
        sorted(path for path in set(paths) if any(path == at or path.startswith(f"{at}/") for at in points))
    )


def executed(maps: str) -> frozenset[str]:
    """Return the files that a process has mapped to execute them, from its ``/proc/PID/maps``."""
    found = (line.split(maxsplit=5) for line in maps.splitlines())
    paths = (words[5] for words in found if len(words) == 6 and "x" in words[1])
    return frozenset(path for path in paths if path.startswith("/") and not path.endswith(" (deleted)"))


def _paths(mount: KernelMount, host: Sequence[KernelMount]) -> Iterator[str]:
    """Yield where the host itself sees what a mount shows."""
    for each in host:
        below = each.root.rstrip("/")
        if mount.device == each.device and f"{mount.root.rstrip('/')}/".startswith(f"{below}/"):
            inner = mount.root[len(below) :].strip("/")
            yield posixpath.normpath(posixpath.join(each.point, inner)).replace("//", "/")


def _mount(words: list[str], place: str) -> KernelMount:
    if len(words) < 10 or ":" not in words[2] or "-" not in words:
        raise MeasurementError(
            f"{place}: {' '.join(words)[:80]!r} is no mount.",
            slug="container-state",
            hint="The kernel writes this file: is /proc mounted, and does the container still run?",
        )
    return KernelMount(device=words[2], root=_plain(words[3]), point=_plain(words[4]))


def _plain(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), text)
