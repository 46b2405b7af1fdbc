"""The engine in a real guest: local arenas hold, misplaced ones do not, and nothing else passes for either."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from release_gates.errors import MeasurementError
from release_gates.host.topology import read_topology
from release_gates.probes.machine.assessment import LOCALITY, ORDER, GateMachine
from release_gates.probes.machine.numa_maps import arenas, parse_numa_maps
from release_gates.probes.machine.numastat import grown, parse_numastat
from release_gates.probes.machine.recording import parse_recording
from release_gates.probes.machine.threads import misplaced, parse_status, read_threads

from .conftest import DATA, ENGINE, Made, StandIn, recorded, tree_of

Maker = Callable[..., Made]


def fresh(name: str, **changed: object) -> dict[str, Any]:
    return recorded(name, recorded=datetime.now(UTC).isoformat(), **changed)


def measure(machine: GateMachine) -> str:
    """Measure locality where no process may be started: on a host with one node."""

    def never() -> int:
        raise AssertionError("a process was started on a host with one node")

    return str(machine.measure_locality(never, never))


def with_file(name: str, path: str, change: Callable[[str], str]) -> dict[str, Any]:
    """Return a recording in which one file says something else; PID stands for the engine's number."""
    document = fresh(name)
    path = path.replace("PID", str(document["pid"]))
    document["after"][path] = change(document["after"][path])
    return document


# -- the two that were recorded -----------------------------------------------------------------------


def test_local_arenas(one_node: Maker) -> None:
    machine, gate = one_node(fresh("local"))
    assert "anonymous arena of 4610 pages: 4610 on node 0" in measure(machine)
    assert gate.measured["numa.arena_pages"] == 4610 + 5783 + 5635
    assert {name: gate.measured[name] for name in LOCALITY[1:]} == dict.fromkeys(LOCALITY[1:], 0)
    assert gate.attached == ["machine-facts.json"]


def test_misplaced_arenas(one_node: Maker) -> None:
    machine, gate = one_node(fresh("misplaced"))
    said = measure(machine)
    assert gate.measured["numa.remote_pages"] == 10393 + 5635
    assert gate.measured["numa.remote_ratio"] == 1
    assert "anonymous arena of 10393 pages: 10393 on node 1" in said


def test_order_of_an_emulated_machine_says_nothing(one_node: Maker) -> None:
    machine, gate = one_node(fresh("local"))
    machine.measure_order()
    assert "memory of one speed" in gate.inapplicable[ORDER[0]]
    assert not gate.measured


def test_binding_is_read_of_a_process(tmp_path: Path) -> None:
    for name, problem in (("local", ""), ("misplaced", "has the policy 'bind:1', not 'bind:0'")):
        document = recorded(name)
        gate = StandIn(tmp_path, ENGINE, "x")
        machine = GateMachine(gate, tmp_path, root=tree_of(document, tmp_path / name))
        if problem:
            with pytest.raises(AssertionError, match=problem):
                machine.check_binding(document["pid"])
        else:
            machine.check_binding(document["pid"])


@pytest.mark.parametrize(("name", "remote"), [("local", 0), ("misplaced", 10393 + 5635)])
def test_a_host_with_two_nodes_is_measured_itself(tmp_path: Path, name: str, remote: int) -> None:
    document = recorded(name)
    gate = StandIn(tmp_path, {**ENGINE, "emulated": True}, "x")
    machine = GateMachine(gate, tmp_path / "work", root=tree_of(document, tmp_path / "host"))
    asked: list[str] = []
    machine.measure_locality(lambda: document["pid"], lambda: asked.append("work"))
    assert asked == ["work"]
    assert gate.measured["numa.remote_pages"] == remote


# -- what is no pass ----------------------------------------------------------------------------------


@pytest.mark.parametrize("facts", ["", "facts"])
def test_one_node_and_no_recording_is_inconclusive(one_node: Maker, facts: str) -> None:
    machine, gate = one_node(None, facts=facts)
    for measured, names in ((lambda: measure(machine), LOCALITY), (machine.measure_order, ORDER)):
        with pytest.raises(pytest.skip.Exception, match="single node"):
            measured()
        assert all("single node" in gate.inconclusives[name] for name in names)
    assert not gate.measured


