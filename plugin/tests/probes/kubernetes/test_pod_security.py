"""Pod Security Standards: every field, kind of container, version gate and waiver, held against its own table.

A case is a change to a pod that restricted admits at every version: where, which value, and at which versions which
check of which level forbids it. The gates below are written down from the upstream documentation of each check, not
read from the engine, so that the two tables have to agree.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.probes.kubernetes.pod import decode
from release_gates.probes.kubernetes.pod_security import (
    CHECKS,
    NEWEST,
    Level,
    checks_at,
    minor_version,
    violations,
)

KINDS = ("containers", "initContainers", "ephemeralContainers")
ABSENT = object()

GOOD_CONTAINER: dict[str, Any] = {
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
}
GOOD_POD: dict[str, Any] = {
    "metadata": {"name": "engine"},
    "spec": {kind: [{"name": f"c-{kind}", **GOOD_CONTAINER}] for kind in KINDS},
}

# Gates: "b" baseline, "r" restricted; check @ first version - last version (both inclusive, nothing: for ever).
ALWAYS = "b:{0}@0- r:{0}@0-"
CAPABILITY = "b:capabilities_baseline@0- r:capabilities_baseline@0-21 r:capabilities_restricted@22-"
ADD_ONLY_RESTRICTED = "r:capabilities_restricted@22-"
SECCOMP = "b:seccompProfile_baseline@19- r:seccompProfile_restricted@19-"
PROC = "b:procMount@0- r:procMount@0-34 r:procMount_restricted@35-"
PROC_OWN_USERS = "b:procMount@0-34 r:procMount@0-34 r:procMount_restricted@35-"
PROBE_HOST = "b:hostProbesAndHostLifecycle@34- r:hostProbesAndHostLifecycle@34-"
HOST_PATH = "b:hostPathVolumes@0- r:restrictedVolumes@0-"
SC = "securityContext."


def words(text: str) -> list[str]:
    return text.split()


DEFAULT_CAPABILITIES = words(
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD SETFCAP SETGID SETPCAP SETUID SYS_CHROOT"
)
OTHER_CAPABILITIES = words(
    "AUDIT_CONTROL AUDIT_READ BLOCK_SUSPEND BPF CHECKPOINT_RESTORE DAC_READ_SEARCH IPC_LOCK IPC_OWNER LEASE"
    " LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE NET_ADMIN NET_BROADCAST NET_RAW PERFMON SYSLOG SYS_ADMIN SYS_BOOT"
    " SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM ALL"
    " CAP_CHOWN chown CAP_NET_BIND_SERVICE"
)
FORBIDDEN_VOLUMES = words(
    "awsElasticBlockStore azureDisk azureFile cephfs cinder fc flexVolume flocker gcePersistentDisk gitRepo"
    " glusterfs iscsi nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume"
    " notYetInvented"
)
CORE_VOLUMES = words(
    "configMap csi downwardAPI emptyDir ephemeral image persistentVolumeClaim projected secret"
)
SAFE_SYSCTLS = {
    "kernel.shm_rmid_forced": 0,
    "net.ipv4.ip_local_port_range": 0,
    "net.ipv4.tcp_syncookies": 0,
    "net.ipv4.ping_group_range": 0,
    "net.ipv4.ip_unprivileged_port_start": 0,
    "net.ipv4.ip_local_reserved_ports": 27,
    "net.ipv4.tcp_keepalive_time": 29,
    "net.ipv4.tcp_fin_timeout": 29,
    "net.ipv4.tcp_keepalive_intvl": 29,
    "net.ipv4.tcp_keepalive_probes": 29,
    "net.ipv4.tcp_rmem": 32,
    "net.ipv4.tcp_wmem": 32,
    "net.ipv4.tcp_slow_start_after_idle": 37,
    "net.ipv4.tcp_notsent_lowat": 37,
}


def container_cases() -> Iterator[tuple[str, Any, str]]:  # noqa: PLR0912 - a table
    for value in (False, None, ABSENT):
        yield SC + "privileged", value, ""
    yield SC + "privileged", True, ALWAYS.format("privileged")
    for value in (True, None, ABSENT):
        yield SC + "allowPrivilegeEscalation", value, "r:allowPrivilegeEscalation@8-"
    yield SC + "allowPrivilegeEscalation", False, ""
    for value in (None, [], ["NET_BIND_SERVICE"]):
        yield SC + "capabilities.add", value, ""
    for name in DEFAULT_CAPABILITIES:
        yield SC + "capabilities.add", [name], ADD_ONLY_RESTRICTED
    for name in OTHER_CAPABILITIES:
        yield SC + "capabilities.add", [name], CAPABILITY
    yield SC + "capabilities.add", ["CHOWN", "NET_RAW"], CAPABILITY
    for value in (None, [], ["all"], ["CAP_ALL"], ["NET_RAW"], ABSENT):
        yield SC + "capabilities.drop", value, ADD_ONLY_RESTRICTED
    yield SC + "capabilities.drop", ["NET_RAW", "ALL"], ""
    yield SC + "capabilities", None, ADD_ONLY_RESTRICTED
    yield SC + "capabilities", ABSENT, ADD_ONLY_RESTRICTED
    yield SC + "procMount", "Unmasked", PROC
    yield SC + "procMount", "Other", PROC
    yield SC + "procMount", "", PROC
    for value in ("Default", None, ABSENT):
        yield SC + "procMount", value, ""
    yield SC + "seccompProfile.type", "Unconfined", SECCOMP
    yield SC + "seccompProfile.type", "", SECCOMP
    yield SC + "seccompProfile", {}, SECCOMP
    yield SC + "seccompProfile.type", "Localhost", ""
    for value in (None, ABSENT):
        yield SC + "seccompProfile", value, "r:seccompProfile_restricted@19-"
    yield SC + "appArmorProfile.type", "Unconfined", ALWAYS.format("appArmorProfile")
    yield SC + "appArmorProfile", {}, ALWAYS.format("appArmorProfile")
    for kind in ("RuntimeDefault", "Localhost"):
        yield SC + "appArmorProfile.type", kind, ""
    for kind in ("container_t", "container_init_t", "container_kvm_t", "", None):
        yield SC + "seLinuxOptions.type", kind, ""
    yield SC + "seLinuxOptions.type", "container_engine_t", "b:seLinuxOptions@0-30 r:seLinuxOptions@0-30"
    for kind in ("spc_t", "unconfined_t", "Container_t"):
        yield SC + "seLinuxOptions.type", kind, ALWAYS.format("seLinuxOptions")
    for field in ("user", "role"):
        yield SC + f"seLinuxOptions.{field}", "anyone", ALWAYS.format("seLinuxOptions")
        yield SC + f"seLinuxOptions.{field}", "", ""
    yield SC + "seLinuxOptions.level", "s0:c123", ""
    yield SC + "windowsOptions.hostProcess", True, ALWAYS.format("windowsHostProcess")
    for value in (False, None):
        yield SC + "windowsOptions.hostProcess", value, ""
    yield SC + "runAsNonRoot", False, "r:runAsNonRoot@0-"
    for value in (None, ABSENT):
        yield SC + "runAsNonRoot", value, "r:runAsNonRoot@0-"
    yield SC + "runAsUser", 0, "r:runAsUser@23-"
    for uid in (1, 10001, 65535, None):
        yield SC + "runAsUser", uid, ""
    yield SC + "runAsGroup", 0, ""
    yield "ports", [{"containerPort": 80}, {"containerPort": 81, "hostPort": 81}], ALWAYS.format("hostPorts")
    for value in (0, None):
        yield "ports", [{"containerPort": 80, "hostPort": value}], ""
    yield "ports", [{"containerPort": 80, "hostIP": "10.0.0.1"}], ""
    for handler in (
        "livenessProbe",
        "readinessProbe",
        "startupProbe",
        "lifecycle.postStart",
        "lifecycle.preStop",
    ):
        for way in ("httpGet", "tcpSocket"):
            yield f"{handler}.{way}", {"port": 80, "host": "127.0.0.1"}, PROBE_HOST
            for host in ("", None):
                yield f"{handler}.{way}", {"port": 80, "host": host}, ""
            yield f"{handler}.{way}", {"port": 80}, ""
    yield "restartPolicy", "Always", ""


def pod_cases() -> Iterator[tuple[str, Any, str]]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        yield field, True, ALWAYS.format("hostNamespaces")
        for value in (False, None):
            yield field, value, ""
    for value in (True, False, None):
        yield "hostUsers", value, ""
    for source in FORBIDDEN_VOLUMES:
        yield "volumes", [{"name": "v", source: {}}], "r:restrictedVolumes@0-"
    for source in CORE_VOLUMES:
        yield "volumes", [{"name": "v", source: {}}], ""
    yield "volumes", [{"name": "v", "hostPath": {"path": "/"}}], HOST_PATH
    yield "volumes", [{"name": "v", "hostPath": {}}], HOST_PATH
    yield "volumes", [{"name": "v", "hostPath": None, "emptyDir": {}}], ""
    yield "volumes", [{"name": "v"}], ""  # the API server makes it an emptyDir
    yield "volumes", [{"name": "v", "emptyDir": {}}, {"name": "w", "hostPath": {"path": "/x"}}], HOST_PATH
    yield "volumes", None, ""
    for name, since in SAFE_SYSCTLS.items():
        gates = f"b:sysctls@0-{since - 1} r:sysctls@0-{since - 1}" if since else ""
        yield SC + "sysctls", [{"name": name, "value": "1"}], gates
    for name in ("kernel.msgmax", "net.core.somaxconn", "net.ipv4.ip_forward", "kernel.shm_rmid_forced ", ""):
        yield SC + "sysctls", [{"name": name, "value": "1"}], ALWAYS.format("sysctls")
    yield SC + "sysctls", [], ""
    yield SC + "runAsNonRoot", False, "r:runAsNonRoot@0-"
    yield SC + "runAsNonRoot", True, ""
    yield SC + "runAsUser", 0, "r:runAsUser@23-"
    yield SC + "runAsUser", 10001, ""
    yield SC + "seccompProfile.type", "Unconfined", SECCOMP
    yield SC + "seccompProfile.type", "RuntimeDefault", ""
    yield SC + "appArmorProfile.type", "Unconfined", ALWAYS.format("appArmorProfile")
    yield SC + "appArmorProfile.type", "Localhost", ""
    yield SC + "seLinuxOptions.type", "spc_t", ALWAYS.format("seLinuxOptions")
    yield SC + "seLinuxOptions.type", "container_engine_t", "b:seLinuxOptions@0-30 r:seLinuxOptions@0-30"
    yield SC + "seLinuxOptions.user", "system_u", ALWAYS.format("seLinuxOptions")
    yield SC + "seLinuxOptions.role", "system_r", ALWAYS.format("seLinuxOptions")
    yield SC + "windowsOptions.hostProcess", True, ALWAYS.format("windowsHostProcess")
    yield SC + "windowsOptions.hostProcess", False, ""


def annotation_cases() -> Iterator[tuple[str, str, str]]:
    old = "b:seccompProfile_baseline@0-18 r:seccompProfile_baseline@0-18"
    container = "container.seccomp.security.alpha.kubernetes.io/"
    for key in ("seccomp.security.alpha.kubernetes.io/pod", *(f"{container}c-{kind}" for kind in KINDS)):
        for value in ("unconfined", "", "localhost", "Runtime/default"):
            yield key, value, old
        for value in ("runtime/default", "docker/default", "localhost/", "localhost/x.json"):
            yield key, value, ""
    yield f"{container}nobody", "unconfined", ""  # no container of that name
    armor = "container.apparmor.security.beta.kubernetes.io/"
    for name in ("c-containers", "nobody", ""):
        for value in ("unconfined", "localhost", "RuntimeDefault"):
            yield armor + name, value, ALWAYS.format("appArmorProfile")
        for value in ("runtime/default", "localhost/", "localhost/x", ""):
            yield armor + name, value, ""
    yield "apparmor.security.beta.kubernetes.io/pod", "unconfined", ""


def put(root: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        root = root.setdefault(parent, {})
    if value is ABSENT:
        root.pop(last, None)
    else:
        root[last] = value


def all_cases() -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield id, pod and gates of each case; a container's case once for each kind of container."""
    for path, value, gates in container_cases():
        for kind in KINDS:
            pod = copy.deepcopy(GOOD_POD)
            put(pod["spec"][kind][0], path, value)
            yield f"{kind}.{path}={value!r}", pod, gates
    for path, value, gates in pod_cases():
        pod = copy.deepcopy(GOOD_POD)
        put(pod["spec"], path, value)
        yield f"pod.{path}={value!r}", pod, gates
    for key, value, gates in annotation_cases():
        pod = copy.deepcopy(GOOD_POD)
        pod["metadata"]["annotations"] = {key: value}
        yield f"{key}={value!r}", pod, gates


