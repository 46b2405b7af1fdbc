"""Each bad container is caught by exactly the rule that it breaks; the good one is clean."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from release_gates.errors import MeasurementError
from release_gates.model.severity import Severity
from release_gates.probes.container.catalogue import CATALOGUE, ids
from release_gates.probes.container.container_facts import container_facts
from release_gates.probes.container.container_rules import CHECKS
from release_gates.probes.container.judging import Report, Selection, judge
from release_gates.probes.container.profile import PROFILES, Profile

from .conftest import RELEASED, container, in_effect, inspected, process

DEFAULT_CAPS = 0x00000000A80425FB


def bind(source: str, *, rw: bool = False, propagation: str = "rprivate") -> dict[str, Any]:
    mount = {"Type": "bind", "Source": source, "Destination": "/x", "RW": rw, "Propagation": propagation}
    return inspected(Mounts=[mount])


def port(ip: str, number: str) -> dict[str, Any]:
    bindings = {"8080/tcp": [{"HostIp": ip, "HostPort": number}]}
    return inspected({"PortBindings": bindings}, NetworkSettings={"Ports": bindings})


ROOT = process(uids=(0, 0, 0, 0), gids=(0, 0, 0, 0), groups=(0,))
BAD: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "privileged": (
        "CR01",
        inspected({"Privileged": True, "MaskedPaths": None, "ReadonlyPaths": None}),
        {"processes": (process(cap_bounding=(1 << 41) - 1, seccomp=0),), "apparmor": "unconfined"},
    ),
    "no cap_drop": (
        "CR02",
        inspected({"CapDrop": None}),
        {"processes": (process(cap_bounding=DEFAULT_CAPS),)},
    ),
    "some dropped": (
        "CR02",
        inspected({"CapDrop": ["NET_RAW"]}),
        {"processes": (process(cap_bounding=DEFAULT_CAPS),)},
    ),
    "CapEff 0, CapBnd full": (
        "CR02",
        inspected(),
        {"processes": (process(cap_bounding=DEFAULT_CAPS, cap_effective=0),)},
    ),
    "a child's CapBnd": ("CR02", inspected(), {"processes": (process(), process(cap_bounding=1 << 21))}),
    "SYS_ADMIN": (
        "CR03",
        inspected({"CapAdd": ["SYS_ADMIN"]}),
        {"processes": (process(cap_bounding=1 << 21),)},
    ),
    "CAP_ prefix, small letters": (
        "CR03",
        inspected({"CapAdd": ["cap_net_admin"]}),
        {"processes": (process(cap_bounding=1 << 12),)},
    ),
    "cap_add ALL": (
        "CR03",
        inspected({"CapAdd": ["ALL"]}),
        {"processes": (process(cap_bounding=(1 << 41) - 1),)},
    ),
    "writable root": ("CR04", inspected({"ReadonlyRootfs": False}), {"root_writable": True}),
    "read_only that does not hold": ("CR04", inspected(), {"root_writable": True}),
    "writable root, nothing could be written": ("CR04", inspected({"ReadonlyRootfs": False}), {}),
    "nothing said of new privileges": (
        "CR05",
        inspected({"SecurityOpt": None}),
        {"processes": (process(no_new_privileges=False),)},
    ),
    "no-new-privileges:false": (
        "CR05",
        inspected({"SecurityOpt": ["no-new-privileges:false"]}),
        {"processes": (process(no_new_privileges=False),)},
    ),
    "no-new-privileges=false": (
        "CR05",
        inspected({"SecurityOpt": ["no-new-privileges=false"]}),
        {"processes": (process(no_new_privileges=False),)},
    ),
    "seccomp=unconfined": (
        "CR06",
        inspected({"SecurityOpt": ["no-new-privileges:true", "seccomp=unconfined"]}),
        {"processes": (process(seccomp=0),)},
    ),
    "seccomp:unconfined": (
        "CR06",
        inspected({"SecurityOpt": ["no-new-privileges:true", "seccomp:unconfined"]}),
        {"processes": (process(seccomp=0),)},
    ),
    "a kernel without seccomp": ("CR06", inspected(), {"processes": (process(seccomp=0),)}),
    "apparmor=unconfined": (
        "CR07",
        inspected({"SecurityOpt": ["no-new-privileges:true", "apparmor=unconfined"]}),
        {"apparmor": "unconfined"},
    ),
    "a seccomp profile that allows all": (
        "CR06",
        inspected({"SecurityOpt": ["no-new-privileges:true", 'seccomp={"defaultAction": "SCMP_ACT_ALLOW"}']}),
        {},
    ),
    "AppArmor that only complains": ("CR07", inspected(), {"apparmor": "docker-default (complain)"}),
    "AppArmor lost": ("CR07", inspected(AppArmorProfile=""), {"apparmor": ""}),
    "no user": ("CR08", inspected(config={"User": ""}), {"processes": (ROOT,)}),
    "user root": ("CR08", inspected(config={"User": "root"}), {"processes": (ROOT,)}),
    "user 00": ("CR08", inspected(config={"User": "00"}), {"processes": (ROOT,)}),
    "user 0:65532": (
        "CR08",
        inspected(config={"User": "0:65532"}),
        {"processes": (process(uids=(0, 0, 0, 0)),)},
    ),
    "a name that is uid 0": (
        "CR08",
        inspected(config={"User": "toor:toor"}),
        {"processes": (process(uids=(0, 0, 0, 0)),)},
    ),
    "privileges dropped later": ("CR08", inspected(config={"User": "root"}), {}),
    "a child as root": ("CR08", inspected(), {"processes": (process(), ROOT)}),
    "saved uid 0": ("CR08", inspected(), {"processes": (process(uids=(65532, 65532, 0, 65532)),)}),
    "user without a group": (
        "CR09",
        inspected(config={"User": "10001"}),
        {"processes": (process(gids=(0,) * 4, groups=(0,)),)},
    ),
    "group_add root": ("CR09", inspected({"GroupAdd": ["0"]}), {"processes": (process(groups=(0, 65532)),)}),
    "no memory limit": (
        "CR10",
        inspected({"Memory": 0, "MemorySwap": 0}),
        {"memory_limit": None, "swap_limit": None},
    ),
    "swap twice the memory": ("CR10", inspected({"MemorySwap": 536870912}), {"swap_limit": 536870912}),
    "swap without a limit": ("CR10", inspected({"MemorySwap": -1}), {"swap_limit": None}),
    "memory limit not in the cgroup": ("CR10", inspected(), {"memory_limit": None}),
    "swap limit not in the cgroup": ("CR10", inspected(), {"swap_limit": None}),
    "no pids limit": ("CR11", inspected({"PidsLimit": None}), {"pids_limit": None}),
    "pids limit -1": ("CR11", inspected({"PidsLimit": -1}), {"pids_limit": None}),
    "pids limit 0": ("CR11", inspected({"PidsLimit": 0}), {"pids_limit": None}),
    "pids limit not in the cgroup": ("CR11", inspected(), {"pids_limit": None}),
    "no core of its own": ("CR12", inspected({"CpusetCpus": ""}), {"cpus": "0-1"}),
    "cpuset not in the cgroup": ("CR12", inspected(), {"cpus": "0-1"}),
    "quota not in the cgroup": ("CR12", inspected(), {"cpu_quota": None}),
    "host network": ("CR13", inspected({"NetworkMode": "host"}), {"listening": frozenset({22, 8080})}),
    "host pids": ("CR13", inspected({"PidMode": "host"}), {}),
    "host ipc": ("CR13", inspected({"IpcMode": "host"}), {}),
    "another's network": ("CR13", inspected({"NetworkMode": f"container:{'ab' * 32}"}), {}),
    "another's pids": ("CR13", inspected({"PidMode": f"container:{'ab' * 32}"}), {}),
    "another's ipc": ("CR13", inspected({"IpcMode": "container:other"}), {}),
    "a link to docker.sock": ("CR14", bind("/srv/x"), {"mounts": {"/x": ("/run/docker.sock",)}}),
    "a link to /etc": ("CR15", bind("/srv/x"), {"mounts": {"/x": ("/etc", "/srv/x")}}),
    "/etc below a folder": ("CR15", bind("/srv"), {"mounts": {"/x": ("/srv", "/etc/ssl")}}),
    "the socket of systemd": ("CR15", bind("/run/systemd/private"), {}),
    "unmasked /proc": ("CR15", inspected({"MaskedPaths": [], "ReadonlyPaths": []}), {}),
    "the host's memory unmasked": (
        "CR15",
        inspected({"MaskedPaths": ["/proc/keys", "/sys/firmware"]}),
        {},
    ),
    "unmasked /sys": ("CR15", inspected({"ReadonlyPaths": None}), {}),
    "as much memory as the host has": ("CR10", inspected(), {"memory_of_host": 268435456}),
    "the default bridge too": (
        "CR24",
        inspected(NetworkSettings={"Ports": {}, "Networks": {"trading": {}, "bridge": {}}}),
        {},
    ),
    "docker.sock": ("CR14", bind("/var/run/docker.sock"), {}),
    "the folder of docker.sock": ("CR14", bind("/run"), {}),
    "containerd.sock": ("CR14", bind("/run/containerd/containerd.sock"), {}),
    "the host's root": ("CR15", bind("/"), {}),
    "/etc by detours": ("CR15", bind("/srv/..//etc/./ssl", rw=True), {}),
    "/lib/modules": ("CR15", bind("/lib/modules"), {}),
    "rshared": ("CR16", bind("/srv/data", propagation="rshared"), {}),
    "a device": ("CR17", inspected({"Devices": [{"PathOnHost": "/dev/mem"}]}), {}),
    "all GPUs": ("CR17", inspected({"DeviceRequests": [{"Driver": "nvidia"}]}), {}),
    "port on every address": ("CR18", port("0.0.0.0", "8080"), {}),
    "port on no address": ("CR18", port("", "8080"), {}),
    "port on every IPv6 address": ("CR18", port("::", "8080"), {}),
    "port 80": ("CR18", port("127.0.0.1", "80"), {}),
    "a debugger's port": ("CR18", inspected(), {"listening": frozenset({8080, 5005})}),
    "restart always": ("CR19", inspected({"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}}), {}),
    "restart on-failure for ever": (
        "CR19",
        inspected({"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 0}}),
        {},
    ),
    "no healthcheck": ("CR20", inspected(state={"Health": None}), {}),
    "still starting": ("CR20", inspected(state={"Health": {"Status": "starting"}}), {}),
    "unhealthy": ("CR20", inspected(state={"Health": {"Status": "unhealthy"}}), {}),
    "a password in the environment": ("CR21", inspected(config={"Env": ["DB_PASSWORD=hunter2"]}), {}),
    "a password on the command line": ("CR21", inspected(config={"Cmd": ["--password=hunter2"]}), {}),
    "an AWS key under another name": ("CR21", inspected(config={"Env": ["REGION=AKIA" + "Q" * 16]}), {}),
    "a tag that moved": ("CR22", inspected(Image="sha256:" + "1" * 64), {}),
    "a program that a mount brings": ("CR22", inspected(), {"brought": ("/trading-engine",)}),
    "memlock of the engine": (
        "CR23",
        inspected(),
        {
            "ulimits": {
                "nofile": in_effect().ulimits["nofile"],
                "memlock": replace(in_effect().ulimits["memlock"], hard=65536),
            }
        },
    ),
    "nofile unknown": ("CR23", inspected(), {"ulimits": {"memlock": in_effect().ulimits["memlock"]}}),
    "the default bridge": ("CR24", inspected({"NetworkMode": "default"}), {}),
    "another cgroup": ("CR24", inspected({"CgroupParent": "/"}), {}),
}


def report(
    profile: Profile, data: dict[str, Any], selection: Selection | None = None, **effect: Any
) -> Report:
    return judge(container(data, in_effect(**effect)), profile, CHECKS, subject="engine", selection=selection)


def test_every_rule_is_in_the_catalogue_and_broken_by_a_case() -> None:
    assert tuple(CHECKS) == ids("CR")
    assert {rule for rule, _, _ in BAD.values()} == set(CHECKS)
    assert len(CATALOGUE) == 14 + 12 + 24


def test_the_good_container_is_clean(profile: Profile) -> None:
    assert report(profile, inspected()) == Report()


@pytest.mark.parametrize("name", BAD)
def test_caught_by_exactly_its_rule(name: str, profile: Profile) -> None:
    rule, data, effect = BAD[name]
    found = report(profile, data, **effect)
    assert {finding.rule.id for finding in found.findings} == {rule}, [f.sentence for f in found.findings]
    assert found.doubts == ()
    sentence = found.findings[0].sentence
    assert "Declared: " in sentence
    assert "in effect: " in sentence
    assert "Write instead: " in sentence
    assert "hunter2" not in sentence, "a secret is never shown"


@pytest.mark.parametrize(
    "data",
    [
        inspected({"CapDrop": ["all"]}),
        inspected({"CapAdd": ["CAP_IPC_LOCK"]}),
        inspected({"SecurityOpt": ["no-new-privileges"]}),
        inspected({"SecurityOpt": ["no-new-privileges", 'seccomp={"defaultAction": "SCMP_ACT_ERRNO"}']}),
        inspected({"RestartPolicy": {"Name": "", "MaximumRetryCount": 0}}),
        inspected(config={"Env": ["DB_PASSWORD_FILE=/run/secrets/db", "TOKEN=${TOKEN}"]}),
        bind("/srv/etc/config"),
        bind("/libexec-data"),
    ],
    ids=[
        "cap_drop all",
        "an allowed CAP_",
        "bare no-new-privileges",
        "a strict seccomp profile",
        "no restart",
        "a secret's file",
        "…/etc",
        "/lib…",
    ],
)
def test_no_false_alarm(data: dict[str, Any], profile: Profile) -> None:
    assert report(profile, data).findings == ()


def test_an_added_capability_may_be_in_force(profile: Profile) -> None:
    found = report(profile, inspected({"CapAdd": ["IPC_LOCK"]}), processes=(process(cap_bounding=1 << 14),))
    assert found.findings == ()


def test_without_what_is_in_effect_nothing_passes_on_its_declaration(profile: Profile) -> None:
    facts = container_facts(inspected(), effective=None, effective_absent="the engine is remote")
    found = judge(facts, profile, CHECKS, subject="engine")
    undecided = {doubt.rule.id for doubt in found.doubts}
    assert {
        "CR02",
        "CR04",
        "CR05",
        "CR06",
        "CR08",
        "CR09",
        "CR10",
        "CR11",
        "CR12",
        "CR18",
        "CR23",
    } <= undecided
    assert all("the engine is remote" in doubt.sentence for doubt in found.doubts)


@pytest.mark.parametrize(
    "name",
    [name for name, (rule, *_) in BAD.items() if rule in ("CR05", "CR08", "CR09") and "child" not in name],
)
def test_a_bad_declaration_is_bad_without_looking(name: str, profile: Profile) -> None:
    rule, data, _ = BAD[name]
    if data == inspected() or "name that is" in name:
        return
    found = judge(container_facts(data, effective=None), profile, CHECKS, subject="engine")
    assert rule in {finding.rule.id for finding in found.findings}


def test_no_process_at_all_is_no_pass(profile: Profile) -> None:
    found = report(profile, inspected(), processes=())
    assert {"CR02", "CR05", "CR08"} <= {doubt.rule.id for doubt in found.doubts}


def test_without_a_released_image_it_is_undecided() -> None:
    found = report(PROFILES["hft-engine"], inspected())
    assert [doubt.rule.id for doubt in found.doubts] == ["CR22"]


def test_a_digest_of_the_registry_is_the_released_image_too(profile: Profile) -> None:
    facts = replace(
        container(inspected(Image="sha256:" + "2" * 64)), image_digests=(f"r/e@sha256:{RELEASED}",)
    )
    assert judge(facts, profile, CHECKS, subject="engine").findings == ()


def test_a_privileged_container_is_more_than_one_fault_where_policy_switches_that_rule_off(
    profile: Profile,
) -> None:
    _, data, effect = BAD["privileged"]
    found = report(profile, data, Selection(off={"CR01": "the sidecar needs it"}), **effect)
    assert {"CR02", "CR06", "CR07"} <= {finding.rule.id for finding in found.findings}


def test_a_finding_that_policy_tolerates_hides_none_that_fails(profile: Profile) -> None:
    _, data, effect = BAD["privileged"]
    found = report(profile, data, Selection(severities={"CR01": Severity.LOW}), **effect)
    assert {"CR01", "CR02", "CR06", "CR07"} <= {finding.rule.id for finding in found.findings}


def test_a_cgroup_that_does_not_say_its_cpus_is_no_pass(profile: Profile) -> None:
    assert [doubt.rule.id for doubt in report(profile, inspected(), cpus="").doubts] == ["CR12"]


def test_policy_changes_severities(profile: Profile) -> None:
    found = report(profile, BAD["port 80"][1], Selection(severities={"CR18": Severity.CRITICAL}))
    assert [finding.severity for finding in found.findings] == [Severity.CRITICAL]


def test_another_shape_is_an_error() -> None:
    for broken in (
        {},
        inspected({"Privileged": "no"}),
        inspected({"Memory": None}),
        {**inspected(), "HostConfig": None},
    ):
        with pytest.raises(MeasurementError, match="container-inspect"):
            container_facts(broken, effective=None)


def volume(device: str, name: str = "data") -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a container with a volume whose driver was told to bind a folder, and the driver's options."""
    source = f"/var/lib/docker/volumes/{name}/_data"
    mount = {
        "Type": "volume",
        "Name": name,
        "Source": source,
        "Destination": "/x",
        "RW": True,
        "Propagation": "",
    }
    return inspected(Mounts=[mount]), {
        name: {"type": "none", "o": "bind", "device": device} if device else {}
    }


