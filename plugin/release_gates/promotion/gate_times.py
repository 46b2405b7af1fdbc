"""When each gate of a route would end, by the longest that its tests took. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from release_gates.ledger.durations import Longest
from release_gates.model.gate import EnvironmentPolicy
from release_gates.model.record import Record


class GateTime(Record, frozen=True, kw_only=True):
    """When one gate would end at the latest, if it begins with the others of its route.

    ``takes_s`` are seconds for its own tests, None where nobody measured one of them: ``unknown`` says why,
    and for a gate that comes after such a one. ``fits`` is None where nobody knows. ``of`` counts runs.
    """

    gate: str
    alone: bool
    of: int
    takes_s: float | None
    ends: datetime | None
    fits: bool | None
    unknown: str = ""


def gate_times(
    environment: EnvironmentPolicy,
    expected: Mapping[str, Sequence[str]],
    longest: Longest,
    *,
    begins: datetime,
    by: datetime,
    workers: int,
) -> tuple[GateTime, ...]:
    """Return the gates in the order in which they end: those that share the host, then each that is alone.

    Tests that share it are spread over ``workers`` as they come, which takes no longer than their sum by the
    number of workers and the longest of them (Graham 1966); exclusive ones run one after another.
    """
    found: list[GateTime] = []
    shared: list[float] = []
    alone_s, blind = 0.0, ""
    for gate in sorted(environment.gates, key=lambda each: each.exclusive):
        known, why = _measured(expected.get(gate.name, ()), longest)
        if gate.exclusive:
            alone_s += sum(known)
        else:
            shared += known
        blind = blind or (f"{gate.name} comes before, and {why}" if why else "")
        until = begins + timedelta(seconds=(longest.beside_s or 0.0) + _spread_s(shared, workers) + alone_s)
        found.append(
            GateTime(
                gate=gate.name,
                alone=gate.exclusive,
                of=longest.gates.get(gate.name, 0),
                takes_s=None if why else sum(known),
                ends=None if blind else until,
                fits=False if until > by else None if blind else True,
                unknown=why or blind,
            )
        )
    return tuple(found)


def _measured(tests: Sequence[str], longest: Longest) -> tuple[list[float], str]:
    """Return what is known of a gate's tests in seconds, and what is not known, "" for nothing."""
    known = [longest.tests[test] for test in tests if test in longest.tests]
    if longest.beside_s is None or not tests or not known:
        return known, "it was never measured to its end here"
    missing = len(tests) - len(known)
    return known, f"{missing} of its {len(tests)} tests never passed here" if missing else ""


def _spread_s(tests: Sequence[float], workers: int) -> float:
    if not tests:
        return 0.0
    return sum(tests) / workers + (1 - 1 / workers) * max(tests)