def expected(gates: str, level: Level, minor: int) -> set[str]:
    found = set()
    for gate in gates.split():
        letter, rest = gate.split(":")
        check, versions = rest.split("@")
        first, last = versions.split("-")
        if letter == level[0] and int(first) <= minor <= int(last or NEWEST):
            found.add(check)
    return found


def forbidding(pod: object, level: Level, minor: int) -> set[str]:
    return {one.check for one in violations(decode(pod), level, minor)}


def differences(cases: Iterator[tuple[str, dict[str, Any], str]]) -> list[str]:
    wrong = []
    for name, raw, gates in cases:
        pod = decode(raw)
        for level in (Level.BASELINE, Level.RESTRICTED):
            for minor in range(NEWEST + 1):
                got = {one.check for one in violations(pod, level, minor)}
                if got != expected(gates, level, minor):
                    wrong.append(f"{name} at {level} 1.{minor}: {got}")
    return wrong


def test_every_field_of_every_kind_of_container_at_every_version() -> None:
    cases = list(all_cases())
    assert len(cases) > 450
    assert differences(iter(cases)) == []


def test_each_check_forbids_and_admits_something_in_the_corpus() -> None:
    named = {gate.split(":")[1].split("@")[0] for _, _, gates in all_cases() for gate in gates.split()}
    assert named == {check.id for check in CHECKS}