def test_an_emulated_machine_has_to_be_accepted(one_node: Maker) -> None:
    machine, gate = one_node(fresh("local"), emulated=False)
    for measured in (lambda: measure(machine), machine.measure_order):
        with pytest.raises(pytest.skip.Exception, match="emulated, which policy does not accept"):
            measured()
    assert not gate.measured


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"recorded": (datetime.now(UTC) - timedelta(hours=25)).isoformat()}, "older than 24 h"),
        ({"recorded": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}, "from the future"),
        ({"recorded": "2026-11-21T10:00:00"}, "is no recording"),
        ({"schema": 2}, "is no recording"),
        ({"extra": 1}, "is no recording"),
        ({"pid": 0}, "is no recording"),
        ({"after": {}}, "cannot be read"),
        ({"before": {}}, "numastat: cannot be read"),
        ({"after": {"proc/../../etc/passwd": "x"}}, "is no path below proc or sys"),
        ({"after": {"/etc/passwd": "x"}}, "is no path below proc or sys"),
        ({"after": {"proc": "x", "proc/a": "y"}}, "cannot be laid out"),
        ({"matrix": "{}"}, "is no memory matrix"),
        ({"matrix": '{"cells":[]}'}, "has other pairs of CPU and node"),
    ],
)
def test_a_recording_that_cannot_be_believed(one_node: Maker, changed: dict[str, object], says: str) -> None:
    machine, gate = one_node({**fresh("local"), **changed})
    with pytest.raises(MeasurementError) as caught:
        machine.measure_order() if "matrix" in changed else measure(machine)
    assert says in caught.value.message
    assert not gate.measured


def test_a_recording_of_another_program(one_node: Maker) -> None:
    machine, gate = one_node(fresh("local"), program="a" * 64)
    with pytest.raises(MeasurementError, match="is about a program with SHA-256"):
        measure(machine)
    assert not gate.measured


def test_a_recording_from_a_host_with_one_node(one_node: Maker) -> None:
    document = fresh("local")
    one = json.loads((DATA.parents[2] / "host/data/one-node.json").read_text(encoding="utf-8"))
    document["after"] = {
        path: text for path, text in document["after"].items() if "/node1/" not in path
    } | one
    machine, gate = one_node(document)
    with pytest.raises(pytest.skip.Exception, match="single node: the recorded host has one"):
        measure(machine)
    assert not gate.measured


@pytest.mark.parametrize(
    ("path", "old", "new", "says"),
    [
        ("proc/sys/kernel/numa_balancing", "0", "1", "automatic NUMA balancing is on: kernel.numa_balancing = 1"),
        ("proc/PID/task/PID/status", "Cpus_allowed_list:\t0", "Cpus_allowed_list:\t0-3", "'trading-engine' may run on CPUs 0-3; it was asked onto 0"),
        ("proc/PID/task/PID/comm", "trading-engine", "worker", "there is no thread 'trading-engine'; there are: matching, worker"),
    ],
)  # fmt: skip
def test_what_else_fails(one_node: Maker, path: str, old: str, new: str, says: str) -> None:
    machine, _ = one_node(with_file("local", path, lambda text: text.replace(old, new)))
    with pytest.raises(AssertionError, match=re.escape(says)):
        measure(machine)


def test_a_thread_that_may_leave_the_node_is_counted(one_node: Maker) -> None:
    document = with_file(
        "local", "proc/PID/task/PID/status", lambda text: text.replace("list:\t0\n", "list:\t0-3\n")
    )
    machine, gate = one_node(document, threads={"trading-engine": "0-3", "matching": "1"})
    said = measure(machine)
    assert gate.measured["numa.stray_threads"] == 1
    assert "'trading-engine' may run on CPUs 0-3 of nodes 0-1" in said


def test_pages_that_were_wanted_and_taken_elsewhere_are_counted(one_node: Maker) -> None:
    path = "sys/devices/system/node/node0/numastat"
    machine, gate = one_node(
        with_file("local", path, lambda text: text.replace("numa_foreign 0", "numa_foreign 9"))
    )
    measure(machine)
    assert gate.measured["numa.missed_pages"] == 9


def test_a_process_without_arenas_is_inconclusive(one_node: Maker) -> None:
    machine, gate = one_node(fresh("local"), arena_min_kib=1 << 20)
    with pytest.raises(pytest.skip.Exception, match="there is no arena"):
        measure(machine)
    assert not gate.measured


