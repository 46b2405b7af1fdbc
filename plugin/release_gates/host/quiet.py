"""Is the host quiet? What other processes took of its processors between two samples, and who they are."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from release_gates.host.processes import PROC, command_of, cpu_ticks
from release_gates.model.quiet import Quiet

QUIET_SHARE = 0.05
"""A host is quiet while others and the hypervisor take no more than this of its processors."""

WINDOW_S = 5.0
"""So long is looked before one look counts."""

WORD_S = 30.0
"""So often a wait is told."""

MOST_NAMED = 3
NAMED_SHARE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuSample:
    """The processors' ticks since boot, over all of them; ``own`` are this process's and its children's."""

    busy: int
    steal: int
    idle: int
    own: float
    processes: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Shares of the host's processors between two samples, 0 to 1, and the busiest processes by pid."""

    others: float
    steal: float
    busiest: tuple[tuple[int, float], ...] = ()

    @property
    def share(self) -> float:
        """What this process could not have had."""
        return self.others + self.steal

    @property
    def is_quiet(self) -> bool:
        """Whether that is little enough; a share that is not known never is."""
        return self.share <= QUIET_SHARE


UNKNOWN = Noise(others=float("nan"), steal=float("nan"))
"""Of two samples between which no time went by, or that this host does not tell."""


def noise(before: CpuSample, after: CpuSample, *, me: int) -> Noise:
    """Return what others took between two samples; ``UNKNOWN`` if they do not show it."""
    busy, steal, idle = after.busy - before.busy, after.steal - before.steal, after.idle - before.idle
    total = busy + steal + idle
    if total <= 0 or min(busy, steal) < 0:
        return UNKNOWN
    used = {pid: ticks - before.processes.get(pid, 0) for pid, ticks in after.processes.items() if pid != me}
    named = [(pid, ticks / total) for pid, ticks in used.items() if ticks / total >= NAMED_SHARE]
    return Noise(
        others=max(busy - (after.own - before.own), 0.0) / total,
        steal=steal / total,
        busiest=tuple(sorted(named, key=lambda each: -each[1])[:MOST_NAMED]),
    )


def parse_stat(text: str) -> tuple[int, int, int] | None:
    """Return busy, stolen and idle ticks of all processors, of ``/proc/stat``; None if it does not tell.

    Fields by proc(5): user nice system idle iowait irq softirq steal; guests are counted in user already.
    """
    words = text.partition("\n")[0].split()
    if (
        words[:1] != ["cpu"]
        or len(words) < 9
        or not all(word.isascii() and word.isdigit() for word in words[1:9])
    ):
        return None
    user, nice, system, idle, iowait, irq, softirq, steal = (int(word) for word in words[1:9])
    return user + nice + system + irq + softirq, steal, idle + iowait


def sample(proc: Path = PROC) -> CpuSample:
    """Look at the processors now; a host that tells nothing gives a sample of which no noise can be known."""
    try:
        found = parse_stat((proc / "stat").read_text(encoding="ascii", errors="replace"))
    except OSError:
        found = None
    busy, steal, idle = found or (0, 0, 0)
    times = os.times()
    own = sum(times[:4]) * os.sysconf("SC_CLK_TCK")
    return CpuSample(busy=busy, steal=steal, idle=idle, own=own, processes=cpu_ticks(proc) if found else {})


def wait_quiet(
    bound_s: float,
    say: Callable[[str], None],
    *,
    look: Callable[[], CpuSample] = sample,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Quiet:
    """Wait until the host is quiet, at most ``bound_s``; say for what, return how long and what was found."""
    start, told_s = clock(), -WORD_S
    while True:
        before = look()
        sleep(min(WINDOW_S, max(bound_s - (clock() - start), 0.0)))
        found, waited_s = noise(before, look(), me=os.getpid()), clock() - start
        if found.is_quiet or waited_s >= bound_s:
            break
        if waited_s - told_s >= WORD_S:
            say(f"waiting for a quiet host, {waited_s:.0f} of {bound_s:.0f} s: {describe(found)}")
            told_s = waited_s
    if not found.is_quiet:
        say(
            f"the host did not become quiet within {bound_s:.0f} s, measuring all the same: {describe(found)}"
        )
    known = found.share == found.share  # not NaN
    return Quiet(waited_s=waited_s, noise=found.share if known else None, quiet=found.is_quiet)


def describe(found: Noise) -> str:
    """Return what makes the noise, as a part of a sentence."""
    if found.share != found.share:
        return "/proc/stat does not tell what other processes do"
    busiest = ((pid, command_of(pid) or "a thread of the kernel", part) for pid, part in found.busiest)
    names = [f"pid {pid} (`{command}`) {part:.0%}" for pid, command, part in busiest]
    return (
        f"other processes take {found.others:.0%} of the processors, the hypervisor {found.steal:.0%}; "
        f"quiet is {QUIET_SHARE:.0%}" + (f" ({', '.join(names)})" if names else "")
    )
