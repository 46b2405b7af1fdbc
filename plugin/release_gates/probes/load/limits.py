"""Which latencies policy limits: what a generator counts exactly, and which quantiles are asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from release_gates.judge.limits import matches
from release_gates.model.limit import Bound, LimitRule
from release_gates.model.units import convert, dimension
from release_gates.probes.load.plan import Threshold

QUANTILES = ("50", "95", "99", "99.9")
"""These are measured always, in percent as they are written; others where policy names them."""
_QUANTILE = re.compile(r"\.p(\d{1,2}(?:\.\d+)?)(?:@.*)?$")


def thresholds_of(rules: Iterable[LimitRule]) -> tuple[Threshold, ...]:
    """Return every edge at which a latency has to be counted, each once, the tightest first.

    A name with ``*`` may mean a quantile in any way (``orders.p*``).
    """
    asked = (rule for rule in rules if "*" in rule.name or _QUANTILE.search(rule.name))
    found = {threshold_of(bound) for rule in asked for bound in bounds_of(rule)}
    return tuple(sorted(found, key=lambda threshold: (threshold.edge_s, not threshold.strict)))


def quantiles_of(rules: Iterable[LimitRule]) -> tuple[str, ...]:
    """Return the quantiles that are measured, in percent: those of always and those that policy names."""
    asked = {percent for rule in rules if (percent := quantile_of(rule.name)) and float(percent) > 0}
    return tuple(sorted(asked.union(QUANTILES), key=float))


def quantile_of(name: str) -> str | None:
    """Return the quantile that a rule is about, in percent as it is written; None without one."""
    found = _QUANTILE.search(name)
    return found[1] if found else None


def rules_for(rules: Iterable[LimitRule], name: str) -> tuple[LimitRule, ...]:
    """Return the rules that a measurement's name meets."""
    return tuple(rule for rule in rules if matches(rule.name, name))


def bounds_of(rule: LimitRule) -> Iterator[Bound]:
    """Yield the bounds of a rule's limit and target that are times."""
    for limit in (rule.limit, rule.target):
        for bound in limit.bounds if limit else ():
            if dimension(bound.unit) == "time":
                yield bound


def threshold_of(bound: Bound) -> Threshold:
    """Return the edge at which a latency breaks a bound; a lower one is counted as if it were an upper."""
    return Threshold(edge_s=convert(bound.value, bound.unit, "s"), strict=bound.operator == "<")