def test_privileged_forbids_nothing() -> None:
    worst = {"spec": {"hostNetwork": True, "containers": [{"securityContext": {"privileged": True}}]}}
    assert all(not forbidding(worst, Level.PRIVILEGED, minor) for minor in range(NEWEST + 1))


@pytest.mark.parametrize("name", ["windows", "linux", "Windows", "", None])
def test_windows_pods_are_exempt_from_what_linux_alone_has(name: str | None) -> None:
    bare = {"spec": {"os": {"name": name}, "containers": [{"name": "c"}]}}
    for minor in range(NEWEST + 1):
        exempt = name == "windows" and minor >= 25
        needed = {"runAsNonRoot"}
        needed |= set() if exempt or minor < 8 else {"allowPrivilegeEscalation"}
        needed |= set() if exempt or minor < 22 else {"capabilities_restricted"}
        needed |= set() if exempt or minor < 19 else {"seccompProfile_restricted"}
        assert forbidding(bare, Level.RESTRICTED, minor) == needed
        assert forbidding(bare, Level.BASELINE, minor) == set()


def test_windows_is_no_waiver_for_anything_else() -> None:
    pod = copy.deepcopy(GOOD_POD)
    pod["spec"] |= {"os": {"name": "windows"}, "hostPID": True, "volumes": [{"name": "v", "hostPath": {}}]}
    pod["spec"]["containers"][0]["securityContext"] |= {
        "privileged": True,
        "procMount": "Unmasked",
        "runAsUser": 0,
    }
    assert forbidding(pod, Level.RESTRICTED, 37) == {
        *{"hostNamespaces", "restrictedVolumes", "privileged", "procMount_restricted", "runAsUser"}
    }


