"""Sets of CPUs and of NUMA nodes, in the kernel's list form (``0-3,8``)."""

from __future__ import annotations

import re
from collections.abc import Iterable

MOST = 8192
"""No kernel has more CPUs or nodes; a larger number is damage, and would fill the memory."""

_PART = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)


def parse_list(text: str) -> frozenset[int]:
    """Return the numbers of a list such as ``0-3,8``; a blank text is the empty set.

    ValueError for anything else, for a range that runs backwards and for a number from 8192 on. The form is
    that of ``Documentation/admin-guide/kernel-parameters.rst``, "cpu lists", without its strides, which the
    kernel reads and never writes.
    """
    stripped = text.strip()
    if not stripped:
        return frozenset()
    return frozenset(number for part in stripped.split(",") for number in _numbers(part))


def list_text(numbers: Iterable[int]) -> str:
    """Return a set in the form that ``parse_list`` reads; ``none`` for the empty one."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(f"{low}" if low == high else f"{low}-{high}" for low, high in runs) or "none"


def _numbers(part: str) -> range:
    found = _PART.fullmatch(part)
    if found is None:
        raise ValueError(f"{part[:40]!r} is neither a number nor a range such as 0-3")
    low = int(found[1])
    high = int(found[2]) if found[2] else low
    if high < low:
        raise ValueError(f"the range {part!r} runs backwards")
    if high >= MOST:
        raise ValueError(f"{high} is more than a kernel can have ({MOST - 1})")
    return range(low, high + 1)
