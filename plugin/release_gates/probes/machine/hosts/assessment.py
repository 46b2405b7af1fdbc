"""What a test asks of the hosts that policy names: the fixture ``gate_host`` without its pytest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
import pytest

from release_gates.errors import GateError, MeasurementError
from release_gates.model.rule import Undecided
from release_gates.model.severity import Severity
from release_gates.probes.machine.hosts.catalogue import CATALOGUE, ids
from release_gates.probes.machine.hosts.clock_rules import clock_error_us
from release_gates.probes.machine.hosts.facts import Facts
from release_gates.probes.machine.hosts.judging import Report, judge_host
from release_gates.probes.machine.hosts.rule import NotThere
from release_gates.probes.machine.hosts.seen import Absent, Hosts, Seen
from release_gates.probes.machine.hosts.settings import HostSettings

Settings = TypeVar("Settings", bound=msgspec.Struct)
SHOWN = 10
"""So many findings of a rule stand in one sentence before "and N more"."""
COUNTS = ("host.hosts", "host.decided", "host.tolerated", "host.off", "host.not_applicable")


class Gate(Protocol):
    """The fixture ``gate``, as far as hosts need it."""

    @property
    def rootdir(self) -> Path:
        """The folder that holds ``gates/``."""
        ...

    def settings(self, kind: type[Settings]) -> Settings:
        """Return the settings of a probe."""
        ...

    def measure(self, name: str, value: float, unit: str, *, samples: int | None = None) -> None:
        """Record one observed value."""
        ...

    def missing(self, name: str, because: str) -> None:
        """Say why a value could not be had."""
        ...

    def not_applicable(self, name: str, because: str) -> None:
        """Say why a value has no meaning."""
        ...

    def attach(self, name: str, path: Path) -> None:
        """Keep a file with the evidence."""
        ...


class GateHost:
    """The hosts of a gate: each rule of the catalogue, asked of all of them."""

    def __init__(self, gate: Gate, hosts: Hosts, folder: Path) -> None:
        """Judge by the settings of ``gate``; read each host once for the session; keep facts in a folder."""
        self._gate, self._hosts, self._folder = gate, hosts, folder
        self.settings = gate.settings(HostSettings)

    def check(self, rule: str) -> None:
        """Fail if a host breaks a rule; every finding from ``fails_from`` on is in the sentence.

        A host that could not be read, and a rule that could not be decided on one, is an error; facts that
        are absent or stale are INCONCLUSIVE here and MISSING in what ``measure`` counts.
        """
        if rule not in CATALOGUE:
            raise MeasurementError(
                f"no rule bears the name {rule}.",
                slug="host-rule",
                hint=f"There are: {', '.join(CATALOGUE)}.",
            )
        report = self._report((rule,))
        failing = [each.sentence for each in report.findings if self._fails(each.severity)]
        if failing:
            more = len(failing) - SHOWN
            raise AssertionError("\n".join([*failing[:SHOWN], *([f"and {more} more"] if more > 0 else [])]))
        self._require_whole()
        if report.doubts:
            raise MeasurementError(
                "; ".join(doubt.sentence for doubt in report.doubts) + ".",
                slug="host-undecided",
                hint="What nobody looked at is no pass: make it visible, or switch the rule off with reason.",
            )
        silent = (*report.off, *report.inapplicable)
        if len(silent) == len(self._seen) and not report.findings:
            reasons = dict.fromkeys(each.because for each in silent)
            self._gate.not_applicable(f"rule.{rule}", "; ".join(reasons))

    def measure(self) -> None:
        """Measure how much was judged: hosts, rules decided, tolerated, off and not applicable, in "count".

        ``host.clock_error`` is how far the worst clock can be from UTC, in ``us``, of hosts that are asked.
        All are MISSING where facts are absent or stale.
        """
        if absent := self._absent:
            for name in (*COUNTS, "host.clock_error"):
                self._gate.missing(name, "; ".join(absent))
            return
        self._require_whole()
        self._require_something()
        report, seen = self._report(), self._seen
        mild = sum(not self._fails(each.severity) for each in report.findings)
        counts = (len(seen), report.decided, mild, len(report.off), len(report.inapplicable))
        for name, count in zip(COUNTS, counts, strict=True):
            if name == "host.decided" and report.doubts:
                rules = dict.fromkeys(each.rule.id for each in report.doubts)
                self._gate.missing(name, f"{', '.join(rules)} could not be decided")
            else:
                self._gate.measure(name, count, "count", samples=len(seen))
        self._attach()
        self._measure_clock()

    def _attach(self) -> None:
        """Keep the facts of every host with the evidence: those that were judged, not the file of now."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for number, each in enumerate(self._seen, 1):
            if isinstance(each.facts, Facts):
                file = self._folder / f"host-facts-{number}.json"
                file.write_bytes(msgspec.json.encode(each.facts))
                self._gate.attach(file.name, file)

    def _require_something(self) -> None:
        """Raise ``MeasurementError`` for a host of which no rule was decided: 0 findings of 0 is no pass."""
        empty = [each.name for each in self._seen if not self._judged(each, ids()).decided]
        if empty:
            raise MeasurementError(
                f"no rule at all was decided on {', '.join(empty)}.",
                slug="host-undecided",
                hint="Take the host out of policy, or ask at least one rule of it.",
            )

    def _measure_clock(self) -> None:
        errors = []
        for each in self._seen:
            if "HL21" not in each.profile.off and isinstance(each.facts, Facts):
                try:
                    errors.append(clock_error_us(each.facts, each.profile))
                except (NotThere, Undecided) as error:
                    if isinstance(error, NotThere) and "HL21" in each.profile.absent:
                        continue
                    self._gate.missing("host.clock_error", f"{each.name}: {error}")
                    return
        if not errors:
            self._gate.not_applicable("host.clock_error", "no host is asked how far its clock is from UTC")
        elif max(errors) < float("inf"):
            self._gate.measure("host.clock_error", max(errors), "us", samples=len(errors))
        else:
            self._gate.missing("host.clock_error", "a clock follows nobody")

    # -- what was seen ----------------------------------------------------------------------------

    @property
    def _all(self) -> tuple[Seen | Absent, ...]:
        return self._hosts.seen(self.settings, self._gate.rootdir)

    @property
    def _seen(self) -> tuple[Seen, ...]:
        return tuple(each for each in self._all if isinstance(each, Seen))

    @property
    def _absent(self) -> tuple[str, ...]:
        return tuple(each.because for each in self._all if isinstance(each, Absent))

    def _report(self, rules: Sequence[str] = ids()) -> Report:
        return sum((self._judged(each, rules) for each in self._seen), Report())

    def _judged(self, each: Seen, rules: Sequence[str]) -> Report:
        if not isinstance(each.facts, Facts):
            return Report()
        severities = self.settings.severity
        return judge_host(each.facts, each.profile, name=each.name, rules=rules, severities=severities)

    def _require_whole(self) -> None:
        """Raise the first host's error; end as INCONCLUSIVE where facts are absent or stale."""
        for each in self._seen:
            if isinstance(each.facts, GateError):
                raise each.facts
        if self._absent:
            raise pytest.skip.Exception("; ".join(self._absent))

    def _fails(self, severity: Severity) -> bool:
        return severity.rank <= self.settings.fails_from.rank
