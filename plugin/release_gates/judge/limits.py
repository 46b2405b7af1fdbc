"""One rule applied to one measurement."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from fractions import Fraction

from msgspec import UNSET

from release_gates.judge import intervals, pairs, turns
from release_gates.judge.bounds import holds
from release_gates.judge.facts import flaw_of, judge_facts
from release_gates.judge.series import bounds_drift
from release_gates.model.event import Live
from release_gates.model.figures import beside, figure
from release_gates.model.limit import Limit, LimitRule
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome
from release_gates.model.units import dimension, exact
from release_gates.model.verdict import LimitJudgement

Finding = tuple[Outcome, str]


def judge_measurements(
    rules: Sequence[LimitRule], measurements: Sequence[Measurement], *, live: Live | None, test: str = ""
) -> tuple[LimitJudgement, ...]:
    """Apply every rule to every measurement that its name matches; all matching rules count."""
    return tuple(
        judge_rule(rule, measurement, live=live, test=test)
        for rule in rules
        for measurement in measurements
        if matches(rule.name, measurement.name)
    )


def matches(pattern: str, name: str) -> bool:
    """Tell whether a rule's name (``*.p95``, ``order_entry.p99@steady``) covers a measurement's."""
    return pattern == name or ("*" in pattern and fnmatchcase(name, pattern))


def judge_rule(
    rule: LimitRule, measurement: Measurement, *, live: Live | None, test: str = ""
) -> LimitJudgement:
    """Judge one measurement by one rule; the worst finding wins.

    ``live`` is what the environment runs: None if the ledger does not know, without a candidate for a
    recorded first release.
    """
    findings = list(_findings(rule, measurement, live)) or [(Outcome.PASS, "")]
    outcome, because = max(findings, key=lambda finding: finding[0].rank)
    return LimitJudgement(
        name=measurement.name,
        outcome=outcome,
        because=because,
        measured="-" if measurement.value is None else _measured(rule, measurement) + _mark(measurement),
        allowed=allowed(rule),
        test=test,
        attested=measurement.attested or UNSET,
    )


def allowed(rule: LimitRule) -> str:
    """Return what a rule asks for, in the words of the policy."""
    parts = [
        rule.limit.text if rule.limit else "",
        f"baseline {rule.baseline.text}" if rule.baseline else "",
        f"target {rule.target.text}" if rule.target and not rule.limit else "",
    ]
    return ", ".join(part for part in parts if part) or f"at least {rule.min_samples} samples"


def _findings(rule: LimitRule, measurement: Measurement, live: Live | None) -> Iterator[Finding]:
    name = measurement.name
    if measurement.absent == "not_applicable":
        yield Outcome.WARN, f"{name} does not apply: {measurement.because}"
    elif measurement.absent == "inconclusive":
        yield Outcome.INCONCLUSIVE, f"{name} cannot be decided: {measurement.because}"
    elif measurement.absent == "error":
        yield Outcome.ERROR, f"{name} could not be measured: {measurement.because}"
    elif measurement.absent or measurement.value is None:
        yield Outcome.MISSING, f"{name} has no value: {measurement.because or 'no reason was given'}"
    elif not math.isfinite(measurement.value):
        yield Outcome.ERROR, f"{name} is {measurement.value}, which is no finite number"
    elif flaw := flaw_of(measurement):
        yield Outcome.ERROR, f"{name} was not measured: {flaw}"
    elif (wrong := _wrong_dimension(rule, measurement)) is not None:
        yield Outcome.ERROR, wrong
    elif (few := _too_few(rule, measurement)) is not None:
        yield Outcome.INCONCLUSIVE, few
    else:
        yield from _broken(rule.limit, measurement, Outcome.FAIL, "limit")
        yield from _broken(rule.target, measurement, Outcome.WARN, "target")
        yield from _against_baseline(rule, measurement, measurement.value, live)


def _wrong_dimension(rule: LimitRule, measurement: Measurement) -> str | None:
    for limit in (rule.limit, rule.target):
        for bound in limit.bounds if limit else ():
            if dimension(bound.unit) != dimension(measurement.unit) and not bounds_drift(measurement, bound):
                return (
                    f"{measurement.name} was measured in '{measurement.unit}'; "
                    f"the policy asks for '{limit.text if limit else ''}'"
                )
    if rule.baseline and rule.baseline.bounds[0].unit == "pp" and dimension(measurement.unit) != "ratio":
        return (
            f"{measurement.name} was measured in '{measurement.unit}'; the policy asks for "
            f"'{rule.baseline.text}', and percentage points are of ratios only"
        )
    return None


def _too_few(rule: LimitRule, measurement: Measurement) -> str | None:
    if measurement.samples is not None and not measurement.samples > 0:
        return f"{measurement.name} rests on {measurement.samples} samples, which is no evidence"
    if rule.min_samples is None:
        return None
    if measurement.samples is None:
        return f"{measurement.name} came without a sample count; policy asks for {rule.min_samples}"
    if not measurement.samples >= rule.min_samples:
        return (
            f"{measurement.name} rests on {measurement.samples} samples; policy asks for {rule.min_samples}"
        )
    return None


def _broken(limit: Limit | None, measurement: Measurement, outcome: Outcome, word: str) -> Iterator[Finding]:
    if limit is None or measurement.value is None:
        return
    facts = judge_facts(measurement, limit)
    if facts is not None:
        found, because = facts
        if found is not Outcome.PASS:
            yield min(found, outcome, key=lambda either: either.rank), because
        return
    for bound in limit.bounds:
        if not holds(exact(measurement.value, measurement.unit, bound.unit), bound):
            value = beside(measurement.value, measurement.unit, bound) + _attested(measurement)
            yield outcome, f"{measurement.name} is {value}; the {word} is {limit.text}"
            return


def _attested(measurement: Measurement) -> str:
    return f" (attested by {measurement.attested}, not measured)" if measurement.attested else ""


def _mark(measurement: Measurement) -> str:
    return " (attested)" if measurement.attested else ""


def _against_baseline(
    rule: LimitRule, measurement: Measurement, value: float, live: Live | None
) -> Iterator[Finding]:
    if rule.baseline is None:
        return
    name = measurement.name
    if live is None:
        yield Outcome.INCONCLUSIVE, f"{name}: the ledger does not know what is live, so there is no baseline"
    elif live.candidate is None:
        yield Outcome.WARN, f"{name}: first release, nothing to compare with ({live.reason})"
    elif measurement.paired is not None:
        found, because = pairs.judge_pair(name, measurement.paired, rule.baseline)
        if found is not Outcome.PASS:
            yield found, because
    elif measurement.windows is not None:
        found, because = turns.judge_turns(name, measurement.windows, rule.baseline)
        if found is not Outcome.PASS:
            yield found, because
    elif measurement.baseline is not None:
        yield from _changed(rule.baseline, measurement, value, measurement.baseline)
    elif measurement.no_baseline:
        yield Outcome.WARN, f"{name} has no baseline yet: {measurement.no_baseline}"
    else:
        yield Outcome.INCONCLUSIVE, f"{name}: no value of the baseline {live.candidate.version} was measured"


def _changed(limit: Limit, measurement: Measurement, value: float, baseline: float) -> Iterator[Finding]:
    for bound in limit.bounds:
        change = _change(value, baseline, measurement.unit, bound.unit)
        if change is None:
            yield Outcome.INCONCLUSIVE, f"{measurement.name}: the baseline is 0, a change in % has no meaning"
            return
        if not holds(change, bound):
            now, before = figure(value, measurement.unit), figure(baseline, measurement.unit)
            moved = f"{float(change):+.3g} {bound.unit}"
            yield (
                Outcome.FAIL,
                f"{measurement.name} is {now}, {moved} against the baseline's {before}; "
                f"allowed is {limit.text}",
            )
            return


def _change(value: float, baseline: float, unit: str, change_unit: str) -> Fraction | None:
    now, before = Fraction(repr(value)), Fraction(repr(baseline))
    if change_unit == "pp":
        return exact(value, unit, "%") - exact(baseline, unit, "%")
    if before == 0:
        return Fraction(0) if now == 0 else None
    return (now - before) / abs(before) * 100


def _measured(rule: LimitRule, measurement: Measurement) -> str:
    value = measurement.value
    limit = rule.limit or rule.target
    if measurement.paired is not None and rule.baseline is not None:
        return pairs.measured(measurement.paired)
    if measurement.windows is not None and rule.baseline is not None and limit is None:
        return turns.measured(measurement.windows)
    if value is None or limit is None or dimension(limit.bounds[0].unit) != dimension(measurement.unit):
        return f"{value} {measurement.unit}" if value is None else figure(value, measurement.unit)
    if measurement.interval is not None and not flaw_of(measurement):
        return intervals.shown(measurement.interval, measurement.unit, limit.bounds[0])
    return beside(value, measurement.unit, limit.bounds[0])
