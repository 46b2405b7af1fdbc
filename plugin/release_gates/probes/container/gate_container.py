"""What a test asks of the candidate's image and of the containers that run it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from release_gates.errors import CandidateError, GateError, MeasurementError
from release_gates.model.rule import Undecided
from release_gates.model.severity import Severity
from release_gates.probes.container import signature, vulnerabilities
from release_gates.probes.container.archive import read_archive
from release_gates.probes.container.assessment import (
    judge_container,
    judge_dockerfile,
    judge_image,
    read_container,
    read_image,
)
from release_gates.probes.container.catalogue import CATALOGUE
from release_gates.probes.container.engine import CHUNK_BYTES, Engine
from release_gates.probes.container.image_facts import ImageFacts
from release_gates.probes.container.image_rules import known_digests
from release_gates.probes.container.judging import Report, judge
from release_gates.probes.container.oci_index import Index, read_index
from release_gates.probes.container.profile import Profile
from release_gates.probes.container.report_file import ScanReport, read_scan
from release_gates.probes.container.rule import Fault
from release_gates.probes.container.settings import ContainerSettings

Settings = TypeVar("Settings", bound=msgspec.Struct)
Kept = TypeVar("Kept")
MIB = 1024**2


class Subject(Protocol):
    """A candidate, as far as this probe needs it; ``commit`` is what it was made of."""

    @property
    def commit(self) -> str:
        """The commit, in hex; "" where nobody knows."""
        ...

    def artifact(self, name: str) -> Path:
        """Return an artifact in the store, hashed again."""
        ...

    def artifact_digest(self, name: str) -> str:
        """Return the SHA-256 of an artifact, in hex."""
        ...


class Gate(Protocol):
    """The fixture ``gate``, as far as this probe needs it."""

    @property
    def candidate(self) -> Subject:
        """What is measured."""
        ...

    @property
    def baseline(self) -> Subject | None:
        """What is live."""
        ...

    def settings(self, kind: type[Settings]) -> Settings:
        """Return the settings of a probe."""
        ...

    def policy_file(self, path: str) -> str | None:
        """Return the text of a file of the policy folder, None without one."""
        ...

    def measure(
        self, name: str, value: float, unit: str, *, samples: int | None = None, baseline: float | None = None
    ) -> None:
        """Record a value."""
        ...

    def missing(self, name: str, because: str) -> None:
        """Say why a value could not be had."""
        ...

    def inconclusive(self, name: str, because: str) -> None:
        """Say why what was seen cannot decide a value."""
        ...

    def not_applicable(self, name: str, because: str) -> None:
        """Say why a value has no meaning."""
        ...


class Inspected:
    """What was read in this session, by what it was read of. Close it."""

    def __init__(self) -> None:
        self._kept: dict[object, object] = {}

    @cached_property
    def engine(self) -> Engine:
        """The engine that ``DOCKER_HOST`` names; ``ProbeUnavailable`` where none answers."""
        return Engine()

    def once(self, key: object, read: Callable[[], Kept]) -> Kept:
        """Return what ``read`` returned, or raise what it raised, the first time that it was asked for."""
        if key not in self._kept:
            try:
                self._kept[key] = read()
            except GateError as error:
                self._kept[key] = error
        found = self._kept[key]
        if isinstance(found, GateError):
            raise found
        return found  # type: ignore[return-value]

    def __enter__(self) -> Inspected:
        return self

    def __exit__(self, *_: object) -> None:
        if "engine" in self.__dict__:
            self.engine.close()


class GateContainer:
    """The candidate's image, as its gate looks at it."""

    def __init__(self, gate: Gate, inspected: Inspected) -> None:
        """Judge by the settings of ``gate``; read each thing once for the session."""
        self._gate = gate
        self._inspected = inspected
        self.settings = gate.settings(ContainerSettings)

    @property
    def engine(self) -> Engine:
        """The Docker engine."""
        return self._inspected.engine

    @property
    def released(self) -> str:
        """The digest of the candidate's image, 64 hex digits."""
        return self._gate.candidate.artifact_digest(self.settings.image)

    @property
    def profile(self) -> Profile:
        """What policy allows."""
        return self.settings.allowances(self.released, self._gate.candidate.commit)

    def dockerfile(self, rule: str) -> None:
        """Fail if the candidate's Dockerfile breaks a rule."""
        self._require(rule, self._dockerfile)

    def image(self, rule: str) -> None:
        """Fail if the candidate's image breaks a rule."""
        self._require(rule, {"IM11": self._vulnerable, "IM12": self._signed}.get(rule, self._image))

    def running(self, rule: str, containers: Sequence[str] = ()) -> None:
        """Fail if one of the service's containers breaks a rule, named here or by policy's labels.

        None of them at all is an error, and so are labels in policy that no container bears.
        """
        self._require(rule, lambda: self._running(tuple(containers)))

    def measure_tolerated(self, containers: Sequence[str]) -> None:
        """Measure what does not fail: findings milder than ``fails_from``, rules and places that are off."""
        reports = (self._dockerfile(), self._image(), self._running(tuple(containers)))
        mild = [each for report in reports for each in report.findings if not self._fails(each.severity)]
        self._gate.measure("findings.tolerated", len(mild), "count")
        self._gate.measure("rules.off", len(self.settings.off) + len(self.settings.no_secrets), "count")

    def measure_size(self) -> None:
        """Measure ``image.size`` in MiB, uncompressed, beside that of the live build.

        ``image.saved`` is how much smaller it is than the builder stage, in ``%``; INCONCLUSIVE where policy
        names no image of that. One that it names and the engine does not have is an error.
        """
        size = self._facts().size
        self._gate.measure("image.size", size / MIB, "MiB", baseline=self._live_size())
        if not self.settings.builder:
            because = (
                "policy names no image of the builder stage among the candidate's artifacts (builder = …)"
            )
            self._gate.inconclusive("image.saved", because)
            return
        builder = self._builder_size()
        self._gate.measure("image.saved", 100 * (1 - size / builder), "%")

    def measure_vulnerabilities(self) -> None:
        """Measure ``vulnerabilities.critical`` to ``low``, and ``.accepted`` among them, in ``count``.

        MISSING without a fresh report of this image.
        """
        try:
            found = self._scan()
        except (Undecided, CandidateError) as error:
            for name in (*Severity, "accepted"):
                self._gate.missing(f"vulnerabilities.{name}", str(error))
            return
        accepted = sum(each.identity in self.settings.accepted for each in found.vulnerabilities)
        self._gate.measure("vulnerabilities.accepted", accepted, "count")
        for severity in Severity:
            number = sum(each.severity is severity for each in found.vulnerabilities)
            self._gate.measure(f"vulnerabilities.{severity}", number, "count")

    def _require(self, rule: str, read: Callable[[], Report]) -> None:
        if rule not in CATALOGUE:
            raise MeasurementError(
                f"no rule bears the name {rule}.",
                slug="container-rule",
                hint=f"There are: {', '.join(CATALOGUE)}.",
            )
        if reason := self.settings.off.get(rule):
            self._gate.not_applicable(f"rule.{rule}", reason)
            return
        report = read().of(rule)
        failing = [each.sentence for each in report.findings if self._fails(each.severity)]
        assert not failing, "\n".join(failing)
        if report.doubts:
            raise MeasurementError(
                "; ".join(doubt.sentence for doubt in report.doubts) + ".",
                slug="container-undecided",
                hint="What nobody looked at is no pass: make it visible, or switch the rule off with reason.",
            )

    def _fails(self, severity: Severity) -> bool:
        return severity.rank <= Severity(self.settings.fails_from).rank

    def _dockerfile(self) -> Report:
        name = self.settings.dockerfile
        if not name:
            raise MeasurementError(
                "policy names no Dockerfile among the candidate's artifacts.",
                slug="container-dockerfile",
                hint='Write dockerfile = "Dockerfile" into [gate.NAME.container].',
            )
        path = self._gate.candidate.artifact(name)
        return self._inspected.once(
            ("dockerfile", path, self.released),
            lambda: judge_dockerfile(
                path.read_text(encoding="utf-8", errors="replace"),
                name,
                self.settings.target,
                self.profile,
                self.settings.selection(),
            ),
        )

    def _facts(self) -> ImageFacts:
        return self._inspected.once(("image", self.released), self._read_image)

    def _read_image(self) -> ImageFacts:
        name = self.engine.find_image(self.released)
        return read_image(self.engine, name, now=datetime.now(UTC), index=self._index())

    def _index(self) -> Index | None:
        if not self.settings.index:
            return None
        path = self._gate.candidate.artifact(self.settings.index)
        return read_index(path.read_bytes(), self.settings.index)

    def _image(self) -> Report:
        return judge_image(self._facts(), self.profile, self.settings.selection())

    def _builder_size(self) -> int:
        digest = self._gate.candidate.artifact_digest(self.settings.builder)
        size = self._inspected.once(("size", digest), lambda: self._read_size(digest))
        if not size:
            raise MeasurementError(
                f"{self.settings.builder}: the image of the builder stage is empty.",
                slug="container-archive",
                hint="Name the image that `docker build --target` makes of the stage that compiles.",
            )
        return size

    def _read_size(self, digest: str) -> int:
        return read_image(self.engine, self.engine.find_image(digest), now=datetime.now(UTC)).size

    def _fleet(self, named: tuple[str, ...]) -> tuple[str, ...]:
        """Return every container of the service: those that the suite names, and all with policy's labels."""
        if not self.settings.service:
            return named
        bearing = self.engine.containers(self.settings.service)
        return tuple(dict.fromkeys((*named, *bearing))) if bearing else ()

    def _running(self, named: tuple[str, ...]) -> Report:
        containers = self._fleet(named)
        if not containers:
            raise MeasurementError(
                "no container of the service runs.",
                slug="container-none",
                hint="Start it, and look whether its labels are those that the suite and policy ask for.",
            )
        return self._inspected.once(
            ("running", containers, self.released), lambda: self._read_running(containers)
        )

    def _read_running(self, containers: tuple[str, ...]) -> Report:
        selection, profile = self.settings.selection(), self.profile
        read = [read_container(self.engine, name) for name in containers]
        return sum((judge_container(facts, profile, selection) for facts in read), Report())

    def _vulnerable(self) -> Report:
        now = datetime.now(UTC)

        def check(_facts: None, _profile: Profile) -> Iterable[Fault]:
            return vulnerabilities.blocking(self._scan(), self.settings, now)

        selection = self.settings.selection()
        return judge(None, self.profile, {"IM11": check}, subject=self.settings.image, selection=selection)

    def _signed(self) -> Report:
        def check(_facts: None, _profile: Profile) -> Iterable[Fault]:
            name, key = self.settings.signature, self.settings.signed_by
            if not name:
                raise Undecided("policy names no artifact with the image's signature (signature = …)")
            found = signature.read_signatures(self._gate.candidate.artifact(name).read_bytes(), name)
            pem = self._gate.policy_file(key)
            if pem is None:
                raise signature.absent_key(key)
            return signature.faults(found, pem.encode(), known_digests(self._facts()), name)

        selection = self.settings.selection()
        return judge(None, self.profile, {"IM12": check}, subject=self.settings.image, selection=selection)

    def _scan(self) -> ScanReport:
        name = self.settings.vulnerabilities
        if not name:
            raise Undecided("policy names no artifact with a scanner's report (vulnerabilities = …)")
        report = read_scan(self._gate.candidate.artifact(name).read_bytes(), name)
        vulnerabilities.check_fresh(report, self.released, self.settings, datetime.now(UTC))
        return report

    def _live_size(self) -> float | None:
        live, name = self._gate.baseline, self.settings.archive
        if live is None or not name:
            return None
        try:
            path = live.artifact(name)
        except CandidateError:
            return None
        with path.open("rb") as file:
            saved = read_archive(iter(lambda: file.read(CHUNK_BYTES), b""), place=f"{name} of the live build")
        return sum(layer.size for layer in saved.layers) / MIB
