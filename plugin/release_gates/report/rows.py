"""The rows of a report: each judged limit with its numbers, the worst first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from release_gates.model.figures import figure
from release_gates.model.limit import Bound
from release_gates.model.outcome import Outcome
from release_gates.model.release import Interval, JudgedLimit, Release
from release_gates.model.units import convert


@dataclass(frozen=True, kw_only=True)
class Row:
    """One judged limit; numbers are in the unit of the limit, None where there is none."""

    limit: JudgedLimit
    owner: str
    holds: bool
    """Whether its gate can hold the candidate."""

    @property
    def name(self) -> str:
        """The measurement's name, with its key in a series."""
        key = self.limit.measurement.key if self.limit.measurement else ""
        return f"{self.limit.judged.name} [{key}]" if key else self.limit.judged.name

    @property
    def outcome(self) -> Outcome:
        """What was judged."""
        return self.limit.judged.outcome

    @property
    def word(self) -> str:
        """The outcome for people: one that holds nothing says so."""
        return self.outcome if self.holds or self.outcome.promotes else f"{self.outcome}, holds nothing"

    @cached_property
    def bounds(self) -> tuple[Bound, ...]:
        """The limit's bounds, else the target's; empty where only a change is bounded."""
        rule = self.limit.rule
        either = (rule.limit or rule.target) if rule else None
        return either.bounds if either else ()

    @cached_property
    def target(self) -> tuple[Bound, ...]:
        """The target's bounds, where there is a limit beside it."""
        rule = self.limit.rule
        return rule.target.bounds if rule and rule.limit and rule.target else ()

    @cached_property
    def value(self) -> float | None:
        """What was measured."""
        measurement = self.limit.measurement
        return self._converted(measurement.value if measurement else None)

    @cached_property
    def baseline(self) -> float | None:
        """What the live build was in the same run."""
        measurement = self.limit.measurement
        return self._converted(measurement.baseline if measurement else None)

    @cached_property
    def proven(self) -> tuple[float, float] | None:
        """Between which ends the value is proven to be, where both are known."""
        measurement = self.limit.measurement
        low, high = (measurement.interval if measurement else None) or (None, None)
        ends = self._converted(low), self._converted(high)
        return None if ends[0] is None or ends[1] is None else (ends[0], ends[1])

    @property
    def unit(self) -> str:
        """The unit of the numbers."""
        if self.bounds:
            return self.bounds[0].unit
        return self.limit.measurement.unit if self.limit.measurement else ""

    @property
    def excess(self) -> str:
        """How far the value is beyond its limit: ``22 % over``; "" where it is not, or in no proportion."""
        if self.value is None or self.outcome is not Outcome.FAIL:
            return ""
        for bound in self.bounds:
            over = self.value - convert(bound.value, bound.unit, self.unit)
            wrong = over > 0 if bound.operator in ("<=", "<") else over < 0
            if wrong and bound.value and bound.operator != "==":
                share = abs(over) / abs(convert(bound.value, bound.unit, self.unit))
                return f"{_share(share)} {'over' if over > 0 else 'under'}"
        return ""

    @property
    def facts(self) -> tuple[str, ...]:
        """What else is known of the value: target, baseline, samples, who answers for it, and the test."""
        rule, measurement = self.limit.rule, self.limit.measurement
        found = [f"target {rule.target.text}" if rule and rule.limit and rule.target else ""]
        if measurement is not None:
            if measurement.baseline is not None:
                found.append(f"baseline {figure(measurement.baseline, measurement.unit)}")
            if measurement.interval is not None:
                found.append(_interval(measurement.interval, measurement.unit))
            if measurement.windows is not None:
                found.append(f"{len(measurement.windows.ratios)} pairs of turns")
            if measurement.samples is not None:
                found.append(f"{measurement.samples:,} samples".replace(",", " "))
            if measurement.attested:
                found.append(f"attested by {measurement.attested}, not measured")
        return tuple(part for part in found if part)

    def _converted(self, value: float | None) -> float | None:
        measurement = self.limit.measurement
        if value is None or measurement is None:
            return None
        try:
            return convert(value, measurement.unit, self.unit)
        except (ValueError, OverflowError):
            return None  # of another dimension: judged as ERROR, and there is nothing to draw


def rows(release: Release) -> tuple[Row, ...]:
    """Return every judged limit, the worst first, those that hold before those that do not."""
    gates = {gate.name: gate for gate in release.verdict.gates} if release.verdict else {}
    found = [
        Row(
            limit=limit,
            owner=gates[limit.gate].owner,
            holds=gates[limit.gate].severity == "blocking" and not gates[limit.gate].is_observed,
        )
        for limit in release.limits
    ]
    return tuple(sorted(found, key=lambda row: (-row.outcome.rank, not row.holds, row.limit.gate)))


def change_of(row: Row) -> Interval | None:
    """Return the change of a row against its baseline in %: measured with an interval, or of two values.

    None where the policy bounds no change, or the baseline is zero or absent.
    """
    if row.limit.rule is None or row.limit.rule.baseline is None:
        return None
    if row.limit.change is not None:
        return row.limit.change
    if row.value is None or not row.baseline:
        return None
    change = (row.value - row.baseline) / abs(row.baseline) * 100
    return Interval(low=change, middle=change, high=change)


def _interval(interval: tuple[float, float | None], unit: str) -> str:
    low, high = interval
    if high is None:
        return f"at least {figure(low, unit)}, no end was seen"
    return f"proven {figure(low, unit)} to {figure(high, unit)}"


def _share(share: float) -> str:
    if share >= 1e6:
        return "more than a million times"
    if share >= 10:
        return f"{share + 1:,.0f} times".replace(",", " ")
    return f"{share * 100:.2g} %" if share < 0.1 else f"{share * 100:.0f} %"