# -- this very process --------------------------------------------------------------------------------


def test_threads_of_this_process() -> None:
    bound = min(os.sched_getaffinity(0))
    ready, done = threading.Event(), threading.Event()

    def stay() -> None:
        os.sched_setaffinity(0, {bound})
        ready.set()
        done.wait()

    worker = threading.Thread(target=stay)
    worker.start()
    try:
        assert ready.wait(10)
        found = {thread.id: thread for thread in read_threads(Path("/"), os.getpid())}
    finally:
        done.set()
        worker.join()
    assert found[worker.native_id or 0].cpus == {bound}
    assert found[os.getpid()].cpus == os.sched_getaffinity(0)


def test_a_process_that_has_ended_is_an_error() -> None:
    with pytest.raises(MeasurementError, match="Has process 4194304 ended"):
        read_threads(Path("/"), 1 << 22)


def test_memory_of_this_process_is_read() -> None:
    text = Path("/proc/self/numa_maps").read_text(encoding="utf-8")
    nodes = {node.id for node in read_topology().nodes}
    mappings = parse_numa_maps(text, "numa_maps")
    assert arenas(mappings, 1024)
    assert {node for each in mappings for node in each.kib_by_node} <= nodes


def test_intruders_are_named(tmp_path: Path) -> None:
    document = recorded("local")
    threads = read_threads(tree_of(document, tmp_path), document["pid"])
    (sentence,) = misplaced(threads, {"matching": frozenset({1}) | frozenset({0})})[1:]
    assert sentence == "thread 'trading-engine' may run on CPUs 0, which 'matching' is bound to"


# -- files of the kernel, damaged ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "is empty"),
        ("nonsense", "is not 'address policy …'"),
        ("00400000 default N0=1", "without saying once how large"),
        ("00400000 default N0=1 N0=2 kernelpagesize_kB=4", "names node 0 twice"),
        ("00400000 default N0=-1 kernelpagesize_kB=4", "is no count of pages"),
        ("00400000 default N0=1 kernelpagesize_kB=0", "without saying once how large"),
    ],
)
def test_malformed_numa_maps(line: str, says: str) -> None:
    with pytest.raises(MeasurementError, match="numa_maps") as caught:
        parse_numa_maps(line, "numa_maps")
    assert says in caught.value.message


def test_huge_and_shared_arenas_count_by_their_size() -> None:
    text = "7f0000000000 bind:0 file=/anon_hugepage\\040(deleted) huge anon=3 N0=1 N1=2 kernelpagesize_kB=2048\n7f0000000000 default file=/dev/shm/ring N1=300 kernelpagesize_kB=4\n7f1000000000 default file=/lib/x.so N1=900 kernelpagesize_kB=4\n"
    assert [each.kib for each in arenas(parse_numa_maps(text, "x"), 1024)] == [3 * 2048, 1200]


def test_counters_that_went_back_are_damage() -> None:
    counts = dict.fromkeys(("numa_foreign",), 5)
    with pytest.raises(MeasurementError, match="went back by 1"):
        grown({0: counts}, {0: {"numa_foreign": 4}}, "numa_foreign", "numastat")


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(alphabet="N0123=bind: \nkernelpagesize_kB4file/heap", max_size=120))
def test_numa_maps_fuzzed(text: str) -> None:
    try:
        mappings = parse_numa_maps(text, "numa_maps")
    except MeasurementError:
        return
    assert mappings
    assert all(kib >= 0 for each in mappings for kib in each.kib_by_node.values())


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=80), st.sampled_from(["numa_hit 1\n", ""]))
def test_small_files_fuzzed(text: str, line: str) -> None:
    for parse in (parse_numastat, parse_status):
        with pytest.raises(MeasurementError):
            parse(line + text, "file")


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=60), st.integers(0, 20_000))
def test_a_damaged_recording_is_refused_or_whole(damage: bytes, at: int) -> None:
    content = (DATA / "local.json").read_bytes()
    try:
        recording = parse_recording(content[:at] + damage + content[at + len(damage) + 1 :], "facts.json")
    except MeasurementError:
        return
    assert len(recording.program) == 64
    assert all(path.startswith(("proc/", "sys/")) for path in (*recording.before, *recording.after))
