"""Topologies recorded in real guests are read; every damaged one is an error that names file and value."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from release_gates.errors import MeasurementError
from release_gates.host.topology import HugePages, Topology, read_topology
from release_gates.model.cpus import MOST, list_text, parse_list

from .trees import RECORDED, laid_out, recorded

NODE = "sys/devices/system/node"
FOUR_NODES = [[10, 21, 22, 23], [21, 10, 21, 22], [22, 21, 10, 21], [23, 22, 21, 10]]


def topology_of(root: Path, name: str, **changed: str | None) -> Topology:
    """Read a recorded tree in which files are changed, or absent (None); ``__`` stands for a slash."""
    files = recorded(name)
    for key, text in changed.items():
        path = f"sys/devices/system/{key.replace('__', '/')}"
        files.pop(path, None)
        if text is not None:
            files[path] = text
    return read_topology(laid_out(files, root))


def test_this_host_is_read() -> None:
    topology = read_topology()
    assert topology.with_memory
    assert topology.node_of_cpu


@pytest.mark.parametrize(
    ("name", "cpus", "distances", "offline"),
    [
        ("one-node", ["0-1"], [[10]], "none"),
        ("two-nodes", ["0-1", "2-3"], [[10, 21], [21, 10]], "none"),
        ("four-nodes", ["0", "1", "2", "3"], FOUR_NODES, "none"),
        ("memory-only", ["0-1", "none"], [[10, 21], [21, 10]], "none"),
        ("offline-cpu", ["0-1", "2"], [[10, 21], [21, 10]], "3"),
    ],
)  # fmt: skip
def test_recorded_tree(
    tmp_path: Path, name: str, cpus: list[str], distances: list[list[int]], offline: str
) -> None:
    topology = topology_of(tmp_path, name)
    assert [list_text(node.cpus) for node in topology.nodes] == cpus
    assert [list(node.distances.values()) for node in topology.nodes] == distances
    assert list_text(topology.offline) == offline
    assert all(node.memory_kib > 50_000 for node in topology.nodes)
    assert topology.cpuset.cpus is None


def test_sparse_ids_and_a_node_without_memory(tmp_path: Path) -> None:
    files = {path.replace("node1/", "node8/"): text for path, text in recorded("two-nodes").items()}
    files[f"{NODE}/online"] = "0,8\n"
    files[f"{NODE}/node8/meminfo"] = "Node 8 MemTotal:              0 kB\n"
    topology = read_topology(laid_out(files, tmp_path))
    assert [node.id for node in topology.nodes] == [0, 8]
    assert topology.nodes[0].distances == {0: 10, 8: 21}
    assert [node.id for node in topology.with_memory] == [0]
    assert topology.nodes_of(frozenset({1, 2, 77})) == {0, 8}


def test_huge_pages_of_each_node(tmp_path: Path) -> None:
    pool = "node__node1__hugepages__hugepages-2048kB__"
    topology = topology_of(
        tmp_path, "two-nodes", **{pool + "nr_hugepages": "8\n", pool + "free_hugepages": "3\n"}
    )
    assert HugePages(size_kib=2048, total=8, free=3) in topology.nodes[1].huge_pages
    assert HugePages(size_kib=2048, total=0, free=0) in topology.nodes[0].huge_pages


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("node/online", "0-2\n", "lists the nodes 0-2, but there are 0-1"),
        ("node/online", None, "online: cannot be read"),
        ("node/online", "0-\n", "'0-': '0-' is neither a number nor a range"),
        ("node/node1/cpulist", "2-4\n", "the CPUs 0-3 are online, but the nodes have 0-4"),
        ("node/node1/cpulist", "1-3\n", "node1/cpulist: the CPUs 1 are in another node too"),
        ("node/node1/cpulist", "3-2\n", "the range '3-2' runs backwards"),
        ("node/node1/cpulist", "2,99999\n", "99999 is more than a kernel can have"),
        ("node/node1/cpulist", None, "cpulist: cannot be read"),
        ("node/node0/distance", "10\n", "distance: has 1 distances for 2 nodes"),
        ("node/node0/distance", "10 -1\n", "'10 -1' are no counts"),
        ("node/node0/distance", "20 10\n", "20 10: the distance to itself is 10"),
        ("node/node0/distance", "10 256\n", "10 256: the distance to itself is 10, others are 10 to 255"),
        ("node/node0/meminfo", "", "has no single line 'Node 0 MemTotal: N kB'"),
        ("node/node0/meminfo", "Node 1 MemTotal: 7 kB\n", "has no single line 'Node 0 MemTotal: N kB'"),
        ("node/node0/hugepages/hugepages-2048kB/free_hugepages", "7\n", "7 huge pages are free of 0"),
        ("node/node0/hugepages/hugepages-2048kB/nr_hugepages", "many\n", "'many' is no count"),
        ("cpu/online", "\n", "no CPU is online"),
        ("cpu/online", "0-7\n", "the CPUs 4-7 are online and not present"),
        ("cpu/present", "0-3\xe9\n", "has bytes that are no ASCII"),
        ("cpu/present", None, "present: cannot be read"),
    ],
)  # fmt: skip
def test_malformed_tree_is_an_error(tmp_path: Path, file: str, text: str | None, says: str) -> None:
    with pytest.raises(MeasurementError) as caught:
        topology_of(tmp_path, "two-nodes", **{file.replace("/", "__"): text})
    assert says in caught.value.message
    assert str(tmp_path) in caught.value.message
    assert caught.value.slug in {"topology-unreadable", "topology-contradiction"}


def test_a_host_without_nodes_or_memory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="cannot be read"):
        read_topology(tmp_path)
    none = {**recorded("one-node"), f"{NODE}/node0/meminfo": "Node 0 MemTotal: 0 kB\n"}
    with pytest.raises(MeasurementError, match="no node has memory"):
        read_topology(laid_out(none, tmp_path / "none"))


def test_a_file_without_end_is_not_read_on(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="larger than 1 MiB"):
        topology_of(tmp_path, "one-node", cpu__online="0," * (1 << 20))


# -- what a control group allows ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("group", "lists", "cpus", "nodes"),
    [
        ("0::/gates/a", {"gates": "2-3 1", "": "0-3 0-1"}, "2-3", "1"),
        ("0::/../../other", {"": "1 0"}, "1", "0"),
        ("0::/gates", {}, None, None),
    ],
    ids=["nearest", "outside-of-the-namespace", "no-controller"],
)
def test_cpuset_v2(
    tmp_path: Path, group: str, lists: dict[str, str], cpus: str | None, nodes: str | None
) -> None:
    files = {"proc/self/cgroup": f"{group}\n", "sys/fs/cgroup/cgroup.controllers": "cpuset\n"}
    for folder, both in lists.items():
        for name, text in zip(("cpus", "mems"), both.split(), strict=True):
            files[f"sys/fs/cgroup/{folder}/cpuset.{name}.effective".replace("//", "/")] = text
    assert restriction(tmp_path, files) == (cpus, nodes)


@pytest.mark.parametrize(("extra", "cpus", "nodes"), [("", "0-1", "0-1"), ("effective_", "1", "1")])
def test_cpuset_v1(tmp_path: Path, extra: str, cpus: str, nodes: str) -> None:
    files = {"proc/self/cgroup": "4:memory:/x\n3:cpuset:/job\n0::/job\n"}
    for name in ("cpus", "mems"):
        files[f"sys/fs/cgroup/cpuset/job/cpuset.{name}"] = "0-1\n"
        files[f"sys/fs/cgroup/cpuset/job/cpuset.{extra}{name}"] = f"{cpus}\n"
    assert restriction(tmp_path, files) == (cpus, nodes)


def restriction(root: Path, files: dict[str, str]) -> tuple[str | None, str | None]:
    cpuset = read_topology(laid_out(recorded("two-nodes") | files, root)).cpuset
    return tuple(None if each is None else list_text(each) for each in (cpuset.cpus, cpuset.nodes))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"proc/self/cgroup": "nonsense\n"}, "'nonsense' is not 'number:controllers:/group'"),
        ({"sys/fs/cgroup/cpuset.cpus.effective": "\n"}, "cpuset.cpus.effective: is empty"),
        ({"sys/fs/cgroup/cpuset.cpus.effective": "0-1-2\n"}, "'0-1-2' is neither a number nor a range"),
        ({"sys/fs/cgroup/cpuset.mems.effective": None}, "cpuset.mems.effective: cannot be read"),
    ],
)
def test_malformed_control_group_is_an_error(
    tmp_path: Path, changed: dict[str, str | None], says: str
) -> None:
    files: dict[str, str | None] = {
        **recorded("two-nodes"),
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/cgroup.controllers": "cpuset\n",
        "sys/fs/cgroup/cpuset.cpus.effective": "0-1\n",
        "sys/fs/cgroup/cpuset.mems.effective": "0\n",
        **changed,
    }
    with pytest.raises(MeasurementError) as caught:
        read_topology(laid_out({path: text for path, text in files.items() if text is not None}, tmp_path))
    assert says in caught.value.message


# -- fuzz ---------------------------------------------------------------------------------------------


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.frozensets(st.integers(0, MOST - 1)))
def test_lists_survive_a_round_trip(numbers: frozenset[int]) -> None:
    text = list_text(numbers)
    assert (frozenset() if text == "none" else parse_list(text)) == numbers


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(alphabet="0123456789-,\n x²", max_size=30))
def test_a_list_is_a_set_or_an_error(text: str) -> None:
    try:
        found = parse_list(text)
    except ValueError:
        return
    assert found <= set(range(MOST))
    assert {int(part) for part in text.strip().split(",") if part.isdecimal()} <= found


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(RECORDED), st.integers(0, 40), st.text(max_size=20))
def test_a_damaged_tree_is_read_whole_or_refused(name: str, at: int, damage: str) -> None:
    """Whatever one file says, nothing but MeasurementError comes out, and what is read fits together."""
    files = recorded(name)
    paths = [path for path in sorted(files) if path.startswith("sys/")]
    files[paths[at % len(paths)]] = damage
    with tempfile.TemporaryDirectory() as folder:
        root = laid_out(files, Path(folder))
        try:
            topology = read_topology(root)
        except MeasurementError:
            return
    assert topology.with_memory
    assert sum(len(node.cpus) for node in topology.nodes) == len(topology.node_of_cpu)
    assert all(set(node.distances) == {each.id for each in topology.nodes} for node in topology.nodes)
