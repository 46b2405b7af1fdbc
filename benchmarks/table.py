"""The form of a measured claim, its table, and the file that keeps it."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NotRequired, TypedDict

RESULTS = Path(__file__).parent / "results"
MACHINE = f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"


class Row(TypedDict):
    """One figure: median ``value`` of ``samples`` against its ``bar`` (None: shown, not claimed)."""

    what: str
    value: float
    unit: str
    bar: float | None
    ok: bool
    samples: int
    machine: str
    spread: NotRequired[list[float]]


def row(what: str, values: Sequence[float], unit: str, bar: float | None) -> Row:
    """Return the row of a figure that is the better the smaller it is."""
    value = statistics.median(values)
    return Row(
        what=what,
        value=round(value, 4),
        unit=unit,
        bar=bar,
        ok=bar is None or value <= bar,
        samples=len(values),
        machine=MACHINE,
        spread=[round(min(values), 4), round(max(values), 4)],
    )


def report(family: str, measure: Callable[[bool], list[Row]]) -> int:
    """Measure (``--quick`` for about a minute), print the table, write the file; 1 if a bar is missed."""
    rows = measure("--quick" in sys.argv[1:])
    width = max(len(each["what"]) for each in rows)
    for each in rows:
        bar = f"<= {each['bar']:g} {each['unit']}" if each["bar"] is not None else "no bar"
        verdict = "ok" if each["ok"] else "MISSED"
        print(f"{each['what']:<{width}}  {each['value']:>9.4g} {each['unit']:<5}  {bar:<12}  {verdict}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{family}.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return 0 if all(each["ok"] for each in rows) else 1
