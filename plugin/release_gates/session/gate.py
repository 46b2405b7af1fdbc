"""The ``gate`` fixture: what an engineer measures with."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from release_gates.candidate.store import ArtifactStore
from release_gates.errors import CandidateError, MeasurementError
from release_gates.judge.facts import flaw_of
from release_gates.judge.limits import matches
from release_gates.judge.tails import tail_of, value_at
from release_gates.model.gate import GateSpec
from release_gates.model.limit import LimitRule
from release_gates.model.measurement import Attachment, Measurement
from release_gates.model.paired import Paired
from release_gates.model.units import dimension
from release_gates.policy.settings import settings_for
from release_gates.session.briefing import Briefing
from release_gates.session.subject import Subject

Settings = TypeVar("Settings", bound=msgspec.Struct)

QUANTILES = (0.5, 0.99, 0.999)


class Gate:
    """One test's hold on its gate. Measure; what is good enough stands in the policy."""

    def __init__(self, spec: GateSpec, briefing: Briefing) -> None:
        self._spec = spec
        self._briefing = briefing
        self._measurements: dict[tuple[str, str], Measurement] = {}
        self._attachments: list[Attachment] = []
        self._refusals: list[MeasurementError] = []
        self._open = True

    # -- what is asked for ------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Name of the gate that this test belongs to."""
        return self._spec.name

    @property
    def environment(self) -> str | None:
        """The environment whose entry is being decided; None if nothing is decided."""
        return self._briefing.environment or None

    @property
    def rootdir(self) -> Path:
        """The folder that holds ``gates/``."""
        return Path(self._briefing.root)

    @property
    def limits(self) -> tuple[LimitRule, ...]:
        """The gate's rules, for showing; tests never compare by themselves."""
        return self._spec.limits

    def settings(self, kind: type[Settings]) -> Settings:
        """Return the gate's settings of one probe (the sub-table in policy), defaults where it has none."""
        return settings_for(self._spec, kind)

    def policy_file(self, path: str) -> str | None:
        """Return the text of a file below the policy folder as this run's rules have it, None without one.

        Such files (``findings/security.json``) are part of the rules digest. ``MeasurementError`` where
        nothing is decided, because no rules are kept then.
        """
        if not self._briefing.environment:
            raise MeasurementError(
                f"gates/{path} belongs to the rules of a run, and this run decides nothing.",
                slug="no-rules",
                hint="Run it as `pytest -m gate_ENVIRONMENT`.",
            )
        rules = self._store.get(self._briefing.policy.digest).read_text(encoding="utf-8")
        return msgspec.json.decode(rules, type=dict[str, str]).get(path)

    # -- who is measured --------------------------------------------------------------------------

    @property
    def candidate(self) -> Subject:
        """The release candidate; ``CandidateError`` if this run has none."""
        if self._briefing.candidate is None:
            raise CandidateError(
                "this run has no candidate: candidate.toml is absent.",
                slug="no-candidate",
                hint="`release-gates candidate create` writes it.",
            )
        root = Path(self._briefing.candidate_root)
        return Subject(self._briefing.candidate, store=self._store, root=root)

    @property
    def baseline(self) -> Subject | None:
        """The build that is live in the environment being entered; None if the ledger names none."""
        live = self._briefing.live
        if live is None or live.candidate is None:
            return None
        return Subject(live.candidate, store=self._store, root=None)

    # -- what was observed ------------------------------------------------------------------------

    def measure(
        self,
        name: str,
        value: float,
        unit: str,
        *,
        samples: int | None = None,
        baseline: float | None = None,
        key: str = "",
        distribution: Mapping[str, float] | None = None,
        no_baseline: str = "",
    ) -> None:
        """Record one observed value; it is judged when the test's call ends.

        ``baseline`` is the live build's value from this same run, in the same unit, or ``no_baseline`` says
        why it cannot have one: then a baseline rule is WARN. ``samples`` is how many observations stand
        behind the value; ``distribution`` quantiles in the same unit; ``key`` tells several values of one
        name apart. Raises ``MeasurementError`` for a value that is no finite real number, an unknown unit, a
        name measured twice, or after the call: such a test is ERROR even if it swallows the exception.
        """
        measurement = Measurement(
            name=name,
            value=self._number(name, value),
            unit=self._unit(name, unit),
            samples=self._count(name, samples),
            baseline=None if baseline is None else self._number(f"{name} (baseline)", baseline),
            key=key,
            distribution={
                quantile: self._number(f"{name} ({quantile})", at)
                for quantile, at in (distribution or {}).items()
            },
            no_baseline=no_baseline,
        )
        self._keep(measurement)

    def measure_paired(self, name: str, paired: Paired, unit: str, *, value: float, baseline: float) -> None:
        """Record a benchmark whose sides were measured in turn (`judge.sequential`); see ``measure``."""
        self._keep(
            Measurement(
                name=name,
                value=self._number(name, value),
                unit=self._unit(name, unit),
                samples=len(paired.processes) + len(paired.confirmation),
                baseline=self._number(f"{name} (baseline)", baseline),
                paired=paired,
            )
        )

    def measure_quantiles(
        self, name: str, values: Sequence[float], unit: str, *, quantiles: Sequence[float] = QUANTILES
    ) -> None:
        """Record ``name.p50``, ``name.p99``, ``name.p99.9`` … of all samples; see ``measure``.

        Each sample is counted against each limit that policy has for the quantile, so that neither a bucket
        nor an interpolation moves the verdict. No sample at all is MISSING, and one that is no finite
        number is refused.
        """
        ordered = sorted(self._number(name, value) for value in values)
        for quantile in quantiles:
            self._measure_quantile(f"{name}.p{quantile * 100:g}", ordered, self._unit(name, unit), quantile)

    def record(self, measurement: Measurement) -> None:
        """Record what a probe made of its samples: a quantile, a share, a series; see ``measure``."""
        if not measurement.absent:
            self._number(measurement.name, measurement.value)
            self._unit(measurement.name, measurement.unit)
        if flaw := flaw_of(measurement):
            raise self._refuse(
                f"{measurement.name}: {flaw}.",
                "bad-facts",
                "What a probe counted contradicts itself. Nothing is judged by it.",
            )
        self._keep(measurement)

    def failed(self, name: str, because: str) -> None:
        """Say that measuring a value went wrong. Its limits are ERROR, with this reason."""
        self._keep(Measurement(name=name, absent="error", because=because))

    def missing(self, name: str, because: str) -> None:
        """Say why a value could not be had. Its limits are MISSING, with this reason."""
        self._keep(Measurement(name=name, absent="missing", because=because))

    def inconclusive(self, name: str, because: str) -> None:
        """Say why what was seen cannot decide a value (the host lacks the hardware). Its limits are that."""
        self._keep(Measurement(name=name, absent="inconclusive", because=because))

    def not_applicable(self, name: str, because: str) -> None:
        """Say why a value has no meaning in this run. Its limits are WARN, with this reason."""
        self._keep(Measurement(name=name, absent="not_applicable", because=because))

    def attach(self, name: str, path: Path) -> None:
        """Keep a file with the evidence, by its content."""
        self._attachments.append(Attachment(name=name, sha256=self._store.put(path)))

    # -- for the session --------------------------------------------------------------------------

    def close(self) -> tuple[tuple[Measurement, ...], tuple[Attachment, ...]]:
        """End measuring and return what was observed; raises the first refusal that the test swallowed."""
        self._open = False
        if self._refusals:
            raise self._refusals[0]
        return tuple(self._measurements.values()), tuple(self._attachments)

    @property
    def observed(self) -> tuple[Measurement, ...]:
        """All measurements so far, in the order in which they were taken."""
        return tuple(self._measurements.values())

    def _measure_quantile(self, name: str, ordered: Sequence[float], unit: str, quantile: float) -> None:
        if not ordered:
            self.missing(name, "there is no sample")
            return
        rules = [rule for rule in self._spec.limits if matches(rule.name, name)]
        limits = [limit for rule in rules for limit in (rule.limit, rule.target) if limit]
        bounds = [bound for limit in limits for bound in limit.bounds]
        self._keep(
            Measurement(
                name=name,
                value=value_at(ordered, quantile),
                unit=unit,
                samples=len(ordered),
                tail=tail_of(ordered, unit, quantile, bounds),
            )
        )

    @property
    def _store(self) -> ArtifactStore:
        return ArtifactStore(self._briefing.state / "artifacts")

    def _keep(self, measurement: Measurement) -> None:
        key = (measurement.name, measurement.key)
        if not self._open:
            raise self._refuse(
                f"{measurement.name} was measured after the test's call had ended.",
                "measured-late",
                "Measure inside the test function; a fixture's teardown is too late.",
            )
        if key in self._measurements:
            raise self._refuse(
                f"{measurement.name} was measured twice in one test.",
                "measured-twice",
                "Give each value a key=, or a name of its own.",
            )
        self._measurements[key] = measurement

    def _number(self, name: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise self._refuse(
                f"{name} = {value!r}: a measured value is a real number.",
                "not-a-number",
                "Use `assert` for yes or no, and gate.missing() for no value.",
            )
        number = float(value)
        if not math.isfinite(number):
            raise self._refuse(
                f"{name} = {number}: a measured value is finite.", "not-finite", "What was divided by zero?"
            )
        return number

    def _unit(self, name: str, unit: object) -> str:
        try:
            if not isinstance(unit, str):
                raise ValueError(f"unit {unit!r} is no text")
            dimension(unit)
        except ValueError as error:
            raise self._refuse(f"{name}: {error}", "unknown-unit", "") from None
        return unit

    def _count(self, name: str, samples: object) -> int | None:
        if samples is None:
            return None
        if isinstance(samples, bool) or not isinstance(samples, numbers.Integral) or samples < 0:
            raise self._refuse(f"{name}: samples = {samples!r} is no count.", "not-a-count", "")
        return int(samples)

    def _refuse(self, message: str, slug: str, hint: str) -> MeasurementError:
        refusal = MeasurementError(message, slug=slug, hint=hint)
        self._refusals.append(refusal)
        return refusal
