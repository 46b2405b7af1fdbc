"""The lint of a declared placement, the kubelet's configuration, and the memory matrix."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from release_gates.errors import MeasurementError
from release_gates.host.topology import Topology, read_topology
from release_gates.model.cpus import parse_list
from release_gates.probes.machine.assessment import GateMachine
from release_gates.probes.machine.kubelet import lint_kubelet, parse_kubelet, read_kubelet
from release_gates.probes.machine.matrix import (
    Cell,
    Matrix,
    best_of,
    build_program,
    measure_matrix,
    order_of,
    parse_matrix,
    wanted_pairs,
)
from release_gates.probes.machine.nic import nic_node
from release_gates.probes.machine.placement import lacking, lint
from release_gates.probes.machine.settings import MachineSettings

from .conftest import DATA, ENGINE, StandIn, tree_of

ROOT = Path(__file__).resolve().parents[4]
GOOD = {
    "kind": "KubeletConfiguration",
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "cpuManagerPolicy": "static",
    "cpuManagerPolicyOptions": {"full-pcpus-only": "true", "strict-cpu-reservation": "true"},
    "topologyManagerPolicy": "single-numa-node",
    "memoryManagerPolicy": "Static",
    "reservedMemory": [{"numaNode": 0, "limits": {"memory": "1000Mi"}}],
    "reservedSystemCPUs": "2-3",
}


def topology(root: Path, name: str = "two-nodes", **more: str) -> Topology:
    tree = json.loads((DATA.parents[2] / f"host/data/{name}.json").read_text(encoding="utf-8"))
    return read_topology(
        tree_of({"after": tree | {key.replace("__", "/"): text for key, text in more.items()}}, root)
    )


def declared(**changed: Any) -> MachineSettings:
    return msgspec.convert({**ENGINE, **changed}, MachineSettings, strict=True)


def test_a_placement_that_fits(tmp_path: Path) -> None:
    container = {"cpuset_cpus": "0-1", "cpuset_mems": "0"}
    assert lint(declared(container=container, nic="eth0"), topology(tmp_path), nic_node=0) == ()
    assert lint(declared(nic="eth0"), topology(tmp_path), nic_node=-1) == ()


@pytest.mark.parametrize(
    ("changed", "nic", "says"),
    [
        ({"arena_node": 1}, None, "thread 'matching' is bound to CPUs 1 of node 0, its arena to node 1"),
        ({"threads": {"a": "1-2"}}, None, "thread 'a' is bound to CPUs 1-2 of node 0-1, its arena to node 0"),
        ({"threads": {"a": "0", "b": "0-1"}}, None, "threads 'a' and 'b' share CPU 0"),
        ({"nic": "eth0"}, 1, "eth0 is on node 1, the arena on node 0"),
        ({"container": {"cpuset_mems": "0"}}, None, "the container has no --cpuset-cpus"),
        ({"container": {"cpuset_cpus": "0-1"}}, None, "the container has no --cpuset-mems"),
        ({"container": {"cpuset_cpus": "0", "cpuset_mems": "0"}}, None, "bound to CPUs 1, which --cpuset-cpus 0 leaves out"),
        ({"container": {"cpuset_cpus": "0-1", "cpuset_mems": "0-1"}}, None, "--cpuset-mems is 0-1, the arena is on node 0 alone"),
    ],
)  # fmt: skip
def test_what_does_not_fit(tmp_path: Path, changed: dict[str, Any], nic: int | None, says: str) -> None:
    found = lint(declared(**changed), topology(tmp_path), nic_node=nic)
    assert any(says in sentence for sentence in found), found


def test_what_a_host_lacks_is_named(tmp_path: Path) -> None:
    assert list(lacking(declared(), topology(tmp_path))) == []
    found = list(lacking(declared(arena_node=7, threads={"a": "9"}), topology(tmp_path)))
    assert found[0].startswith("thread 'a' is bound to CPUs 9, which are not there (node 0: CPUs 0-1, ")
    assert found[1].startswith("node 7 of the arena has no memory")
    offline = lacking(declared(arena_node=1, threads={"a": "3"}), topology(tmp_path / "a", "offline-cpu"))
    assert "CPUs 3, which are offline" in next(offline)
    group = {"proc__self__cgroup": "3:cpuset:/job\n"}
    group |= {
        f"sys__fs__cgroup__cpuset__job__cpuset.{name}": text
        for name, text in (("cpus", "0\n"), ("mems", "1\n"))
    }
    found = list(lacking(declared(), topology(tmp_path / "b", **group)))
    assert "thread 'matching' is bound to CPUs 1; its control group has 0" in found
    assert "the arena is on node 0; its control group has 1" in found


def test_a_host_that_lacks_a_cpu_is_inconclusive_and_a_contradiction_fails(tmp_path: Path) -> None:
    topology(tmp_path / "host", "one-node")
    for threads, kind, says in (
        ({"a": "9"}, pytest.skip.Exception, "this host lacks what is declared: thread 'a'"),
        ({"a": "0", "b": "0"}, AssertionError, "contradicts itself: threads 'a' and 'b' share CPU 0"),
        ({"a": "9", "b": "9"}, AssertionError, "contradicts itself: threads 'a' and 'b' share CPU 9"),
    ):
        gate = StandIn(tmp_path, {"threads": threads, "arena_node": 0}, "x")
        with pytest.raises(kind, match=says):
            GateMachine(gate, tmp_path, root=tmp_path / "host").lint()


@pytest.mark.parametrize(
    "changed",
    [
        {"threads": {}},
        {"threads": {"a": ""}},
        {"threads": {"a": "3-1"}},
        {"threads": {"x" * 16: "1"}},
        {"arena_node": -1},
        {"facts": "../elsewhere"},
        {"facts_hours": 0},
        {"facts_hours": float("nan")},
        {"arena_min_kib": 0},
        {"container": {"cpuset_cpus": "a"}},
        {"container": {"cpus": "1"}},
        {"thread": {"a": "1"}},
    ],
)
def test_settings_that_are_mistaken(changed: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        declared(**changed)


def test_network_device(tmp_path: Path) -> None:
    (tmp_path / "sys/class/net/eth0/device").mkdir(parents=True)
    node = tmp_path / "sys/class/net/eth0/device/numa_node"
    assert nic_node(tmp_path, "eth0") == -1
    for text, number in (("1\n", 1), ("-1\n", -1)):
        node.write_text(text)
        assert nic_node(tmp_path, "eth0") == number
    for name, text in (("eth0", "one\n"), ("eth1", ""), ("../net/eth0", "")):
        node.write_text(text)
        with pytest.raises(MeasurementError):
            nic_node(tmp_path, name)


# -- the kubelet --------------------------------------------------------------------------------------


def findings(pinned: str = "0-1", **changed: object) -> list[str]:
    document = {key: value for key, value in {**GOOD, **changed}.items() if value is not None}
    return list(
        lint_kubelet(parse_kubelet(json.dumps(document).encode(), "kubelet.json"), parse_list(pinned))
    )


def test_kubelet_of_the_reference_host() -> None:
    kubelet = read_kubelet(ROOT / "fixtures/trading_system/host/kubelet.yaml")
    assert list(lint_kubelet(kubelet, frozenset({0, 1}))) == []


def test_kubelet_from_configz() -> None:
    answer = {
        "kubeletconfig": {key: value for key, value in GOOD.items() if key not in {"kind", "apiVersion"}}
    }
    assert list(lint_kubelet(parse_kubelet(json.dumps(answer).encode(), "configz"), frozenset({0}))) == []


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"cpuManagerPolicy": None}, "cpuManagerPolicy is none"),
        ({"cpuManagerPolicyOptions": {"full-pcpus-only": "true"}}, "strict-cpu-reservation is absent"),
        ({"cpuManagerPolicyOptions": {**GOOD["cpuManagerPolicyOptions"], "full-pcpus-only": "false"}}, "full-pcpus-only is false"),  # type: ignore[dict-item]
        ({"topologyManagerPolicy": "best-effort"}, "topologyManagerPolicy is best-effort"),
        ({"memoryManagerPolicy": None}, "memoryManagerPolicy is None"),
        ({"reservedMemory": None}, "wants reservedMemory"),
        ({"reservedSystemCPUs": None}, "reservedSystemCPUs is empty"),
        ({"reservedSystemCPUs": "1-2"}, "reservedSystemCPUs has CPUs 1, to which threads are bound"),
    ],
)  # fmt: skip
def test_kubelet_findings(changed: dict[str, object], says: str) -> None:
    (found,) = findings(**changed)
    assert says in found


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"{", b"kind: Pod\napiVersion: v1\n", b"a: [", b"\xff\xfe\x00", b"a: &a [*a]\n",
        b"kind: KubeletConfiguration\napiVersion: kubelet.config.k8s.io/v1beta1\ncpuManagerPolicy: 7\n",
        b"kind: KubeletConfiguration\napiVersion: kubelet.config.k8s.io/v1beta1\nreservedSystemCPUs: 3-1\n",
        b'{"kubeletconfig": []}',
    ],
)  # fmt: skip
def test_what_is_no_kubelet_configuration(content: bytes) -> None:
    with pytest.raises(MeasurementError, match=r"kubelet\.yaml"):
        parse_kubelet(content, "kubelet.yaml")


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=40), st.integers(0, 500))
def test_kubelet_fuzzed(damage: bytes, at: int) -> None:
    content = json.dumps(GOOD).encode()
    try:
        kubelet = parse_kubelet(content[:at] + damage + content[at + len(damage) :], "kubelet.json")
    except MeasurementError:
        return
    assert kubelet.kind == "KubeletConfiguration"


# -- the memory matrix --------------------------------------------------------------------------------


def matrix(*latencies: float) -> Matrix:
    pairs = ((0, 0), (0, 1), (2, 0), (2, 1))
    return Matrix(cells=tuple(Cell(cpu=cpu, node=node, latency_ns=each, bandwidth_mib_s=1) for (cpu, node), each in zip(pairs, latencies, strict=True)))  # fmt: skip


@pytest.mark.parametrize(
    ("latencies", "reversed_", "undecided"),
    [
        ((80, 130, 130, 80), 0, 0),
        ((130, 80, 130, 80), 1, 0),
        ((80, 82, 130, 80), 0, 1),
        ((130, 80, 80, 130), 2, 0),
    ],
)
def test_order(tmp_path: Path, latencies: tuple[float, ...], reversed_: int, undecided: int) -> None:
    host = topology(tmp_path)
    assert wanted_pairs(host) == ((0, 0), (0, 1), (2, 0), (2, 1))
    order = order_of(matrix(*latencies), host)
    assert (len(order.reversed), len(order.undecided), order.pairs) == (reversed_, undecided, 2)


def test_best_of_two_measurements() -> None:
    best = best_of(matrix(80, 130, 130, 80), matrix(90, 120, 140, 70))
    assert [cell.latency_ns for cell in best.cells] == [80, 120, 130, 70]


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_this_host_is_measured(tmp_path: Path) -> None:
    host = read_topology()
    found = measure_matrix(build_program(tmp_path), host)
    assert tuple((cell.cpu, cell.node) for cell in found.cells) == wanted_pairs(host)


@pytest.mark.parametrize("text", [b"", b"{}", b'{"cells":[]}', b'{"cells":[{"cpu":0,"node":0,"latency_ns":0,"bandwidth_mib_s":1}]}', b'{"cells":[{"cpu":0,"node":0,"latency_ns":1e999,"bandwidth_mib_s":1}]}'])  # fmt: skip
def test_what_is_no_matrix(text: bytes) -> None:
    with pytest.raises(MeasurementError, match="memory-matrix"):
        parse_matrix(text, ((0, 0),), "memory-matrix")