@pytest.mark.parametrize("host_users", [False, True, None])
def test_a_user_namespace_relaxes_three_checks_from_1_35_on(host_users: bool | None) -> None:
    for path, value, gates, relaxed in (
        ("runAsNonRoot", False, "r:runAsNonRoot@0-", "r:runAsNonRoot@0-34"),
        ("runAsUser", 0, "r:runAsUser@23-", "r:runAsUser@23-34"),
        ("procMount", "Unmasked", PROC, PROC_OWN_USERS),
        ("privileged", True, ALWAYS.format("privileged"), ALWAYS.format("privileged")),
        ("capabilities", None, ADD_ONLY_RESTRICTED, ADD_ONLY_RESTRICTED),
    ):
        cases = []
        for kind in KINDS:
            pod = copy.deepcopy(GOOD_POD)
            pod["spec"]["hostUsers"] = host_users
            put(pod["spec"][kind][0], SC + path, value)
            cases.append((f"{kind}.{path}", pod, relaxed if host_users is False else gates))
        assert differences(iter(cases)) == []


@pytest.mark.parametrize(
    ("of_pod", "of_container", "admitted"),
    [
        (True, None, True),
        (True, True, True),
        (None, True, True),
        (True, False, False),
        (False, True, False),
        (False, None, False),
        (None, None, False),
        (None, False, False),
    ],
)
def test_run_as_non_root_is_inherited_and_an_explicit_false_is_not_overruled(
    of_pod: bool | None, of_container: bool | None, admitted: bool
) -> None:
    for kind in KINDS:
        pod = copy.deepcopy(GOOD_POD)
        put(pod["spec"], SC + "runAsNonRoot", of_pod)
        put(pod["spec"][kind][0], SC + "runAsNonRoot", of_container)
        assert (forbidding(pod, Level.RESTRICTED, 37) == set()) is admitted


