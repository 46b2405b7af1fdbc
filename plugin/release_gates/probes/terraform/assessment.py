"""What a test asks of a plan that policy names: the fixture ``gate_terraform`` without its pytest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
import pytest

from release_gates.errors import GateError, MeasurementError
from release_gates.model.foreign import plain
from release_gates.model.severity import Severity
from release_gates.probes.terraform.catalogue import CATALOGUE, ids
from release_gates.probes.terraform.judging import Report, judge_plan
from release_gates.probes.terraform.plan import Plan, read_plan
from release_gates.probes.terraform.program import invalid, unformatted
from release_gates.probes.terraform.settings import TerraformSettings
from release_gates.probes.terraform.sources import (
    Saved,
    Sources,
    differing,
    read_folder,
    read_saved,
)

Settings = TypeVar("Settings", bound=msgspec.Struct)
SHOWN = 10
"""So many findings of a rule stand in one sentence before "and N more"."""
COUNTS = ("resources", "decided", "tolerated", "exempted", "off", "destroyed")
SKEW = timedelta(minutes=5)
"""So far may the clock be ahead on which the plan was made."""


class Build(Protocol):
    """What this probe needs of a candidate."""

    def artifact(self, name: str) -> Path:
        """Return an artifact in the store, hashed again; raises GateError."""
        ...


class Gate(Protocol):
    """The fixture ``gate``, as far as plans need it."""

    @property
    def candidate(self) -> Build:
        """The candidate."""
        ...

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


@dataclass(frozen=True, slots=True)
class Read:
    """A plan with its sources; ``absent`` says why it is no evidence, "" where it is."""

    plan: Plan
    sources: Sources
    absent: str


class Plans:
    """What was read in this session, once for each candidate and policy."""

    def __init__(self, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Read nothing yet; ``clock`` tells how old a plan is."""
        self.clock = clock
        self._kept: dict[bytes, Read | GateError] = {}

    def read(self, gate: Gate, settings: TerraformSettings) -> Read:
        """Return the plan that the settings name; an error is kept, and raised each time."""
        files = tuple(
            gate.candidate.artifact(name) if name else Path() for name in (settings.plan, settings.saved)
        )
        key = msgspec.json.encode((settings, str(gate.rootdir), *map(str, files)))
        if key not in self._kept:
            try:
                self._kept[key] = _read(settings, gate.rootdir, files[0], files[1], self.clock())
            except GateError as error:
                self._kept[key] = error
        found = self._kept[key]
        if isinstance(found, GateError):
            raise found
        return found


