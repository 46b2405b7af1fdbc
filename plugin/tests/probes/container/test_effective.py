"""What is in effect, from recorded trees of both versions of cgroups, and from what is torn."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.errors import MeasurementError
from release_gates.probes.container.effective import NotHere, listening, read_effective
from release_gates.probes.container.mounts import brought, executed, parse_mounts, shown_paths
from release_gates.probes.container.proc_status import parse_status
from release_gates.probes.container.settings import ContainerSettings

ID = "bb" * 32
STATUS = """Name:\ttrading-engine
State:\tS (sleeping)
Uid:\t65532\t65532\t65532\t65532
Gid:\t65532\t65532\t65532\t65532
Groups:\t65532
CapBnd:\t0000000000000000
CapEff:\t0000000000000000
NoNewPrivs:\t1
Seccomp:\t2
"""
LIMITS = f"""{"Limit":<26}{"Soft Limit":<21}{"Hard Limit":<21}Units
{"Max open files":<26}{"16384":<21}{"16384":<21}files
{"Max locked memory":<26}{"unlimited":<21}{"unlimited":<21}bytes
"""
HEAD = "  sl  local_address rem_address   st\n"
TABLE = (
    HEAD
    + "   0: 00000000:1F90 00000000:0000 0A 0\n   1: 0B00007F:9C40 00000000:0000 0A 0\n   2: 0100007F:1F90 0100007F:8888 01 0\n"
)
TABLE6 = (
    HEAD + f"   0: {'0' * 32}:138D {'0' * 32}:0000 0A 0\n   1: {'0' * 24}01000000:0016 {'0' * 32}:0000 0A 0\n"
)


HOST = """27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
50 27 0:30 / /run rw - tmpfs tmpfs rw
42 27 254:0 /srv/pool /var/pool rw shared:1 - ext4 /dev/vda rw
"""
INSIDE = """100 99 0:50 / / ro - overlay overlay rw
101 100 254:0 /etc/ssl\\040certs /x ro - ext4 /dev/vda rw
102 100 0:30 /docker.sock /y ro - tmpfs tmpfs rw
103 100 254:0 /srv /z ro - ext4 /dev/vda rw
104 103 0:30 / /z/run ro - tmpfs tmpfs rw
105 100 0:4 net:[4026531833] /zz ro - nsfs nsfs rw
106 100 254:0 /srv/pool/a /p rw - ext4 /dev/vda rw
"""
MAPS = """55d0-55d1 r-xp 00000000 00:50 12 /trading-engine
55d1-55d2 r--p 00001000 254:00 13 /p/read.so
7f00-7f01 r-xp 00000000 254:00 14 /p/lib/hot fix.so
7f01-7f02 r-xp 00000000 00:01 15 /memfd:doublemapper (deleted)
7f02-7f03 rwxp 00000000 00:00 0
7ffe-7fff r-xp 00000000 00:00 0 [vdso]
"""


PROCESSES = {f"docker/{ID}/cgroup.procs": "4711\n"}


def tree(root: Path, cgroup: dict[str, str], groups: str) -> tuple[dict[str, Any], Path, Path]:
    """Write what a host shows of one container, and return what docker inspect says of it."""
    proc = root / "proc" / "4711"
    files = {
        "status": STATUS,
        "cgroup": groups,
        "limits": LIMITS,
        "net/tcp": TABLE,
        "net/tcp6": TABLE6,
        "../swaps": "Filename\n/swap\n",
        "mountinfo": INSIDE,
        "../1/mountinfo": HOST,
        "maps": MAPS,
    }
    for name, text in files.items():
        path = proc / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (proc / "root").mkdir()
    for name, text in cgroup.items():
        path = root / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return {"Id": ID, "State": {"Running": True, "Pid": 4711}}, root / "proc", root / "cgroup"


def test_cgroups_of_version_2(tmp_path: Path) -> None:
    at = f"system.slice/docker-{ID}.scope"
    files = {
        "memory.max": "268435456\n",
        "memory.swap.max": "0\n",
        "pids.max": "64\n",
        "cpu.max": "150000 100000\n",
        "cpu.weight": "100\n",
        "cpuset.cpus.effective": "0-1\n",
        "cgroup.procs": "4711\n",
    }
    inspected, proc, cgroup = tree(
        tmp_path, {f"{at}/{name}": text for name, text in files.items()}, f"0::/{at}\n"
    )
    found = read_effective(inspected, proc=proc, cgroup=cgroup)
    assert (found.memory_limit, found.swap_limit, found.pids_limit) == (268435456, 268435456, 64)
    assert (found.cpu_quota, found.cpus, found.swap_on_host) == (1.5, "0-1", True)
    assert found.listening == {8080, 5005}, "not what listens on loopback, nor what is connected"
    assert {name: limit.hard for name, limit in found.ulimits.items()} == {"nofile": 16384, "memlock": -1}
    assert found.root_writable, "a plain folder can be written"
    assert found.brought == ("/p/lib/hot fix.so",)
    assert not list((proc / "4711" / "root").iterdir()), "the attempt leaves nothing behind"


def test_version_2_without_limits(tmp_path: Path) -> None:
    files = {"memory.max": "max", "memory.swap.max": "max", "pids.max": "max", "cpu.max": "max 100000"}
    files["cgroup.procs"] = "4711\n"
    inspected, proc, cgroup = tree(
        tmp_path, {f"docker/{ID}/{name}": text for name, text in files.items()}, f"0::/docker/{ID}\n"
    )
    found = read_effective(inspected, proc=proc, cgroup=cgroup)
    assert (found.memory_limit, found.swap_limit, found.pids_limit, found.cpu_quota) == (None,) * 4


def test_version_1_without_limits(tmp_path: Path) -> None:
    huge = "9223372036854771712\n"
    files = {
        "memory/memory.limit_in_bytes": huge,
        "memory/memory.memsw.limit_in_bytes": huge,
        "pids/pids.max": "max\n",
        "pids/cgroup.procs": "4711\n",
        "cpu/cpu.cfs_quota_us": "-1\n",
        "cpu/cpu.cfs_period_us": "100000\n",
    }
    placed = {f"{name.split('/')[0]}/docker/{ID}/{name.split('/')[1]}": text for name, text in files.items()}
    groups = "".join(
        f"{number}:{name}:/docker/{ID}\n"
        for number, name in enumerate(("memory", "pids", "cpu,cpuacct", "cpuset"), 1)
    )
    inspected, proc, cgroup = tree(tmp_path, placed, groups)
    found = read_effective(inspected, proc=proc, cgroup=cgroup)
    assert (found.memory_limit, found.swap_limit, found.pids_limit, found.cpu_quota) == (None,) * 4


def test_a_process_of_somebody_else_is_not_looked_at(tmp_path: Path) -> None:
    inspected, proc, cgroup = tree(tmp_path, {}, "0::/user.slice\n")
    with pytest.raises(NotHere, match="is not the container's"):
        read_effective(inspected, proc=proc, cgroup=cgroup)


@pytest.mark.parametrize(
    "state", [{"Running": False, "Pid": 0}, {"Running": True, "Pid": 0}, {"Running": True, "Pid": 999}, {}]
)
def test_what_does_not_run_here_is_said(tmp_path: Path, state: dict[str, Any]) -> None:
    _, proc, cgroup = tree(tmp_path, {}, f"0::/docker/{ID}\n")
    with pytest.raises(NotHere):
        read_effective({"Id": ID, "State": state}, proc=proc, cgroup=cgroup)


@pytest.mark.parametrize("procs", [None, "", "4712\n", "\n".join(map(str, range(4000, 9000)))])
def test_processes_that_are_not_looked_at_are_no_pass(tmp_path: Path, procs: str | None) -> None:
    shown = {} if procs is None else {f"docker/{ID}/cgroup.procs": procs}
    inspected, proc, cgroup = tree(tmp_path, shown, f"0::/docker/{ID}\n")
    with pytest.raises(NotHere, match="processes"):
        read_effective(inspected, proc=proc, cgroup=cgroup)


@pytest.mark.parametrize(
    ("label", "read"),
    [
        ("docker-default (enforce)\n", "docker-default"),
        ("docker-default (complain)\n", "docker-default (complain)"),
        ("unconfined\n", "unconfined"),
    ],
)
def test_a_profile_of_apparmor_that_does_not_enforce_is_told_apart(
    tmp_path: Path, label: str, read: str
) -> None:
    inspected, proc, cgroup = tree(tmp_path, PROCESSES, f"0::/docker/{ID}\n")
    (proc / "4711" / "attr").mkdir()
    (proc / "4711" / "attr" / "current").write_text(label)
    assert read_effective(inspected, proc=proc, cgroup=cgroup).apparmor == read


@pytest.mark.parametrize("lost", ["limits", "status"])
def test_a_container_that_ends_meanwhile_is_an_error(tmp_path: Path, lost: str) -> None:
    inspected, proc, cgroup = tree(tmp_path, PROCESSES, f"0::/docker/{ID}\n")
    (proc / "4711" / lost).unlink()
    with pytest.raises(MeasurementError, match="container-gone"):
        read_effective(inspected, proc=proc, cgroup=cgroup)


@pytest.mark.parametrize("key", ["Uid", "Gid", "Groups", "CapBnd", "CapEff", "NoNewPrivs", "Seccomp"])
def test_a_status_without_a_line_is_an_error(key: str) -> None:
    lines = [line for line in STATUS.splitlines() if not line.startswith(f"{key}:")]
    with pytest.raises(MeasurementError, match=f"has no line {key}"):
        parse_status("\n".join(lines), "status")


@given(
    st.sampled_from(["Uid", "CapBnd", "NoNewPrivs", "Seccomp"]),
    st.text(alphabet="0123456789abcdef- \t.", max_size=20),
)
def test_any_value_is_read_or_one_error(key: str, value: str) -> None:
    text = "\n".join(
        f"{key}:\t{value}" if line.startswith(f"{key}:") else line for line in STATUS.splitlines()
    )
    try:
        found = parse_status(text, "status")
    except MeasurementError:
        return
    assert len(found.uids) == 4


def test_the_kernel_tells_what_a_mount_shows() -> None:
    inside, host = parse_mounts(INSIDE, "mountinfo"), parse_mounts(HOST, "mountinfo")
    found = shown_paths(["/x", "/y", "/z", "/p", "/absent"], inside, host)
    assert found == {
        "/x": ("/etc/ssl certs",),
        "/y": ("/run/docker.sock",),
        "/z": ("/srv", "/run"),
        "/p": ("/srv/pool/a", "/var/pool/a"),
    }
    assert brought(executed(MAPS), inside) == ("/p/lib/hot fix.so",)
    assert "/trading-engine" in executed(MAPS)
    assert executed(Path("/proc/self/maps").read_text())
    assert parse_mounts(Path("/proc/self/mountinfo").read_text(), "mountinfo")
    for torn in ("27", "27 1 254 / / rw - ext4 /dev/vda rw", "27 1 254:0 / / rw"):
        with pytest.raises(MeasurementError, match="container-state"):
            parse_mounts(torn, "mountinfo")


def test_our_own_status_is_read() -> None:
    found = parse_status(Path("/proc/self/status").read_text(), "status")
    assert found.uids[1] == os.geteuid()
    assert listening("") == frozenset()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('off = {CR1 = "we said so"}', "Did you mean 'CR"),
        ('off = {CR01 = "no"}', "say in words why"),
        ('off = {CR01 = ""}', "say in words why"),
        ('severity = {CR01 = "mild"}', "must be one of critical"),
        ('severity = {nonsense = "low"}', "no rule bears that name"),
        ('profile = "open"', "Invalid enum value"),
        ('caps = "ALL"', "Expected `array`"),
        ('host_modes = ["network"]', "is none of Network"),
        ('high = "ignore"', "is no action"),
        ('image = ""', "must name an artifact"),
        ("report_days = 0", "must be from 1 to 366"),
        ('readonly = "x"', "unknown field"),
    ],
)
def test_policy_is_strict(text: str, says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        msgspec.convert(tomllib.loads(text), ContainerSettings, strict=True)


def test_policy_adds_to_the_profile() -> None:
    settings = ContainerSettings(caps=["cap_net_raw"], host_modes=["Ipc"], size_budget_mib=1, ulimits={})
    profile = settings.allowances("a" * 64)
    assert profile.caps == {"NET_BIND_SERVICE", "NET_RAW"}
    assert (profile.size_budget, profile.released, profile.ulimits) == (1024**2, "a" * 64, {})
