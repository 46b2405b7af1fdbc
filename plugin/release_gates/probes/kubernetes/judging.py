"""All rules on everything that is deployed: what is wrong, what policy exempts, what nobody can decide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from release_gates.errors import MeasurementError
from release_gates.probes.kubernetes.availability_rules import availability_findings
from release_gates.probes.kubernetes.drift import Sides, drift_findings
from release_gates.probes.kubernetes.faults import nothing
from release_gates.probes.kubernetes.findings import Finding, Undecided
from release_gates.probes.kubernetes.images import split_image, whole_name
from release_gates.probes.kubernetes.latency_rules import latency_findings
from release_gates.probes.kubernetes.live_rules import live_findings
from release_gates.probes.kubernetes.network_rules import network_findings
from release_gates.probes.kubernetes.objects import Deployed
from release_gates.probes.kubernetes.rbac_rules import rbac_findings
from release_gates.probes.kubernetes.schema import schema_findings
from release_gates.probes.kubernetes.settings import KubernetesSettings
from release_gates.probes.kubernetes.tls import Handshake, tls_findings
from release_gates.probes.kubernetes.workload_rules import workload_findings


@dataclass(frozen=True)
class Judgement:
    """What is wrong, what was exempted by policy, what nobody could decide, and how much was judged.

    ``live`` is how many objects a cluster gave, ``low_latency`` how many workloads the LL rules are for.
    """

    findings: tuple[Finding, ...]
    exempted: tuple[Finding, ...]
    undecided: tuple[Undecided, ...]
    objects: int
    pods: int
    live: int
    low_latency: int


def judge(
    deployed: Deployed,
    settings: KubernetesSettings,
    digests: Mapping[str, str],
    now: datetime,
    shaken: Mapping[str, Handshake] | None = None,
    sides: Sides | None = None,
) -> Judgement:
    """Judge everything that is deployed, at a moment (for exemptions and live state).

    ``shaken`` is what the ports of services said to a TLS handshake, ``sides`` what manifests declare and
    what the cluster has, where policy gives both.

    Raises MeasurementError for nothing to judge, a kind that nobody knows, and an exemption that is over or
    that covers nothing.
    """
    if not deployed.workloads:
        raise nothing("the sources have no workload" if deployed.objects else "the sources are empty")
    drift = tuple(drift_findings(sides)) if sides is not None and sides.comparable else ()
    asked = dict.fromkeys(
        (
            *_all(deployed, settings, digests),
            *_state(sides.live if sides is not None else deployed, settings, now),
            *tls_findings(deployed, shaken or {}),
            *(one for one in drift if isinstance(one, Finding)),
        )
    )
    found = sorted(asked)
    exempt = _exemptions(settings, found, now)
    told = (*latency_findings(deployed, settings), *drift)
    undecided = [one for one in told if isinstance(one, Undecided)]
    return Judgement(
        findings=tuple(one for one in found if one not in exempt) if exempt else tuple(found),
        exempted=tuple(one for one in found if one in exempt) if exempt else (),
        undecided=tuple(one for one in undecided if one.rule not in settings.undecided),
        objects=len(deployed.objects),
        pods=len(deployed.workloads),
        live=len((sides.live if sides is not None else deployed).objects) if deployed.live else 0,
        low_latency=sum(settings.profile(one.title, one.kind).low_latency for one in deployed.workloads),
    )


def _all(deployed: Deployed, settings: KubernetesSettings, digests: Mapping[str, str]) -> Iterator[Finding]:
    yield from schema_findings(deployed, settings.minor, frozenset(settings.kinds))
    yield from workload_findings(deployed, settings, digests)
    yield from _unused_images(deployed, digests)
    yield from network_findings(deployed, settings)
    yield from rbac_findings(deployed)
    yield from availability_findings(deployed, settings)
    yield from (one for one in latency_findings(deployed, settings) if isinstance(one, Finding))
    yield from _unused_profiles(deployed, settings)


def _state(deployed: Deployed, settings: KubernetesSettings, now: datetime) -> Iterator[Finding]:
    if deployed.live and settings.cluster is not None:
        yield from live_findings(deployed, settings.cluster, now)


def _unused_images(deployed: Deployed, digests: Mapping[str, str]) -> Iterator[Finding]:
    names = {
        split_image(one.image or "")[0] for workload in deployed.workloads for one in workload.containers
    }
    used = {whole_name(name) for name in names}
    for name in digests:
        if whole_name(name) not in used:
            yield Finding("PW12", f"Image/{name}", "no pod runs the candidate's image")


def _unused_profiles(deployed: Deployed, settings: KubernetesSettings) -> Iterator[Finding]:
    titles = {workload.title for workload in deployed.workloads}
    used = {id(settings.profile(one.title, one.kind)) for one in deployed.workloads}
    for pattern, profile in settings.workload.items():
        if id(profile) not in used:
            raise MeasurementError(
                f'workload."{pattern}" in policy is about none of {", ".join(sorted(titles))}.',
                slug="kubernetes-unused-policy",
                hint="A profile that no workload has protects nothing; correct its name or take it out.",
            )
    yield from ()


def _exemptions(settings: KubernetesSettings, found: Sequence[Finding], now: datetime) -> frozenset[Finding]:
    covered: set[Finding] = set()
    for one in settings.exempt:
        mine = {finding for finding in found if one.covers(finding.rule, finding.object)}
        if not mine:
            raise MeasurementError(
                f"the exemption of {one.object} from {one.rule} ({one.owner}) covers no finding.",
                slug="kubernetes-unused-policy",
                hint="Take it out, so that it does not cover the next one.",
            )
        if now.astimezone(UTC).date() <= one.until:
            covered |= mine
    return frozenset(covered)