@pytest.mark.parametrize("of_pod", ["RuntimeDefault", "Localhost", "Unconfined", "", None])
@pytest.mark.parametrize("of_container", ["RuntimeDefault", "Localhost", "Unconfined", "", None])
def test_seccomp_of_pod_and_container(of_pod: str | None, of_container: str | None) -> None:
    for kind in KINDS:
        pod = copy.deepcopy(GOOD_POD)
        put(pod["spec"], SC + "seccompProfile", None if of_pod is None else {"type": of_pod})
        put(
            pod["spec"][kind][0],
            SC + "seccompProfile",
            None if of_container is None else {"type": of_container},
        )
        good = {"RuntimeDefault", "Localhost"}
        baseline = {of_pod, of_container} <= good | {None}
        restricted = baseline and bool({of_pod, of_container} & good)
        assert (forbidding(pod, Level.BASELINE, 37) == set()) is baseline
        assert (forbidding(pod, Level.RESTRICTED, 37) == set()) is restricted


def test_every_offender_is_named() -> None:
    pod = copy.deepcopy(GOOD_POD)
    for kind in KINDS:
        pod["spec"][kind][0]["securityContext"] |= {"privileged": True}
    (found,) = violations(decode(pod), Level.BASELINE, 37)
    assert found.offenders == tuple(
        f"container c-{kind}: privileged is true"
        for kind in ("initContainers", "containers", "ephemeralContainers")
    )


@pytest.mark.parametrize(
    ("text", "minor"), [("1.0", 0), ("v1.0", 0), ("1.37", 37), ("latest", 37), ("v1.9", 9)]
)
def test_versions_that_policy_may_name(text: str, minor: int) -> None:
    assert minor_version(text) == minor


@pytest.mark.parametrize(
    "text", ["1.38", "2.0", "1", "", "1.07", "v1.9.3", "1.x", "Latest", "1.9 ", "1.-1", "1.٣"]
)
def test_a_version_that_is_not_known_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no version of Kubernetes"):
        minor_version(text)


@pytest.mark.parametrize(
    "pod",
    [
        {"spec": {"hostNetwork": "true"}},
        {"spec": {"hostNetwork": 1}},
        {"spec": {"containers": {"name": "c"}}},
        {"spec": {"containers": [{"securityContext": {"privileged": "yes"}}]}},
        {"spec": {"containers": [{"securityContext": {"runAsUser": "0"}}]}},
        {"spec": {"containers": [{"securityContext": {"capabilities": {"add": "NET_ADMIN"}}}]}},
        {"spec": {"containers": [{"ports": [{"hostPort": "80"}]}]}},
        {"spec": {"volumes": {"hostPath": {}}}},
        {"metadata": {"annotations": {"a": 1}}},
        {"spec": []},
        "pod",
        None,
    ],
)
def test_a_value_of_a_wrong_type_is_no_pod(pod: object) -> None:
    with pytest.raises(ValueError, match="Expected"):
        decode(pod)


def test_an_annotation_without_a_value_is_the_empty_text() -> None:
    pod = copy.deepcopy(GOOD_POD)
    keys = ("container.apparmor.security.beta.kubernetes.io/c", "seccomp.security.alpha.kubernetes.io/pod")
    pod["metadata"]["annotations"] = dict.fromkeys(keys)
    assert forbidding(pod, Level.BASELINE, 37) == set()
    assert forbidding(pod, Level.BASELINE, 18) == {"seccompProfile_baseline"}


def test_nothing_holds_below_its_first_version() -> None:
    assert {name for name, _ in checks_at(Level.RESTRICTED, 0)} == {
        *{
            "appArmorProfile",
            "capabilities_baseline",
            "hostNamespaces",
            "hostPorts",
            "privileged",
            "procMount",
        },
        *{"seLinuxOptions", "seccompProfile_baseline", "sysctls", "windowsHostProcess"},
        *{"restrictedVolumes", "runAsNonRoot"},
    }
    assert len(checks_at(Level.RESTRICTED, NEWEST)) == len(CHECKS) - 4


changes = st.lists(st.sampled_from([(name, pod) for name, pod, _ in all_cases()]), min_size=1, max_size=1)


@given(changes, st.integers(0, NEWEST))
def test_restricted_forbids_whatever_baseline_forbids(change: list[tuple[str, Any]], minor: int) -> None:
    (_, pod) = change[0]
    if forbidding(pod, Level.BASELINE, minor):
        assert forbidding(pod, Level.RESTRICTED, minor)
