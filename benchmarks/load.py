"""How fast and how right the load gate is, beside wrk and bare locust: ``make accuracy-load``."""

from __future__ import annotations

import sys

from benchmarks.loading import abort, driver, judging, through_locust
from benchmarks.table import Row, report


def measure(quick: bool) -> list[Row]:
    """Measure every part; what needs a quiet machine comes first."""
    return [row for part in (abort, driver, through_locust, judging) for row in part.rows(quick)]


if __name__ == "__main__":
    sys.exit(report("load", measure))