class GateTerraform:
    """The plan of a gate: each rule of the catalogue, asked of all of it."""

    def __init__(self, gate: Gate, plans: Plans) -> None:
        """Judge by the settings of ``gate``; read its plan once for the session."""
        self._gate, self._plans = gate, plans
        self.settings = gate.settings(TerraformSettings)

    def check(self, rule: str) -> None:
        """Fail if the plan breaks a rule; every finding from ``fails_from`` on is in the sentence.

        A plan that cannot be read, and a value that is known only after apply, is an error; a plan that is
        stale or empty is INCONCLUSIVE here and MISSING in what ``measure`` counts.
        """
        if rule not in CATALOGUE:
            raise MeasurementError(
                f"no rule bears the name {rule}.",
                slug="terraform-rule",
                hint=f"There are: {', '.join(CATALOGUE)}.",
            )
        read = self._read()
        report = self._judged(read, rule)
        failing = [one.sentence for one in report.findings if self._fails(one.severity)]
        if failing:
            more = len(failing) - SHOWN
            raise AssertionError("\n".join([*failing[:SHOWN], *([f"and {more} more"] if more > 0 else [])]))
        if read.absent:
            raise pytest.skip.Exception(read.absent)
        if report.doubts:
            shown = "; ".join(one.sentence for one in report.doubts[:SHOWN])
            raise MeasurementError(
                f"{len(report.doubts)} places cannot be decided: {shown}",
                slug="terraform-undecided",
                hint="What nobody knows is no pass: write the value down, or exempt the address until a day.",
            )
        if rule in report.off:
            self._gate.not_applicable(f"rule.{rule}", report.off[rule])

    def check_sources(self) -> None:
        """Fail if ``program`` would format the sources otherwise, or finds them invalid.

        Not applicable where policy names no program; without the program that it names, it is an error.
        """
        program, folder = self.settings.program, self._gate.rootdir / self.settings.folder
        if not program:
            self._gate.not_applicable("terraform.sources", "policy names no program to ask")
            return
        wrong = [f"{name} is not formatted: {program} fmt" for name in unformatted(program, folder)]
        wrong += invalid(program, folder) if self.settings.validate else []
        if wrong:
            raise AssertionError("\n".join(wrong[:SHOWN]))

    def measure(self) -> None:
        """Measure ``terraform.resources``, ``.decided`` (rules), ``.tolerated``, ``.exempted``, ``.off``
        and ``.destroyed``, in "count".

        All are MISSING for a plan that is stale or empty, ``decided`` where a rule could not be decided.
        """
        read = self._read()
        if read.absent:
            for name in COUNTS:
                self._gate.missing(f"terraform.{name}", read.absent)
            return
        report = self._judged(read, *ids())
        undecided = dict.fromkeys(one.rule.id for one in report.doubts)
        destroyed = sum("delete" in one.change.actions for one in read.plan.managed)
        mild = sum(not self._fails(one.severity) for one in report.findings)
        counts = (len(ids()) - len(report.off), mild, len(report.exempted), len(report.off), destroyed)
        for name, count in zip(COUNTS, (report.resources, *counts), strict=True):
            if name == "decided" and undecided:
                self._gate.missing("terraform.decided", f"{', '.join(undecided)} could not be decided")
            else:
                self._gate.measure(f"terraform.{name}", count, "count", samples=report.resources)

    def _read(self) -> Read:
        return self._plans.read(self._gate, self.settings)

    def _judged(self, read: Read, *rules: str) -> Report:
        today = self._plans.clock().astimezone(UTC).date()
        return judge_plan(read.plan, read.sources, self.settings, today, rules=rules)

    def _fails(self, severity: Severity) -> bool:
        return severity.rank <= self.settings.fails_from.rank


def stale(plan: Plan, sources: Sources, saved: Saved | None, *, now: datetime, hours: float) -> str:
    """Return why a plan is no evidence for its sources, "" where it is."""
    if not plan.managed:
        return "the plan has no resource, and no finding in nothing is no pass"
    if plan.timestamp is None or plan.timestamp.tzinfo is None:
        return "the plan does not say when it was made (Terraform 1.5 and later do)"
    problem = _too_old(plan.timestamp, now, hours)
    if not problem:
        problem = _other_plan(plan.timestamp, sources, saved) if saved else _changed(plan.timestamp, sources)
    return problem and f"the plan was made at {plan.timestamp.isoformat()}{problem}"


def _too_old(made: datetime, now: datetime, hours: float) -> str:
    if made > now + SKEW:
        return ", which is in the future"
    return f", more than {hours:g} h ago" if now - made > timedelta(hours=hours) else ""


def _other_plan(made: datetime, sources: Sources, saved: Saved) -> str:
    if made.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode() not in saved.plan:
        return ", and the saved plan at another time: they are two plans"
    files = differing(saved, sources)
    return f", of sources that are others now: {plain(', '.join(files), 200)}" if files else ""


def _changed(made: datetime, sources: Sources) -> str:
    moment = made.timestamp() + 1  # it is told in whole seconds
    newer = [name for name, at in sorted(sources.changed.items()) if not at <= moment]
    return f", before its sources were changed: {plain(', '.join(newer), 200)}" if newer else ""


def _read(settings: TerraformSettings, root: Path, plan: Path, saved: Path, now: datetime) -> Read:
    told = read_plan(settings.plan, plan.read_bytes())
    sources = read_folder(root / settings.folder)
    copied = read_saved(settings.saved, saved.read_bytes()) if settings.saved else None
    return Read(told, sources, stale(told, sources, copied, now=now, hours=settings.plan_hours))
