"""What each check of the Pod Security Standards looks at: who in a pod sets something that is forbidden.

Each function takes a pod and yields one text for each offender, nothing if the pod is admitted. Semantics are
those of k8s.io/pod-security-admission/policy, file by file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from release_gates.probes.kubernetes.pod import Container, Handler, Pod, Security

Judge = Callable[[Pod], Iterator[str]]

SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
APPARMOR_CONTAINER = "container.apparmor.security.beta.kubernetes.io/"
PROFILES = frozenset({"RuntimeDefault", "Localhost"})
BASELINE_CAPABILITIES = frozenset(
    {
        *{"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE"},
        *{"SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"},
    }
)
RESTRICTED_VOLUMES = frozenset(
    {
        *{"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim"},
        *{"projected", "secret"},
    }
)
NOTHING = Security()


def host_namespaces(pod: Pod) -> Iterator[str]:
    """Forbid the host's network, process and IPC namespaces."""
    spec = pod.spec
    said = {"hostNetwork": spec.host_network, "hostPID": spec.host_pid, "hostIPC": spec.host_ipc}
    yield from (f"{name} is true" for name, value in said.items() if value)


def privileged(pod: Pod) -> Iterator[str]:
    """Forbid privileged containers."""
    for one, security in _securities(pod):
        if security.privileged:
            yield f"{_name(one)}: privileged is true"


def capabilities_baseline(pod: Pod) -> Iterator[str]:
    """Forbid to add capabilities that a container has not by default."""
    yield from _added(pod, BASELINE_CAPABILITIES)


def capabilities_restricted(pod: Pod) -> Iterator[str]:
    """Demand that ALL are dropped and nothing but NET_BIND_SERVICE is added."""
    for one, security in _securities(pod):
        if "ALL" not in ((security.capabilities and security.capabilities.drop) or ()):
            yield f'{_name(one)}: capabilities.drop has no "ALL"'
    yield from _added(pod, frozenset({"NET_BIND_SERVICE"}))


def host_path_volumes(pod: Pod) -> Iterator[str]:
    """Forbid hostPath volumes."""
    for volume in pod.spec.volumes or ():
        if volume.get("hostPath") is not None:
            yield f"volume {volume.get('name')} is a hostPath"


def restricted_volumes(pod: Pod) -> Iterator[str]:
    """Forbid volumes of other than the core kinds; without any source a volume is an emptyDir."""
    for volume in pod.spec.volumes or ():
        sources = {key for key, value in volume.items() if key != "name" and value is not None}
        if sources and not sources & RESTRICTED_VOLUMES:
            yield f"volume {volume.get('name')} is a {' and '.join(sorted(sources))}"


def host_ports(pod: Pod) -> Iterator[str]:
    """Forbid ports of the host."""
    for container in pod.spec.all_containers():
        opened = (port.host_port for port in container.ports or () if port.host_port)
        yield from (f"{_name(container)}: hostPort is {port}" for port in opened)


def host_probes(pod: Pod) -> Iterator[str]:
    """Forbid probes and hooks that go to another host."""
    for container in pod.spec.all_containers():
        for place, handler in _handlers(container):
            for way in (handler.http_get, handler.tcp_socket):
                if way is not None and way.host:
                    yield f"{_name(container)}: {place} goes to host {way.host!r}"


def app_armor(pod: Pod) -> Iterator[str]:
    """Forbid AppArmor profiles other than the runtime's and the host's, as field and as annotation."""
    for one, security in _securities(pod, with_pod=True):
        profile = security.app_armor_profile
        if profile is not None and profile.type not in PROFILES:
            yield f"{_name(one)}: appArmorProfile.type is {profile.type!r}"
    for key, value in pod.annotations.items():
        fine = value in {"", "runtime/default"} or value.startswith("localhost/")
        if key.startswith(APPARMOR_CONTAINER) and not fine:
            yield f"annotation {key} is {value!r}"


def se_linux(allowed: frozenset[str]) -> Judge:
    """Return the check that forbids SELinux types outside of a set, and any user or role."""

    def judge(pod: Pod) -> Iterator[str]:
        for one, security in _securities(pod, with_pod=True):
            options = security.se_linux_options
            if options is None:
                continue
            if options.type and options.type not in allowed:
                yield f"{_name(one)}: seLinuxOptions.type is {options.type!r}"
            for field, value in (("user", options.user), ("role", options.role)):
                if value:
                    yield f"{_name(one)}: seLinuxOptions.{field} is {value!r}"

    return judge


def proc_mount(pod: Pod) -> Iterator[str]:
    """Forbid an unmasked /proc."""
    for one, security in _securities(pod):
        if security.proc_mount not in {None, "Default"}:
            yield f"{_name(one)}: procMount is {security.proc_mount!r}"


