"""``gate_load``: load a target as a profile of the policy says, and measure what came of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from release_gates.errors import MeasurementError
from release_gates.model.limit import LimitRule
from release_gates.model.measurement import Measurement
from release_gates.probes.load.alarm import Alarm
from release_gates.probes.load.drive import RECORDING, Run, drive
from release_gates.probes.load.knee import Step, next_rate
from release_gates.probes.load.limits import thresholds_of
from release_gates.probes.load.live import LiveLine, Say
from release_gates.probes.load.measuring import measurements, standing
from release_gates.probes.load.plan import Phase, Plan
from release_gates.probes.load.recording import Recording
from release_gates.probes.load.recovery import check_recover, recoveries
from release_gates.probes.load.settings import LoadSettings, Profile, Steps
from release_gates.probes.load.stress import kept, knee, step_phases
from release_gates.probes.load.targets import Started, Target, resolve
from release_gates.probes.load.traffic import Traffic
from release_gates.probes.load.turns import compared, order_of, turn_phases
from release_gates.probes.load.usage import resources

Settings = TypeVar("Settings", bound=msgspec.Struct)


class Gate(Protocol):
    """The fixture ``gate``, as far as this probe needs it."""

    @property
    def rootdir(self) -> Path:
        """The folder that holds ``gates/``."""
        ...

    @property
    def limits(self) -> tuple[LimitRule, ...]:
        """The gate's rules."""
        ...

    def settings(self, kind: type[Settings]) -> Settings:
        """Return the settings of a probe."""
        ...

    def record(self, measurement: Measurement) -> None:
        """Record what was observed."""
        ...

    def attach(self, name: str, path: Path) -> None:
        """Keep a file with the evidence."""
        ...


