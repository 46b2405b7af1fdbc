"""What deserves a second look in a policy that has no mistake; ``release-gates check`` prints it."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from release_gates.model.gate import EnvironmentPolicy, GateSpec, Policy
from release_gates.model.limit import Bound, Limit, LimitRule
from release_gates.model.outcome import Mode, Severity
from release_gates.model.record import Record
from release_gates.model.units import dimension, exact


class Remark(Record, frozen=True, kw_only=True):
    """One remark: where it applies, and what a reviewer should know."""

    place: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.place}: {self.sentence}"


def review(policy: Policy) -> tuple[Remark, ...]:
    """Return all remarks, in the order of the promotion path."""
    return tuple(
        remark for environment in policy.environments for remark in _of_environment(policy, environment)
    )


def _of_environment(policy: Policy, environment: EnvironmentPolicy) -> Iterator[Remark]:
    if environment.local_may_promote and environment is policy.environments[-1]:
        yield Remark(
            place=environment.name,
            sentence="the last environment accepts verdicts of a local, unsigned ledger",
        )
    yield from _keyless(environment)
    if environment.mode is Mode.OBSERVE:
        yield Remark(place=environment.name, sentence=f"only observed{_until(environment)}: nothing is held")
    parent = policy.environment(environment.extends)
    for gate in environment.gates:
        place = f"{environment.name}, gate {gate.name}"
        if gate.mode is Mode.OBSERVE:
            yield Remark(place=place, sentence=_observing(gate))
        before = parent.gate(gate.name) if parent else None
        if before is None:
            yield from _of_gate(policy, gate, place)
        else:
            yield from weakened(before, gate, place)


def _keyless(environment: EnvironmentPolicy) -> Iterator[Remark]:
    """Yield each role that could never approve: its answers are signed, and too few persons have a key."""
    if environment.trust is None or environment.local_may_promote:
        return
    signing = {key.person for key in environment.trust.keys if key.may("approval", environment.name)}
    for role in environment.approvals:
        without = [person for person in role.persons if person not in signing]
        if len(role.persons) - len(without) < role.least:
            yield Remark(
                place=environment.name,
                sentence=f"role {role.name} can never approve: it asks {role.least} signed answer(s), and "
                f"trust.toml has no key with the role approval for {', '.join(without)}",
            )


def _of_gate(policy: Policy, gate: GateSpec, place: str) -> Iterator[Remark]:
    if not policy.expected.get(gate.name):
        sentence = "no expected tests, so it holds every candidate: run `release-gates expect`"
        yield Remark(place=place, sentence=sentence)
    for rule in gate.limits:
        if "*" in rule.name:
            both = [
                each.name for each in gate.limits if each is not rule and fnmatchcase(each.name, rule.name)
            ]
            for name in both:
                yield Remark(
                    place=place, sentence=f'"{rule.name}" also applies to "{name}": both have to hold'
                )


def _observing(gate: GateSpec) -> str:
    if gate.severity is not Severity.BLOCKING:
        return f'mode = "observe" changes nothing: a gate that is {gate.severity} holds nothing anyway'
    return f"only observed{_until(gate)}: it holds nothing"


def _until(part: GateSpec | EnvironmentPolicy) -> str:
    if part.observe_until is None:
        return ", and no observe_until ends it"
    return f" until the end of {part.observe_until} (UTC)"


def weakened(before: GateSpec, after: GateSpec, place: str, *, than: str = "the parent") -> Iterator[Remark]:
    """Yield what a gate asks less of than the same gate did ``before``, in the policy that ``than`` names."""
    for pattern in before.select:
        if pattern not in after.select:
            yield Remark(place=place, sentence=f'`select` has not "{pattern}", which {than}\'s has')
    ranks = tuple(Severity)
    if ranks.index(after.severity) > ranks.index(before.severity):
        yield Remark(place=place, sentence=f"severity is {after.severity}, {than}'s is {before.severity}")
    if before.unwaivable and not after.unwaivable:
        yield Remark(place=place, sentence=f"may be waived, {than}'s may not")
    if absent := len(set(before.cells).difference(after.cells)):
        yield Remark(place=place, sentence=f"the matrix leaves out {absent} of {than}'s cells")
    rules = {rule.name: rule for rule in after.limits}
    for rule in before.limits:
        if rule.name not in rules:
            yield Remark(place=place, sentence=f'no limit for "{rule.name}", which {than}\'s has')
        else:
            yield from _weaker_rule(rule, rules[rule.name], place, than)


def _weaker_rule(before: LimitRule, after: LimitRule, place: str, than: str) -> Iterator[Remark]:
    for word in ("limit", "baseline"):
        old, new = getattr(before, word), getattr(after, word)
        if old is not None and (new is None or _is_weaker(old, new)):
            now = new.text if new else "nothing"
            yield Remark(
                place=place,
                sentence=f'the {word} of "{before.name}" is {now}, weaker than {than}\'s {old.text}',
            )
    if (before.min_samples or 0) > (after.min_samples or 0):
        sentence = (
            f'"{before.name}" asks for {after.min_samples or 0} samples, {than}\'s for {before.min_samples}'
        )
        yield Remark(place=place, sentence=sentence)
    if before.abort and not after.abort:
        yield Remark(
            place=place,
            sentence=f'"{before.name}" no longer ends a run that breaks it, as {than}\'s does',
        )


def _is_weaker(old: Limit, new: Limit) -> bool:
    return _is_wider(old, new) or any(
        not any(_implies(bound, asked) for bound in new.bounds) for asked in old.bounds
    )


def _is_wider(old: Limit, new: Limit) -> bool:
    """Tell whether a limit that held in every window holds in longer ones only, or in none."""
    return old.window_s is not None and (new.window_s is None or new.window_s > old.window_s)


def _implies(bound: Bound, asked: Bound) -> bool:
    """Tell whether every value within ``bound`` is within ``asked``."""
    if bound.unit != asked.unit and (
        "pp" in (bound.unit, asked.unit) or dimension(bound.unit) != dimension(asked.unit)
    ):
        return False
    new = exact(bound.value, bound.unit, asked.unit) if bound.unit != asked.unit else bound.value
    if asked.operator == "==":
        return bound.operator == "==" and new == asked.value
    if bound.operator not in ("==", asked.operator[0], f"{asked.operator[0]}="):
        return False
    if new == asked.value:
        return "=" in asked.operator or bound.operator == asked.operator
    return (new < asked.value) == (asked.operator[0] == "<")
