"""What two policies differ in, in plain words: what became weaker, what has to be looked at, what else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import msgspec

from release_gates.model.gate import EnvironmentPolicy, GateSpec, Policy
from release_gates.model.limit import LimitRule
from release_gates.model.outcome import Mode
from release_gates.model.record import Record
from release_gates.model.trust import TrustedKey
from release_gates.policy.mistake import written
from release_gates.policy.review import weakened

Kind = Literal["weaker", "open", "other"]
"""``open``: nobody can say whether it is weaker, so that a person has to look."""
Judge = Callable[[Any, Any], Kind]
Judges = dict[str, Judge | None]

MOST_NAMED = 20
"""So many tests that went away are named."""


class Change(Record, frozen=True, kw_only=True):
    """One difference: where, in words, and whether the rules are weaker by it."""

    place: str
    sentence: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.place}: {self.sentence}"


def changes(before: Policy, after: Policy, *, than: str) -> tuple[Change, ...]:
    """Return every difference of ``after`` from ``before``, which sentences call ``than``."""
    return tuple(_changes(before, after, than))


def _changes(before: Policy, after: Policy, than: str) -> Iterator[Change]:
    old, new = _by_name(before.environments), _by_name(after.environments)
    order = [name for name in old if name in new]
    if order != [name for name in new if name in old]:
        yield Change(place="path", sentence="the environments are in another order", kind="open")
    for name in _all(old, new):
        if name not in new:
            yield Change(place=name, sentence="is no longer on the path", kind="weaker")
        elif name not in old:
            yield Change(place=name, sentence="is new on the path", kind="open")
        else:
            yield from _of_environment(old[name], new[name], than)
    yield from _of_expected(before, after)
    yield from _of_waivers(before, after)


def _of_environment(before: EnvironmentPolicy, after: EnvironmentPolicy, than: str) -> Iterator[Change]:
    yield from field_changes(before, after, ENTRY, before.name, than)
    yield from _of_roles(before.approvals, after.approvals, before.name)
    yield from _of_keys(before, after)
    yield from _of_freezes(before, after)
    old, new = _by_name(before.gates), _by_name(after.gates)
    for name in _all(old, new):
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


def _more_is_weaker(old: float, new: float) -> Kind:
    return "weaker" if new > old else "other"


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
    return "open" if new.environment != old.environment else _more_is_weaker(new.for_s, old.for_s)


_WEAKENED = ("severity", "unwaivable", "select", "matrix")
"""What ``policy.review`` compares."""

GATE: Judges = {
    **dict.fromkeys((*_WEAKENED, "limits"), None),
    "owner": _other,
    "mode": _observing,
    "observe_until": _longer_observed,
    "valid_for_s": _more_is_weaker,
    "exclusive": _dropped_is_weaker,
    "reruns": _reruns,
}
ENTRY: Judges = {
    **dict.fromkeys(("gates", "approvals", "trust", "freezes"), None),
    "attempts": _more_is_weaker,
    "local_may_promote": _taken_is_weaker,
    "max_waiver_days": _more_is_weaker,
    "approval_valid_for_s": _more_is_weaker,
    "extends": _other,
    "mode": _observing,
    "observe_until": _longer_observed,
    "approved_rules": _dropped_is_weaker,
    "checkpoint": _dropped_is_weaker,
    "windows": _of_windows,
    "soak": _of_soak,
}


# -- lists of things that have names ----------------------------------------------------------------


def _of_roles(before: Iterable[Any], after: Iterable[Any], place: str) -> Iterator[Change]:
    old, new = _by_name(before), _by_name(after)
    for name in _all(old, new):
        at = f"{place}, approvals of {name}"
        if name not in new:
            yield Change(place=at, sentence="are no longer asked for", kind="weaker")
        elif name not in old:
            yield Change(place=at, sentence="are asked for", kind="other")
        else:
            one, other = old[name], new[name]
            if one.least != other.least:
                kind = _more_is_weaker(other.least, one.least)
                yield Change(place=at, sentence=f"{other.least} are enough, not {one.least}", kind=kind)
            if more := sorted(set(other.persons) - set(one.persons)):
                yield Change(place=at, sentence=f"may be given by {', '.join(more)} too", kind="weaker")
            if less := sorted(set(one.persons) - set(other.persons)):
                yield Change(place=at, sentence=f"may no longer be given by {', '.join(less)}", kind="other")


def _of_keys(before: EnvironmentPolicy, after: EnvironmentPolicy) -> Iterator[Change]:
    old, new = (_by_name(each.trust.keys if each.trust else ()) for each in (before, after))
    for name in _all(old, new):
        at = f"{before.name}, key {name}"
        if name not in new:
            yield Change(place=at, sentence="is no longer trusted", kind="other")
        elif name not in old:
            roles = ", ".join(new[name].roles)
            yield Change(place=at, sentence=f"is trusted, for {roles}", kind="weaker")
        elif old[name] != new[name]:
            wider = _is_wider(old[name], new[name])
            sentence = "is trusted for more, or longer" if wider else "is trusted for less"
            yield Change(place=at, sentence=sentence, kind="weaker" if wider else "other")


def _is_wider(old: TrustedKey, new: TrustedKey) -> bool:
    if (old.public, old.holder, old.person) != (new.public, new.holder, new.person):
        return True
    everywhere = bool(old.environments) and not new.environments
    places = set(new.environments) - set(old.environments) if old.environments else ()
    longer = new.valid_from < old.valid_from or new.valid_until > old.valid_until
    return everywhere or longer or bool(places) or bool(set(new.roles) - set(old.roles))


def _of_freezes(before: EnvironmentPolicy, after: EnvironmentPolicy) -> Iterator[Change]:
    old, new = _by_name(before.freezes), _by_name(after.freezes)
    for name in _all(old, new):
        at = f"{before.name}, freeze {name}"
        if name not in new:
            yield Change(place=at, sentence="is taken back", kind="weaker")
        elif name not in old:
            yield Change(place=at, sentence="is new", kind="other")
        elif old[name] != new[name]:
            shorter = new[name].begins > old[name].begins or new[name].ends < old[name].ends
            yield Change(place=at, sentence="changed", kind="weaker" if shorter else "open")


def _of_expected(before: Policy, after: Policy) -> Iterator[Change]:
    for gate in sorted({*before.expected, *after.expected}):
        old, new = (set(policy.expected.get(gate, ())) for policy in (before, after))
        if gone := sorted(old - new):
            yield Change(place=f"gate {gate}", sentence=f"no longer expects {_named(gone)}", kind="weaker")
        if came := sorted(new - old):
            yield Change(place=f"gate {gate}", sentence=f"expects {_named(came)}", kind="other")


def _named(tests: list[str]) -> str:
    more = f" and {len(tests) - MOST_NAMED} more" if len(tests) > MOST_NAMED else ""
    return ", ".join(tests[:MOST_NAMED]) + more


def _of_waivers(before: Policy, after: Policy) -> Iterator[Change]:
    old, new = _by_name(before.waivers), _by_name(after.waivers)
    for name in _all(old, new):
        place = f"waiver {name}"
        if name not in new:
            yield Change(place=place, sentence="is taken back", kind="other")
        elif name not in old:
            each = new[name]
            about = f"gate {each.gate} at the entry to {each.environment}, {each.subject}"
            said = f"is new: {about}, within {each.bounds or 'no bound'}, until {each.until}"
            yield Change(place=place, sentence=said, kind="weaker")
        elif old[name] != new[name]:
            names = old[name].__struct_fields__
            fields = [each for each in names if getattr(old[name], each) != getattr(new[name], each)]
            earlier = fields == ["expires"] and new[name].expires < old[name].expires
            said = f"changed: {', '.join(fields)}"
            yield Change(place=place, sentence=said, kind="other" if earlier else "weaker")


def _by_name(records: Iterable[Any]) -> dict[str, Any]:
    return {each.name: each for each in records}


def _all(old: Iterable[str], new: Iterable[str]) -> list[str]:
    return list(dict.fromkeys((*old, *new)))
