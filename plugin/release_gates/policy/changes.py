"""What two policies differ in, in plain words: what became weaker, what has to be looked at, what else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from release_gates.model.gate import EnvironmentPolicy, GateSpec, Policy
from release_gates.model.limit import LimitRule
from release_gates.model.outcome import Mode
from release_gates.model.record import Record
from release_gates.policy.change import Change, Kind, all_names, by_name, more_is_weaker
from release_gates.policy.listed import (
    expected_changes,
    freeze_changes,
    key_changes,
    role_changes,
    route_changes,
    waiver_changes,
)
from release_gates.policy.mistake import written
from release_gates.policy.review import weakened

Judge = Callable[[Any, Any], Kind]
Judges = dict[str, Judge | None]


def changes(before: Policy, after: Policy, *, than: str) -> tuple[Change, ...]:
    """Return every difference of ``after`` from ``before``, which sentences call ``than``."""
    return tuple(_changes(before, after, than))


def _changes(before: Policy, after: Policy, than: str) -> Iterator[Change]:
    old, new = by_name(before.environments), by_name(after.environments)
    order = [name for name in old if name in new]
    if order != [name for name in new if name in old]:
        yield Change(place="path", sentence="the environments are in another order", kind="open")
    for name in all_names(old, new):
        if name not in new:
            yield Change(place=name, sentence="is no longer on the path", kind="weaker")
        elif name not in old:
            yield Change(place=name, sentence="is new on the path", kind="open")
        else:
            yield from _of_environment(old[name], new[name], than)
    yield from expected_changes(before, after)
    yield from waiver_changes(before, after)


def _of_environment(before: EnvironmentPolicy, after: EnvironmentPolicy, than: str) -> Iterator[Change]:
    yield from field_changes(before, after, ENTRY, before.name, than)
    yield from role_changes(before.approvals, after.approvals, before.name)
    yield from key_changes(before, after)
    yield from freeze_changes(before, after)
    yield from route_changes(before, after)
    old, new = by_name(before.gates), by_name(after.gates)
    for name in all_names(old, new):
        place = f"{before.name}, gate {name}"
        if name not in new:
            yield Change(place=place, sentence=f"is no longer asked for, {than} asks for it", kind="weaker")
        elif name not in old:
            yield Change(place=place, sentence="is new", kind="other")
        else:
            yield from _of_gate(old[name], new[name], place, than)


def _of_gate(before: GateSpec, after: GateSpec, place: str, than: str) -> Iterator[Change]:
    for remark in weakened(before, after, place, than=than):
        yield Change(place=place, sentence=remark.sentence, kind="weaker")
    yield from field_changes(before, after, GATE, place, than)
    for field in _WEAKENED:
        alone = msgspec.structs.replace(before, **{field: getattr(after, field)})
        if alone != before and not any(weakened(before, alone, place)):
            yield Change(place=place, sentence=f"{field} changed, and is not weaker", kind="other")
    old = {rule.name: rule for rule in before.limits}
    for rule in after.limits:
        if rule.name not in old:
            yield Change(place=place, sentence=f'has a limit for "{rule.name}"', kind="other")
        elif sentence := _limit_change(old[rule.name], rule, before, place):
            yield Change(place=place, sentence=sentence, kind="other")


def _limit_change(old: LimitRule, new: LimitRule, before: GateSpec, place: str) -> str:
    """Say that a limit changed that is not weaker; "" if it did not, or if that was said already."""
    alone = msgspec.structs.replace(before, limits=(old,))
    if old == new or any(weakened(alone, msgspec.structs.replace(alone, limits=(new,)), place)):
        return ""
    return f'what is asked of "{new.name}" changed, and is not weaker'


# -- single values --------------------------------------------------------------------------------


def field_changes(before: Record, after: Record, judges: Judges, place: str, than: str) -> Iterator[Change]:
    """Yield each field that differs; without a judge it is open, with None it is told elsewhere."""
    for field in before.__struct_fields__:
        old, new = getattr(before, field), getattr(after, field)
        judge = judges.get(field, _open)
        if old != new and judge is not None:
            yield Change(place=place, sentence=_sentence(field, old, new, than), kind=judge(old, new))


def _sentence(field: str, old: object, new: object, than: str) -> str:
    if not all(isinstance(value, (bool, int, float, str)) or value is None for value in (old, new)):
        return f"{field.removesuffix('_s')} changed"
    name = field.removesuffix("_s")
    return f"{name} is {_shown(field, new)}, {than}'s is {_shown(field, old)}"


def _shown(field: str, value: object) -> str:
    if value is None or value == "":
        return "absent"
    if field.endswith("_s") and isinstance(value, float):
        return f"{value / 3600:g} h"
    return str(value) if isinstance(value, str) else written(value)


def _open(_old: object, _new: object) -> Kind:
    return "open"


def _other(_old: object, _new: object) -> Kind:
    return "other"


def _dropped_is_weaker(_old: object, new: object) -> Kind:
    return "other" if new else "weaker"


def _taken_is_weaker(_old: object, new: object) -> Kind:
    return "weaker" if new else "other"


def _observing(_old: object, new: object) -> Kind:
    return "weaker" if new is Mode.OBSERVE else "other"


def _longer_observed(old: Any, new: Any) -> Kind:
    return "weaker" if old is not None and (new is None or new > old) else "other"


def _reruns(old: Any, new: Any) -> Kind:
    if new is None:
        return "other"
    return "weaker" if old is None or new.most > old.most or new.only != old.only else "other"


def _of_windows(old: tuple[object, ...], new: tuple[object, ...]) -> Kind:
    return "weaker" if not new else "open" if old else "other"


def _of_soak(old: Any, new: Any) -> Kind:
    if new is None:
        return "weaker"
    if old is None:
        return "other"
    return "open" if new.environment != old.environment else more_is_weaker(new.for_s, old.for_s)


_WEAKENED = ("severity", "unwaivable", "select", "matrix")
"""What ``policy.review`` compares."""

GATE: Judges = {
    **dict.fromkeys((*_WEAKENED, "limits"), None),
    "owner": _other,
    "mode": _observing,
    "observe_until": _longer_observed,
    "valid_for_s": more_is_weaker,
    "exclusive": _dropped_is_weaker,
    "reruns": _reruns,
}
ENTRY: Judges = {
    **dict.fromkeys(("gates", "approvals", "trust", "freezes", "routes"), None),
    "attempts": more_is_weaker,
    "local_may_promote": _taken_is_weaker,
    "max_waiver_days": more_is_weaker,
    "approval_valid_for_s": more_is_weaker,
    "extends": _other,
    "mode": _observing,
    "observe_until": _longer_observed,
    "approved_rules": _dropped_is_weaker,
    "checkpoint": _dropped_is_weaker,
    "windows": _of_windows,
    "soak": _of_soak,
}