@pytest.mark.parametrize(
    ("device", "rule"),
    [
        ("/run/docker.sock", "CR14"),
        ("/etc/../etc", "CR15"),
        ("/dev/sda1", "CR15"),
        ("/srv/journal", ""),
        ("", ""),
    ],
)
def test_a_volume_is_judged_by_what_its_driver_binds(profile: Profile, device: str, rule: str) -> None:
    data, volumes = volume(device)
    found = judge(container(data, volumes=volumes), profile, CHECKS, subject="engine")
    assert [finding.rule.id for finding in found.findings] == [rule] * bool(rule)
    assert found.doubts == ()


def test_a_volume_is_judged_by_what_the_kernel_shows(profile: Profile) -> None:
    data, _ = volume("")
    facts = container(
        data, in_effect(mounts={"/x": ("/etc", "/var/lib/docker/volumes/data/_data")}), volumes={"data": {}}
    )
    assert [each.rule.id for each in judge(facts, profile, CHECKS, subject="engine").findings] == ["CR15"]


@pytest.mark.parametrize("source", ["/srv/data", "/tmp/gate-docker-1/docker.sock", "/tmp/gate-docker-1"])
def test_the_socket_by_which_the_engine_was_asked_is_one_of_its_sockets(
    profile: Profile, source: str
) -> None:
    facts = container(bind(source), engine_socket="/tmp/gate-docker-1/docker.sock")
    found = judge(facts, profile, CHECKS, subject="engine")
    assert [each.rule.id for each in found.findings] == ([] if source == "/srv/data" else ["CR14"])


@pytest.mark.parametrize("data", [bind("/srv/data"), volume("")[0]])
def test_mounts_that_nobody_saw_are_no_pass(profile: Profile, data: dict[str, Any]) -> None:
    """On another host a folder may be a link to /etc."""
    facts = container_facts(data, effective=None, effective_absent="the engine is remote")
    undecided = {doubt.rule.id for doubt in judge(facts, profile, CHECKS, subject="engine").doubts}
    assert {"CR14", "CR15", "CR22"} <= undecided
    lost = container_facts(data, effective=in_effect())
    assert {doubt.rule.id for doubt in judge(lost, profile, CHECKS, subject="engine").doubts} == {
        "CR14",
        "CR15",
    }
    silent = container(inspected({"MaskedPaths": []}))
    del data["HostConfig"]["MaskedPaths"]
    assert silent.masked is False
    assert container(data).masked is None


def test_policy_lets_a_sidecar_join_and_no_more(profile: Profile) -> None:
    joined = replace(profile, joined_modes=frozenset({"Network"}))
    assert report(joined, BAD["another's network"][1]) == Report()
    assert report(joined, BAD["another's pids"][1]).findings
    assert report(joined, *BAD["host network"][1:2]).findings
