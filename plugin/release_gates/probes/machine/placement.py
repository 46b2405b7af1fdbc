"""The lint of a declared placement: do threads, memory, network device and container fit together? Pure."""

from __future__ import annotations

from collections.abc import Iterator

from release_gates.host.topology import Topology
from release_gates.model.cpus import list_text, parse_list
from release_gates.probes.machine.kubelet import Kubelet, lint_kubelet
from release_gates.probes.machine.settings import ContainerSettings, MachineSettings


def lint(
    settings: MachineSettings,
    topology: Topology,
    *,
    nic_node: int | None = None,
    kubelet: Kubelet | None = None,
) -> tuple[str, ...]:
    """Return a sentence for each thing that is declared and contradicts another; none is a sound placement.

    ``nic_node`` is the node of ``settings.nic`` (-1: the device tells none), ``kubelet`` what
    ``settings.kubelet`` says.
    """
    return (
        *_threads(settings, topology),
        *_network(settings, nic_node),
        *(_container(settings, settings.container) if settings.container else ()),
        *(lint_kubelet(kubelet, settings.pinned) if kubelet else ()),
    )


def lacking(settings: MachineSettings, topology: Topology) -> Iterator[str]:
    """Yield a sentence for each CPU and node that is declared and not to be had: another host may have it."""
    for name, cpus in settings.pins.items():
        usable = topology.cpuset.cpus
        if absent := cpus - topology.node_of_cpu.keys():
            state = "offline" if absent <= topology.offline else "not there"
            yield f"thread '{name}' is bound to CPUs {list_text(absent)}, which are {state} ({topology})"
        elif usable is not None and not cpus <= usable:
            kept = list_text(usable)
            yield f"thread '{name}' is bound to CPUs {list_text(cpus - usable)}; its control group has {kept}"
    node, nodes = topology.node(settings.arena_node), topology.cpuset.nodes
    if node is None or not node.memory_kib:
        yield f"node {settings.arena_node} of the arena has no memory ({topology})"
    elif nodes is not None and node.id not in nodes:
        yield f"the arena is on node {node.id}; its control group has {list_text(nodes)}"


def _threads(settings: MachineSettings, topology: Topology) -> Iterator[str]:
    taken: dict[int, str] = {}
    for name, cpus in settings.pins.items():
        for cpu in sorted(cpus):
            if (other := taken.setdefault(cpu, name)) != name:
                yield f"threads '{other}' and '{name}' share CPU {cpu}"
        nodes = topology.nodes_of(cpus)
        if nodes and nodes != {settings.arena_node}:
            yield (
                f"thread '{name}' is bound to CPUs {list_text(cpus)} of node {list_text(nodes)}, "
                f"its arena to node {settings.arena_node}"
            )


def _network(settings: MachineSettings, nic_node: int | None) -> Iterator[str]:
    if settings.nic and nic_node is not None and nic_node >= 0 and nic_node != settings.arena_node:
        yield f"{settings.nic} is on node {nic_node}, the arena on node {settings.arena_node}"


def _container(settings: MachineSettings, container: ContainerSettings) -> Iterator[str]:
    """LL11: a container with a set of CPUs and none of memory nodes allocates anywhere."""
    cpus, nodes = parse_list(container.cpuset_cpus), parse_list(container.cpuset_mems)
    if not cpus:
        yield "the container has no --cpuset-cpus: its threads run anywhere"
    elif not settings.pinned <= cpus:
        yield (
            f"threads are bound to CPUs {list_text(settings.pinned - cpus)}, which --cpuset-cpus "
            f"{container.cpuset_cpus} leaves out"
        )
    if not nodes:
        yield "the container has no --cpuset-mems: its memory comes from any node"
    elif nodes != {settings.arena_node}:
        yield f"--cpuset-mems is {container.cpuset_mems}, the arena is on node {settings.arena_node} alone"
