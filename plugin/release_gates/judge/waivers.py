"""Does a waiver count: for this candidate, at this moment, with a bound? Pure; what is in doubt does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from packaging.version import InvalidVersion, Version

from release_gates.judge.limits import matches
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.gate import EnvironmentPolicy, GateSpec
from release_gates.model.limit import Bound, Limit
from release_gates.model.person import same_person
from release_gates.model.waiver import Waiver


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiving:
    """What a decision on one gate knows of waivers: those that name the gate, and what they are held against.

    ``waivers`` are all of a policy; ``named`` picks those for this gate of this entry.
    """

    waivers: tuple[Waiver, ...]
    environment: EnvironmentPolicy
    gate: GateSpec
    candidate: ReleaseCandidate | None
    now: datetime

    def named(self, *, limit: str = "", test: str = "") -> tuple[Waiver, ...]:
        """Return the waivers for one limit or one test of the gate, whether they count or not."""
        return tuple(
            each
            for each in self.waivers
            if (each.environment, each.gate, each.limit, each.test)
            == (self.environment.name, self.gate.name, limit, test)
        )

    def void(self, waiver: Waiver) -> str:
        """Return why a waiver does not count here, "" if it does."""
        return void_because(
            waiver, environment=self.environment, gate=self.gate, candidate=self.candidate, now=self.now
        )


def void_because(
    waiver: Waiver,
    *,
    environment: EnvironmentPolicy,
    gate: GateSpec,
    candidate: ReleaseCandidate | None,
    now: datetime,
) -> str:
    """Return why a waiver does not count at this moment, "" if it does. Without a candidate it never does."""
    if candidate is None or not _is_for(waiver, candidate):
        return "it is for another candidate"
    return unfit_because(waiver, environment=environment, gate=gate, now=now)


def unfit_because(waiver: Waiver, *, environment: EnvironmentPolicy, gate: GateSpec, now: datetime) -> str:
    """Return why a waiver counts for no candidate at this moment, "" if it does for its own."""
    last = (waiver.expires - timedelta(microseconds=1)).astimezone(UTC).date()
    days = (last - waiver.created.astimezone(UTC).date()).days
    most = environment.max_waiver_days
    checks = (
        (gate.unwaivable, f"gate {gate.name} may not be waived"),
        (
            same_person(waiver.approver, waiver.owner),
            f"{waiver.approver} is its owner and its approver",
        ),
        (
            waiver.created > now,
            f"it was created in the future, at {waiver.created:%Y-%m-%d %H:%M} UTC",
        ),
        (waiver.expires <= now, f"it expired at {waiver.expires:%Y-%m-%d %H:%M:%S} UTC"),
        (waiver.expires <= waiver.created, "it ends before it begins"),
        (
            days > most,
            f"it lasts {days} days, and a waiver for {environment.name} lasts at most {most}",
        ),
    )
    return next((because for wrong, because in checks if wrong), _endless(waiver, gate))


def covering(
    fingerprints: Sequence[str], named: Sequence[Waiver], waiving: Waiving
) -> tuple[Waiver, ...] | str:
    """Return the waivers that cover these failures, all of them, or why they do not, in words."""
    void = {each.name: waiving.void(each) for each in named}
    counting = [each for each in named if not void[each.name]]
    used = tuple(each for each in counting if each.fingerprint in fingerprints)
    if fingerprints and set(fingerprints) <= {each.fingerprint for each in used}:
        return used
    if counting:
        names = ", ".join(each.name for each in counting)
        return f"another failure than the one that is waived ({names})"
    return not_counting(named, void)


def _endless(waiver: Waiver, gate: GateSpec) -> str:
    """Return where a waiver has no bound: each rule needs one on the side on which it may break."""
    if waiver.test:
        return "" if waiver.fingerprint else "it names no fingerprint, so it would cover any failure"
    if waiver.bound is None and waiver.change is None:
        return "it has no bound"
    for rule in gate.limits:
        if matches(rule.name, waiver.limit):
            for own, bound in ((rule.limit, waiver.bound), (rule.baseline, waiver.change)):
                if own is not None and bound is not None and not _bounds_like(bound, own):
                    return f"{bound.text} is no bound for {own.text}"
    return ""


def _bounds_like(bound: Limit, own: Limit) -> bool:
    return bound.window_s in (None, own.window_s) and _sides(own) <= _sides(bound)


def _sides(limit: Limit) -> set[str]:
    """Return the sides on which a limit ends."""
    return {side for bound in limit.bounds for side in _sides_of(bound)}


def _sides_of(bound: Bound) -> tuple[str, ...]:
    match bound.operator:
        case "<=" | "<":
            return ("above",)
        case ">=" | ">":
            return ("below",)
        case "==":
            return ("above", "below") if bound.value else ("above",)  # nothing measured is below zero


def not_counting(named: Sequence[Waiver], void: dict[str, str]) -> str:
    """Return why none of these waivers counts."""
    return "; ".join(f"waiver {each.name} does not count: {void[each.name]}" for each in named)


def _is_for(waiver: Waiver, candidate: ReleaseCandidate) -> bool:
    if waiver.versions is None:
        return bool(waiver.candidate) and waiver.candidate == candidate.digest
    first, last = waiver.versions
    try:
        return Version(first) <= Version(candidate.version) <= Version(last)
    except InvalidVersion:
        return False
