"""The Pod Security Standards, baseline and restricted, as Kubernetes 1.0 to 1.37 decides them.

`CHECKS` is the table of k8s.io/pod-security-admission: id, level, and which judgement holds from which minor
version on. A restricted check may stand in for the baseline check that it makes stricter. What was patched
into an old version and not gated (volumes from an ``image``, the AppArmor field) holds for all, as there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from release_gates.probes.kubernetes import pod_security_checks as judges
from release_gates.probes.kubernetes.pod import Pod
from release_gates.probes.kubernetes.pod_security_checks import Judge, unless_own_users, unless_windows

NEWEST = 37
"""Newest minor version whose checks this table has."""

SE_LINUX = frozenset({"container_t", "container_init_t", "container_kvm_t"})
SYSCTLS = {
    0: "kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.tcp_syncookies net.ipv4.ping_group_range"
    " net.ipv4.ip_unprivileged_port_start",
    27: "net.ipv4.ip_local_reserved_ports",
    29: "net.ipv4.tcp_keepalive_time net.ipv4.tcp_fin_timeout net.ipv4.tcp_keepalive_intvl"
    " net.ipv4.tcp_keepalive_probes",
    32: "net.ipv4.tcp_rmem net.ipv4.tcp_wmem",
    37: "net.ipv4.tcp_slow_start_after_idle net.ipv4.tcp_notsent_lowat",
}
"""Kernel parameters that are safe, by the minor version from which on they are."""


class Level(StrEnum):
    """How much a pod is held to."""

    PRIVILEGED = "privileged"
    BASELINE = "baseline"
    RESTRICTED = "restricted"


@dataclass(frozen=True, slots=True)
class Revision:
    """What a check means from one minor version on, and which baseline checks it stands in for."""

    since: int
    judge: Judge
    overrides: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One control; revisions ascend."""

    id: str
    level: Level
    revisions: tuple[Revision, ...]

    def at(self, minor: int) -> Revision | None:
        """Return what holds at a minor version, None where the check is younger."""
        return next((one for one in reversed(self.revisions) if one.since <= minor), None)


@dataclass(frozen=True, slots=True)
class Violation:
    """A check that forbids the pod: upstream's id and every offender."""

    check: str
    offenders: tuple[str, ...]


def _sysctls(minor: int) -> Judge:
    names = " ".join(names for since, names in SYSCTLS.items() if since <= minor)
    return judges.sysctls(frozenset(names.split()))


def _baseline(identity: str, *revisions: tuple[int, Judge]) -> Check:
    return Check(identity, Level.BASELINE, tuple(Revision(since, judge) for since, judge in revisions))


def _restricted(identity: str, *revisions: tuple[int, Judge], overrides: str = "") -> Check:
    return Check(
        identity, Level.RESTRICTED, tuple(Revision(since, judge, overrides) for since, judge in revisions)
    )


CHECKS = (
    _baseline("appArmorProfile", (0, judges.app_armor)),
    _baseline("capabilities_baseline", (0, judges.capabilities_baseline)),
    _baseline("hostNamespaces", (0, judges.host_namespaces)),
    _baseline("hostPathVolumes", (0, judges.host_path_volumes)),
    _baseline("hostPorts", (0, judges.host_ports)),
    _baseline("hostProbesAndHostLifecycle", (34, judges.host_probes)),
    _baseline("privileged", (0, judges.privileged)),
    _baseline("procMount", (0, judges.proc_mount), (35, unless_own_users(judges.proc_mount))),
    _baseline(
        "seLinuxOptions",
        (0, judges.se_linux(SE_LINUX)),
        (31, judges.se_linux(SE_LINUX | {"container_engine_t"})),
    ),
    _baseline("seccompProfile_baseline", (0, judges.seccomp_annotations), (19, judges.seccomp_baseline)),
    _baseline("sysctls", *((since, _sysctls(since)) for since in SYSCTLS)),
    _baseline("windowsHostProcess", (0, judges.windows_host_process)),
    _restricted(
        "allowPrivilegeEscalation",
        (8, judges.allow_privilege_escalation),
        (25, unless_windows(judges.allow_privilege_escalation)),
    ),
    _restricted(
        "capabilities_restricted",
        (22, judges.capabilities_restricted),
        (25, unless_windows(judges.capabilities_restricted)),
        overrides="capabilities_baseline",
    ),
    _restricted("procMount_restricted", (35, judges.proc_mount), overrides="procMount"),
    _restricted("restrictedVolumes", (0, judges.restricted_volumes), overrides="hostPathVolumes"),
    _restricted("runAsNonRoot", (0, judges.run_as_non_root), (35, unless_own_users(judges.run_as_non_root))),
    _restricted("runAsUser", (23, judges.run_as_user), (35, unless_own_users(judges.run_as_user))),
    _restricted(
        "seccompProfile_restricted",
        (19, judges.seccomp_restricted),
        (25, unless_windows(judges.seccomp_restricted)),
        overrides="seccompProfile_baseline",
    ),
)
"""Every check of the Pod Security Standards with its version gates."""


def minor_version(text: str) -> int:
    """Return the minor of ``1.30``, ``v1.30`` or ``latest``; ValueError for a version that is not known."""
    if text == "latest":
        return NEWEST
    found = re.fullmatch(r"v?1\.(0|[1-9][0-9]{0,2})", text)
    if found is None or int(found[1]) > NEWEST:
        raise ValueError(f"{text!r} is no version of Kubernetes from 1.0 to 1.{NEWEST}, nor 'latest'")
    return int(found[1])


@cache
def checks_at(level: Level, minor: int) -> tuple[tuple[str, Judge], ...]:
    """Return what holds at a level and minor version, without baseline checks that stricter ones replace."""
    levels = {
        Level.PRIVILEGED: (),
        Level.BASELINE: (Level.BASELINE,),
        Level.RESTRICTED: (Level.BASELINE, Level.RESTRICTED),
    }[level]
    holding = [(one.id, now) for one in CHECKS if one.level in levels and (now := one.at(minor)) is not None]
    replaced = {now.overrides for _, now in holding}
    return tuple((identity, now.judge) for identity, now in holding if identity not in replaced)


def violations(pod: Pod, level: Level, minor: int) -> tuple[Violation, ...]:
    """Return the checks that forbid a pod, none if Kubernetes admits it."""
    found = ((identity, tuple(judge(pod))) for identity, judge in checks_at(level, minor))
    return tuple(Violation(identity, offenders) for identity, offenders in found if offenders)