class GateLoad:
    """Loads a target from a process of its own, and says PASS, FAIL or INCONCLUSIVE of it by the policy."""

    def __init__(self, gate: Gate, folder: Path, say: Say, *, every_s: float) -> None:
        """Prepare to load; ``say`` gets a line every ``every_s`` seconds of a run."""
        self._gate = gate
        self._folder = folder
        self._say = say
        self._every_s = every_s
        self._settings = gate.settings(LoadSettings)
        self._runs = itertools.count(1)

    def run(
        self,
        target: str | Started,
        traffic: Traffic | None = None,
        *,
        profile: str,
        codec: type | None = None,
        locustfile: str = "",
        users: Sequence[str] = (),
    ) -> Run:
        """Load a target with a profile and record what came of every endpoint.

        ``target`` is a name of ``[gate.NAME.load.targets]``, or a service that the test started. ``traffic``
        is what the open driver sends, as HTTP or as ``codec`` says (a class made from `open.codec.Codec`);
        ``locustfile`` (from the project's root) with ``users``, none for all of its classes, is what locust
        does. Raises ``MeasurementError`` for a target that may not be loaded,
        and where the generator could not do it.
        """
        chosen, load = self._profile(profile), Load(traffic, locustfile, tuple(users), codec)
        who = resolve(self._settings, target)
        if chosen.turns is not None:
            raise _wrong_profile(profile, "compares two builds", "Call gate_load.compare(…)")
        if chosen.steps is not None:
            return self._find_knee(profile, chosen, chosen.steps, who, load)
        check_recover(chosen.phases, self._gate.limits)
        rules = self._gate.limits
        run = self._fit_run(self._plan(who, chosen, chosen.phases, load), who, chosen.attempts, rules)
        found = (*measurements(run, rules), *resources(run, chosen.horizon_s), *recoveries(run, rules))
        self._record(standing(run, found))
        return run

    def compare(
        self, candidate: Started, baseline: Started | None, traffic: Traffic, *, profile: str
    ) -> tuple[Run, ...]:
        """Load candidate and live build in turn, and record what the candidate's requests took beside it.

        ``baseline`` is None where nothing is live: then only the candidate's own values are recorded. No turn
        is ended early: a short one would not be like the others.
        """
        chosen, load = self._profile(profile), Load(traffic, "", ())
        if chosen.turns is None:
            raise _wrong_profile(profile, "compares nothing", "Give it turns = { pairs = 8 }")
        phases = turn_phases(chosen.turns, chosen.connections)
        sides = {"candidate": resolve(self._settings, candidate)}
        if baseline is not None:
            sides["baseline"] = resolve(self._settings, baseline)
        plans = {side: self._plan(who, chosen, phases, load) for side, who in sides.items()}
        runs = [
            (side, self._fit_run(plans[side], sides[side], chosen.attempts, ()))
            for side in order_of(chosen.turns.pairs, tuple(sides))
        ]
        self._record(compared(runs, chosen.turns.seconds))
        return tuple(run for _, run in runs)

    def _find_knee(self, name: str, profile: Profile, steps: Steps, who: Target, load: Load) -> Run:
        """Step the rate up to the knee; the last run is returned."""
        tried: list[Step] = []
        run: Run | None = None
        while (rate := next_rate(steps, tried)) is not None:
            phases = step_phases(rate, steps.seconds)
            run = self._run(self._plan(who, profile, phases, load), who, self._gate.limits)
            tried.append(Step(rate, kept(run, self._gate.limits)))
        if run is None:
            raise AssertionError("a search for the knee has a first step")
        self._record((knee(f"{name}.knee", tried),))
        return run

    def _fit_run(self, plan: Plan, who: Target, attempts: int, rules: Sequence[LimitRule]) -> Run:
        """Run a plan; again where the generator was not fit, as often as policy lets it.

        Not where it may have been the target: that would choose among its runs.
        """
        run = self._run(plan, who, rules)
        for attempt in range(2, attempts + 1):
            if not run.unfit or run.stopped or run.starved:
                break
            self._say(f"{run.unfit}; run {attempt} of {attempts}")
            run = self._run(plan, who, rules)
        return run

    def _run(self, plan: Plan, who: Target, rules: Sequence[LimitRule]) -> Run:
        """Run a plan once; what breaks one of the rules with ``abort`` ends it early."""
        folder = self._folder / f"load-{next(self._runs)}"
        line = LiveLine(self._say, plan, every_s=self._every_s)
        alarm = Alarm(rules, plan)

        def watch(recording: Recording, at_s: float) -> str:
            line.tick(recording, at_s)
            return alarm.reason(recording)

        try:
            return drive(plan, who, folder=folder, watch=watch, variables=self._settings.variables)
        finally:
            if (folder / RECORDING).exists():
                self._gate.attach(f"{folder.name}.json", folder / RECORDING)

    def _plan(self, who: Target, profile: Profile, phases: Sequence[Phase], load: Load) -> Plan:
        ca_file = self._settings.ca_file
        return Plan(
            target=who.url,
            addresses=who.addresses,
            root=str(self._gate.rootdir),
            phases=tuple(phases),
            thresholds=thresholds_of(self._gate.limits),
            traffic=_spelled(load.traffic),
            codec=_spelled(load.codec),
            locustfile=load.locustfile,
            user_classes=load.users,
            connections=profile.connections,
            timeout_s=profile.timeout_s,
            backlog=profile.backlog,
            ca_file=str(self._gate.rootdir / ca_file) if ca_file else "",
            processes=profile.processes,
            options=self._settings.locust if load.locustfile else {},
        )

    def _profile(self, name: str) -> Profile:
        found = self._settings.profile.get(name)
        if found is None:
            known = ", ".join(sorted(self._settings.profile)) or "none"
            raise MeasurementError(
                f"profile {name!r}: policy has no such profile (it has: {known}).",
                slug="load-profile",
                hint="Write it as [gate.NAME.load.profile.…] in the environment's file.",
            )
        return found

    def _record(self, found: Iterable[Measurement]) -> None:
        for measurement in found:
            self._gate.record(measurement)


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent: a traffic of the open driver, or a locustfile."""

    traffic: Traffic | None
    locustfile: str
    users: tuple[str, ...]
    codec: type | None = None

    def __post_init__(self) -> None:
        if (self.traffic is None) == (not self.locustfile) or (self.codec and self.locustfile):
            raise MeasurementError(
                "gate_load.run: name either a traffic or a locustfile; a codec is for traffic only.",
                slug="load-traffic",
                hint='Give it a function of requests, or locustfile="suites/load/locustfile.py".',
            )
        for given in (self.traffic, self.codec):
            if "<" in _spelled(given):
                raise MeasurementError(
                    f"traffic {_spelled(given)}: another process cannot import it.",
                    slug="load-traffic",
                    hint="Define it at the top of a module that the project's root can import.",
                )


def _spelled(given: Traffic | type | None) -> str:
    """Return ``module:name``, as the generator imports it."""
    return "" if given is None else f"{given.__module__}:{given.__qualname__}"


def _wrong_profile(name: str, what: str, hint: str) -> MeasurementError:
    return MeasurementError(f"profile {name!r}: {what}.", slug="load-profile", hint=hint)
