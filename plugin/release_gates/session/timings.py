"""What pytest-benchmark measured inside a gate test is a measurement of the gate too."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from release_gates.session.gate import Gate
from release_gates.session.marks import gate_of

FIXTURE = "benchmark"
"""The fixture of pytest-benchmark; the plugin goes by the same name."""
_QUARTILES = {"p25": "q1", "p50": "median", "p75": "q3"}


class Timings:
    """Registered where pytest-benchmark is. Records ``TEST.time`` in seconds, the median of its rounds.

    It comes without a baseline: numbers of another run are history and never better than INCONCLUSIVE.
    """

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Give each gate test that uses the fixture a ``gate``."""
        for item in items:
            names: list[str] = getattr(item, "fixturenames", [])
            if FIXTURE in names and "gate" not in names and gate_of(item) is not None:
                names.append("gate")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Record what the fixture measured, once the call is over and before it is judged."""
        result = yield
        values: dict[str, Any] = getattr(item, "funcargs", {})
        if FIXTURE in values and isinstance(values.get("gate"), Gate):
            _record(item, values["gate"], values[FIXTURE])
        return result


def _record(item: pytest.Item, gate: Gate, fixture: Any) -> None:
    name = f"{getattr(item, 'originalname', None) or item.name}.time"
    key = getattr(getattr(item, "callspec", None), "id", "")
    stats = getattr(getattr(fixture, "stats", None), "stats", None)
    if not stats:
        gate.missing(name, _silence(fixture))
        return
    gate.measure(
        name,
        stats.median,
        "s",
        samples=len(stats.data),
        key=key,
        distribution={quantile: getattr(stats, field) for quantile, field in _QUARTILES.items()},
    )


def _silence(fixture: Any) -> str:
    if getattr(fixture, "disabled", False):
        return "pytest-benchmark is switched off (by -n, --benchmark-disable or its configuration)"
    return "the test never called the fixture 'benchmark'"
