"""``/proc/PID/status``: what the kernel enforces on one process."""

from __future__ import annotations

from dataclasses import dataclass

from release_gates.errors import MeasurementError


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessState:
    """What is in effect for one process. ``uids``, ``gids``: real, effective, saved, of the file system."""

    uids: tuple[int, ...]
    gids: tuple[int, ...]
    groups: tuple[int, ...]
    cap_bounding: int
    cap_effective: int
    no_new_privileges: bool
    seccomp: int


def parse_status(text: str, place: str) -> ProcessState:
    """Return the state that a status file shows; ``MeasurementError`` for a line that is absent or odd."""
    fields = {key: value.split() for key, _, value in (line.partition(":") for line in text.splitlines())}
    try:
        return ProcessState(
            uids=_four(fields["Uid"]),
            gids=_four(fields["Gid"]),
            groups=tuple(int(group) for group in fields["Groups"]),
            cap_bounding=_mask(fields["CapBnd"]),
            cap_effective=_mask(fields["CapEff"]),
            no_new_privileges=_one_of(fields["NoNewPrivs"], ("0", "1")) == "1",
            seccomp=int(_one_of(fields["Seccomp"], ("0", "1", "2"))),
        )
    except KeyError as error:
        raise _unreadable(place, f"has no line {error.args[0]}") from None
    except ValueError as error:
        raise _unreadable(place, str(error)) from None


def _four(words: list[str]) -> tuple[int, ...]:
    if len(words) != 4:
        raise ValueError(f"{' '.join(words)!r} are not four numbers")
    return tuple(int(word) for word in words)


def _mask(words: list[str]) -> int:
    if len(words) != 1 or len(words[0]) != 16:
        raise ValueError(f"{' '.join(words)!r} is no mask of 16 hex digits")
    return int(words[0], 16)


def _one_of(words: list[str], allowed: tuple[str, ...]) -> str:
    if len(words) != 1 or words[0] not in allowed:
        raise ValueError(f"{' '.join(words)!r} is none of {', '.join(allowed)}")
    return words[0]


def _unreadable(place: str, problem: str) -> MeasurementError:
    return MeasurementError(
        f"{place}: {problem}.",
        slug="container-state",
        hint="The kernel writes this file: is /proc mounted, and does the container still run?",
    )