def seccomp_annotations(pod: Pod) -> Iterator[str]:
    """Forbid seccomp annotations of other profiles, as they were before 1.19."""
    keys = [SECCOMP_POD, *(f"{SECCOMP_CONTAINER}{one.name or ''}" for one in pod.spec.all_containers())]
    for key in dict.fromkeys(keys):
        value = pod.annotations.get(key)
        fine = value in {None, "runtime/default", "docker/default"} or value.startswith("localhost/")
        if not fine:
            yield f"annotation {key} is {value!r}"


def seccomp_baseline(pod: Pod) -> Iterator[str]:
    """Forbid seccomp profiles other than the runtime's and the host's, where one is set."""
    for one, security in _securities(pod, with_pod=True):
        profile = security.seccomp_profile
        if profile is not None and profile.type not in PROFILES:
            yield f"{_name(one)}: seccompProfile.type is {profile.type!r}"


def seccomp_restricted(pod: Pod) -> Iterator[str]:
    """Demand a seccomp profile of the pod or of every container."""
    yield from seccomp_baseline(pod)
    of_pod = (pod.spec.security_context or NOTHING).seccomp_profile
    if of_pod is not None and of_pod.type in PROFILES:
        return
    for one, security in _securities(pod):
        if security.seccomp_profile is None:
            yield f"{_name(one)}: seccompProfile is not set"


def sysctls(allowed: frozenset[str]) -> Judge:
    """Return the check that forbids kernel parameters outside of a set."""

    def judge(pod: Pod) -> Iterator[str]:
        said = (pod.spec.security_context or NOTHING).sysctls or ()
        yield from (f"sysctl {one.name}" for one in said if (one.name or "") not in allowed)

    return judge


def windows_host_process(pod: Pod) -> Iterator[str]:
    """Forbid HostProcess containers."""
    for one, security in _securities(pod, with_pod=True):
        if security.windows_options is not None and security.windows_options.host_process:
            yield f"{_name(one)}: windowsOptions.hostProcess is true"


def allow_privilege_escalation(pod: Pod) -> Iterator[str]:
    """Demand that every container says it cannot gain privileges."""
    for one, security in _securities(pod):
        if security.allow_privilege_escalation is not False:
            yield f"{_name(one)}: allowPrivilegeEscalation is not false"


def run_as_non_root(pod: Pod) -> Iterator[str]:
    """Demand runAsNonRoot of the pod or of every container; an explicit false is never overruled."""
    of_pod = (pod.spec.security_context or NOTHING).run_as_non_root
    if of_pod is False:
        yield "the pod: runAsNonRoot is false"
    for one, security in _securities(pod):
        if security.run_as_non_root is False:
            yield f"{_name(one)}: runAsNonRoot is false"
        elif security.run_as_non_root is None and not of_pod:
            yield f"{_name(one)}: runAsNonRoot is not true, and the pod's neither"


def run_as_user(pod: Pod) -> Iterator[str]:
    """Forbid user 0."""
    for one, security in _securities(pod, with_pod=True):
        if security.run_as_user == 0:
            yield f"{_name(one)}: runAsUser is 0"


def unless_windows(judge: Judge) -> Judge:
    """Return the check for pods that do not say that they are for Windows."""
    return lambda pod: iter(()) if pod.spec.os is not None and pod.spec.os.name == "windows" else judge(pod)


def unless_own_users(judge: Judge) -> Judge:
    """Return the check for pods that have no user namespace of their own (hostUsers: false)."""
    return lambda pod: iter(()) if pod.spec.host_users is False else judge(pod)


def _added(pod: Pod, allowed: frozenset[str]) -> Iterator[str]:
    for one, security in _securities(pod):
        for capability in (security.capabilities and security.capabilities.add) or ():
            if capability not in allowed:
                yield f"{_name(one)}: capabilities.add has {capability}"


def _handlers(container: Container) -> Iterator[tuple[str, Handler]]:
    hooks = container.lifecycle
    said: tuple[tuple[str, Handler | None], ...] = (
        ("livenessProbe", container.liveness_probe),
        ("readinessProbe", container.readiness_probe),
        ("startupProbe", container.startup_probe),
        ("lifecycle.postStart", hooks.post_start if hooks else None),
        ("lifecycle.preStop", hooks.pre_stop if hooks else None),
    )
    yield from ((place, handler) for place, handler in said if handler is not None)


def _securities(pod: Pod, *, with_pod: bool = False) -> list[tuple[Container | None, Security]]:
    """Return each container (None: the pod) and what it says; names are made for offenders only."""
    spec = pod.spec
    said: list[tuple[Container | None, Security]] = [
        (one, one.security_context or NOTHING) for one in spec.all_containers()
    ]
    own = spec.security_context
    return [(None, own), *said] if with_pod and own is not None else said


def _name(one: Container | None) -> str:
    return "the pod" if one is None else f"container {one.name}"
