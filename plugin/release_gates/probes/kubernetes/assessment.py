"""The fixture's object: read the sources once, judge by all rules, measure, and say what is wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from release_gates.errors import MeasurementError
from release_gates.model.severity import Severity
from release_gates.probes.kubernetes.documents import Document
from release_gates.probes.kubernetes.drift import Sides
from release_gates.probes.kubernetes.faults import SHOWN, nothing
from release_gates.probes.kubernetes.findings import Finding
from release_gates.probes.kubernetes.judging import Judgement, judge
from release_gates.probes.kubernetes.latency_rules import OF_KUBELET
from release_gates.probes.kubernetes.nodes import low_latency_nodes
from release_gates.probes.kubernetes.objects import Deployed, deployed
from release_gates.probes.kubernetes.settings import KubernetesSettings, LiveCluster
from release_gates.probes.kubernetes.sources import read_kustomize, read_path
from release_gates.probes.kubernetes.tls import Handshake, shake

FAMILIES = ("PSS", "PW", "NP", "RB", "AV", "LL", "LV")


class Build(Protocol):
    """What this probe needs of a candidate."""

    def artifact(self, name: str) -> Path:
        """Return the artifact from the store, hashed again; raises GateError."""

    def artifact_digest(self, name: str) -> str:
        """Return the digest of an artifact, in hex; raises GateError."""


class Gate(Protocol):
    """What this probe needs of the fixture ``gate``."""

    @property
    def candidate(self) -> Build:
        """Return the candidate."""

    @property
    def rootdir(self) -> Path:
        """Return the folder that holds ``gates/``."""

    def settings(self, kind: type[KubernetesSettings]) -> KubernetesSettings:
        """Return what policy says."""

    def measure(self, name: str, value: float, unit: str, *, samples: int | None = None) -> None:
        """Record one value."""


def compared(declared: Deployed, live: Deployed, cluster: LiveCluster) -> Sides:
    """Return what manifests declare beside what was read of a cluster; MeasurementError if they are empty."""
    from release_gates.probes.kubernetes.api import NAMESPACED, OF_CLUSTER

    if not declared.objects:
        raise nothing("the manifests are empty, so the cluster cannot be compared with them")
    return Sides(declared, live, (*NAMESPACED, *OF_CLUSTER), cluster.namespaces)


class GateKubernetes:
    """Judges what policy names, once, and tells each family of rules apart."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._settings = gate.settings(KubernetesSettings)
        self._judgement: Judgement | None = None

    @property
    def judgement(self) -> Judgement:
        """What is wrong; read and judged at the first call."""
        if self._judgement is None:
            sides, now = self._sides(), datetime.now(UTC)
            together = self._declared() if sides is None else sides.joined()
            self._judgement = judge(together, self._settings, self._digests(), now, self._shaken(), sides)
        return self._judgement

    def measure(self) -> None:
        """Measure findings of each severity, exempted ones, undecided rules and live objects, in "count"."""
        judgement = self.judgement
        for severity in Severity:
            count = sum(self._settings.severity_of(one.rule) is severity for one in judgement.findings)
            self._gate.measure(f"kubernetes.{severity}", count, "count", samples=judgement.objects)
        for name, count in (
            ("exempted", len(judgement.exempted)),
            ("undecided", len(judgement.undecided)),
            ("live", judgement.live),
        ):
            self._gate.measure(f"kubernetes.{name}", count, "count", samples=judgement.objects)

    def check(self, *families: str) -> None:
        """Fail with every finding of some families (``"PSS"``, ``"NP"`` …; none: all) that policy blocks.

        Raises AssertionError with the worst findings, and MeasurementError for rules that could not be
        decided and that policy does not leave to another gate, and for a family that is asked for by name
        while policy gives it nothing to judge.
        """
        for family in families:
            if family not in FAMILIES:
                raise ValueError(f"there is no family {family!r}: {', '.join(FAMILIES)}")
            self._check_asked(family)
        chosen = families or FAMILIES
        blocking = [
            one
            for one in self.judgement.findings
            if one.rule.startswith(chosen) and self._severity(one).rank <= self._settings.block.rank
        ]
        if blocking:
            raise AssertionError(_sentence(sorted(blocking, key=lambda one: (self._severity(one).rank, one))))
        undecided = [one for one in self.judgement.undecided if one.rule.startswith(chosen)]
        if undecided:
            shown = "; ".join(map(str, undecided[:SHOWN]))
            raise MeasurementError(
                f"{len(undecided)} rules could not be decided: {shown}.",
                slug="kubernetes-undecided",
                hint="Let what is lacking be read, or name in `undecided` what another gate answers.",
            )

    @property
    def live(self) -> bool:
        """Whether policy names a cluster, so that LV rules have something to judge."""
        return self._settings.cluster is not None

    def _check_asked(self, family: str) -> None:
        """Refuse a family that would pass because there is nothing for it."""
        if family == "LV" and not self.live:
            raise _unasked(family, "names no cluster, so nobody saw what runs", "`cluster`")
        if family == "LL" and not self.judgement.low_latency:
            raise _unasked(family, "makes no workload one of low latency", "`low_latency` in a `workload`")

    def _severity(self, finding: Finding) -> Severity:
        return self._settings.severity_of(finding.rule)

    def _digests(self) -> dict[str, str]:
        return {
            image: self._gate.candidate.artifact_digest(name) for image, name in self._settings.images.items()
        }

    def _shaken(self) -> dict[str, Handshake]:
        return {title: shake(one, self._gate.rootdir) for title, one in self._settings.tls.items()}

    def _declared(self) -> Deployed:
        return deployed(list(self._manifests()), namespace=self._settings.namespace)

    def _sides(self) -> Sides | None:
        """Return what is declared and what is live, None where policy names no cluster."""
        settings = self._settings
        if settings.cluster is None:
            return None
        declared, live = self._declared(), self._live(settings.cluster)
        if settings.manifests or settings.artifacts or settings.kustomize:
            return compared(declared, live, settings.cluster)
        return Sides(declared, live, (), settings.cluster.namespaces)

    def _manifests(self) -> Iterator[Document]:
        settings, root = self._settings, self._gate.rootdir
        for name in settings.artifacts:
            yield from read_path(self._gate.candidate.artifact(name), name)
        for path in settings.manifests:
            yield from read_path(root / path, path)
        for path in settings.kustomize:
            yield from read_kustomize(root / path, path)

    def _live(self, cluster: LiveCluster) -> Deployed:
        """Read a cluster, and the kubelets of low-latency pods unless another gate answers for them."""
        from release_gates.probes.kubernetes.api import Reader

        settings = self._settings
        reader = Reader(cluster, sleep=time.sleep)
        try:
            live = deployed(list(reader.read()), namespace=settings.namespace, live=True)
            nodes = frozenset[str]().union(*low_latency_nodes(live, settings).values())
            if nodes and not set(OF_KUBELET) <= set(settings.undecided):
                documents = [reader.kubelet(node) for node in sorted(nodes)]
                kubelets = deployed(documents, namespace=settings.namespace, live=True)
                return replace(live, objects=(*live.objects, *kubelets.objects))
        finally:
            reader.close()
        return live


def _unasked(family: str, problem: str, setting: str) -> MeasurementError:
    return MeasurementError(
        f'check("{family}"): policy {problem}, and no finding in nothing is no pass.',
        slug="kubernetes-nothing",
        hint=f"Set {setting}, or do not ask for {family}.",
    )


def _sentence(findings: Sequence[Finding]) -> str:
    """Return the worst findings, one a line, each with its remedy, and how many more there are."""
    lines = [f"{one} ({one.remedy})" for one in findings[: 4 * SHOWN]]
    more = len(findings) - len(lines)
    return "\n".join([*lines, *([f"and {more} more"] if more else [])])
