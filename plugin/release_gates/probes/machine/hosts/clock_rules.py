"""How far the clock is from UTC at worst, by whoever disciplines it; and what tuned says of itself."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import pairwise

from release_gates.model.rule import Undecided
from release_gates.probes.machine.hosts.facts import Facts, whole
from release_gates.probes.machine.hosts.kernel_rules import Check
from release_gates.probes.machine.hosts.profile import Profile
from release_gates.probes.machine.hosts.rule import Fault

CLOCKS = ("chrony", "ptp4l", "adjtimex")
UNSYNCHRONISED = 0x40
"""STA_UNSYNC of adjtimex(2)."""
NOBODY = frozenset({"00000000", "7F7F0101"})
"""Reference ids of chrony: none, and its own clock (the directive ``local``), which is nobody's UTC."""


def clock_error_us(facts: Facts, profile: Profile) -> float:
    """Return how far the clock can be from UTC, in microseconds: the bound, not the estimate.

    By chrony it is offset + root dispersion + half of the root delay, by ptp4l the offset from its master, by
    adjtimex the kernel's own bound. ``Undecided`` where the source does not tell it; infinite where it says
    that it follows nobody.
    """
    if profile.clock == "chrony":
        return _chrony(facts, profile)
    return _ptp4l(facts) if profile.clock == "ptp4l" else _kernel(facts)


def _clock(facts: Facts, profile: Profile) -> Iterator[Fault]:
    error, budget = clock_error_us(facts, profile), profile.clock_budget_us
    if not error <= budget:
        found = "followed by nobody" if math.isinf(error) else f"up to {error:.1f} us from UTC"
        yield Fault(place=f"the clock by {profile.clock}", found=found, expected=f"at most {budget:g} us")


def _chrony(facts: Facts, profile: Profile) -> float:
    answer = facts.answer("chronyc")
    fields = answer.text.strip().split(",")
    if answer.status != 0 or len(fields) != 14:
        raise Undecided(f"chronyc tracking says {answer.text[:80]!r}")
    identity, leap = fields[0].upper(), fields[13]
    reference, offset, delay, dispersion = (_seconds(fields[at]) for at in (3, 4, 10, 11))
    if identity in NOBODY or leap not in {"Normal", "Insert second", "Delete second"}:
        return math.inf
    age = whole(facts.answer("date").text, "date") - reference
    if not -1.5 <= age <= profile.clock_age_s:
        return math.inf
    if delay < 0 or dispersion < 0:
        raise Undecided(f"chronyc tracking says {answer.text[:80]!r}")
    return (abs(offset) + dispersion + delay / 2) * 1e6


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[-+]?[0-9]{1,12}(\.[0-9]{1,12})?", text, re.ASCII):
        raise Undecided(f"chronyc tracking says {text[:40]!r}, which is no number")
    return float(text)


def _ptp4l(facts: Facts) -> float:
    """The hardware clock by ptp4l; that the system's clock follows it, by the kernel."""
    answer = facts.answer("pmc")
    said = [line.split() for line in answer.text.splitlines() if len(line.split()) == 2]
    values = {
        name: [value for key, value in said if key == name]
        for name in ("master_offset", "gmPresent", "portState")
    }
    if answer.status != 0 or len(values["master_offset"]) != 1 or len(values["gmPresent"]) != 1:
        raise Undecided(f"pmc does not tell the state of ptp4l once: {' '.join(answer.text.split())[:80]!r}")
    if values["gmPresent"] != ["true"] or "SLAVE" not in values["portState"] or math.isinf(_kernel(facts)):
        return math.inf
    return abs(whole(values["master_offset"][0], "master_offset")) / 1000


def _kernel(facts: Facts) -> float:
    answer = facts.answer("adjtimex")
    words = answer.text.replace(":", " ").split()
    values = {
        name: [value for key, value in pairwise(words) if key == name] for name in ("status", "maxerror")
    }
    if answer.status != 0 or any(len(found) != 1 for found in values.values()):
        raise Undecided(f"adjtimex says {' '.join(words)[:80]!r}")
    if whole(values["status"][0], "adjtimex") & UNSYNCHRONISED:
        return math.inf
    return float(whole(values["maxerror"][0], "adjtimex"))


def _tuned(facts: Facts, _profile: Profile) -> Iterator[Fault]:
    for name in ("tuned_active", "tuned_verify"):
        answer = facts.answer(name)
        lines = answer.text.split("\n")
        if answer.status != 0 or "No current active profile." in lines:
            command = name.replace("_", "-adm ")
            found = f"status {answer.status}, {lines[-1][:80]!r}"
            yield Fault(place=command, found=found, expected="status 0 and a profile")


CHECKS: dict[str, tuple[Check, ...]] = {"HL21": (_clock,), "HL30": (_tuned,)}
"""Rule -> its parts."""
