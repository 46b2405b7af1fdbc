"""``[gate.<name>.limits]`` to limit rules."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from release_gates.errors import PolicyError
from release_gates.model.limit import Bound, Limit, LimitRule
from release_gates.model.units import dimension, exact
from release_gates.policy.grammar import Kind, check_measurement_name, parse_limit
from release_gates.policy.mistake import At, nearest, written
from release_gates.policy.table import Table

RULE_KEYS = ("limit", "target", "baseline", "min_samples", "abort")


class Span(NamedTuple):
    """The values that bounds allow: from ``low`` to ``high`` (None: endless), each end in or out."""

    low: Fraction | None = None
    low_in: bool = True
    high: Fraction | None = None
    high_in: bool = True

    def within(self, other: Span) -> bool:
        """Tell whether every value of this span is one of the other."""
        return _reaches(self.low, self.low_in, other.low, other.low_in, sign=1) and _reaches(
            self.high, self.high_in, other.high, other.high_in, sign=-1
        )


def span(limit: Limit, unit: str) -> Span:
    """Return what a limit allows, in the given unit; ``ValueError`` if units do not convert."""
    allowed = Span()
    for bound in limit.bounds:
        edge = _edge(bound, unit)
        if bound.operator in {">=", ">", "=="}:
            allowed = allowed._replace(low=edge, low_in=bound.operator != ">")
        if bound.operator in {"<=", "<", "=="}:
            allowed = allowed._replace(high=edge, high_in=bound.operator != "<")
    return allowed


def read_limits(table: Table) -> dict[str, LimitRule]:
    """Return the rules of a limits table by name; every mistake is noted."""
    rules = {}
    for name, value in table.values.items():
        rule = _rule(name, value, table)
        if rule is not None:
            rules[name] = rule
    return rules


def _rule(name: str, value: Any, table: Table) -> LimitRule | None:
    try:
        check_measurement_name(name)
    except PolicyError as error:
        table.mistakes.add_error(table.at.key(name), error)
        return None
    if isinstance(value, str):
        return LimitRule(name=name, limit=_limit("limit", value, table, table.at.key(name)))
    if not isinstance(value, dict):
        table.wrong(
            name, 'must be a text such as "<= 500 ms" or a table with limit, target, baseline', "wrong-type"
        )
        return None
    if _is_unquoted(value):
        _note_unquoted(name, value, table)
        return None
    return _rule_of_table(name, Table(value, table.at.key(name), table.mistakes))


def _rule_of_table(name: str, table: Table) -> LimitRule:
    table.refuse_unknown(RULE_KEYS)
    if not table.values:
        table.mistakes.add(
            table.at, "asks for nothing. Give it a limit, target or baseline", "empty-rule", value={}
        )
    rule = LimitRule(
        name=name,
        limit=_limit_of("limit", table),
        target=_limit_of("target", table),
        baseline=_limit_of("baseline", table),
        min_samples=table.whole("min_samples", least=1),
        abort=table.flag("abort") is True,
    )
    _check_together(rule, table)
    return rule


def _limit_of(kind: Kind, table: Table) -> Limit | None:
    text = table.text(kind)
    return None if text is None else _limit(kind, text, table, table.at.key(kind))


def _limit(kind: Kind, text: str, table: Table, at: At) -> Limit | None:
    try:
        return parse_limit(text, kind)
    except PolicyError as error:
        table.mistakes.add_error(at, error, value=text)
        return None


def _check_together(rule: LimitRule, table: Table) -> None:
    """Refuse a target that is weaker than the limit, and percentage points of what is no ratio."""
    if rule.limit and rule.target:
        _check_target(rule.limit, rule.target, table)
    if rule.abort and "limit" not in table.values:
        sentence = "ends a run that breaks the limit, and there is none. Give it a limit, or take abort out"
        table.wrong("abort", sentence, "abort-limit")
    points = rule.baseline is not None and rule.baseline.bounds[0].unit == "pp"
    absolute = rule.limit or rule.target
    if points and absolute and dimension(absolute.bounds[0].unit) != "ratio":
        unit = absolute.bounds[0].unit
        table.wrong(
            "baseline", f"'pp' is for ratios, and this is measured in '{unit}'. Write '%'", "baseline-unit"
        )


def _check_target(limit: Limit, target: Limit, table: Table) -> None:
    unit = limit.bounds[0].unit
    try:
        inside = span(target, unit).within(span(limit, unit))
    except ValueError as error:
        table.wrong("target", f"cannot be compared with the limit '{limit.text}': {error}", "unit-mismatch")
        return
    if not inside:
        sentence = f"allows values that break the limit '{limit.text}'. A target is at least as strict"
        table.wrong("target", sentence, "weak-target")


def _is_unquoted(value: dict[str, Any]) -> bool:
    """Tell whether TOML has split a dotted name: no key is one of a rule's, or nearly."""
    return bool(value) and not any(key in RULE_KEYS or nearest(key, RULE_KEYS) for key in value)


def _note_unquoted(name: str, value: dict[str, Any], table: Table) -> None:
    keys, leaf = [name], next(iter(value.items()))
    while True:
        keys.append(leaf[0])
        if not isinstance(leaf[1], dict) or not leaf[1] or set(leaf[1]) & set(RULE_KEYS):
            break
        leaf = next(iter(leaf[1].items()))
    sentence = (
        f'quote the key: "{".".join(keys)}" = {written(leaf[1])}. TOML reads dots without quotes as tables'
    )
    table.mistakes.add(table.at.key(*keys), sentence, "unquoted-key")


def _edge(bound: Bound, unit: str) -> Fraction:
    return Fraction(repr(bound.value)) if bound.unit == unit else exact(bound.value, bound.unit, unit)


def _reaches(
    mine: Fraction | None, mine_in: bool, their: Fraction | None, their_in: bool, *, sign: int
) -> bool:
    """Tell whether my end lies on or inside theirs; ``sign`` is 1 for the lower end, -1 for the upper."""
    if their is None:
        return True
    if mine is None:
        return False
    return sign * mine > sign * their or (mine == their and (their_in or not mine_in))
