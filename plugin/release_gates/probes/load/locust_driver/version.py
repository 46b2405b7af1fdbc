"""Which locust there is, without importing it."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version

from release_gates.probes.load.open.refusal import CannotRun

LEAST = (2, 46, 2)
"""Before it, a response time of None was 0 ms in every statistic and listeners got it so."""
INSTALL = "pip install 'pytest-release-gates[load]'"


def check_locust() -> None:
    """Raise CannotRun unless a locust is installed that can be trusted."""
    try:
        found = version("locust")
    except PackageNotFoundError:
        raise CannotRun(f"locust is not installed: {INSTALL}") from None
    numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", found)
    if numbers is None or tuple(map(int, numbers.groups())) < LEAST:
        least = ".".join(map(str, LEAST))
        raise CannotRun(f"locust {found} is installed, at least {least} is needed: {INSTALL}")
