"""Speed of the gates on infrastructure: ``make accuracy-infra``. Uses an engine and an sshd of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.manifests import manifests
from benchmarks.table import Row, report, row
from fixtures.docker_engine import docker_engine
from fixtures.ssh_server import ssh_server
from fixtures.trading_system.deploy.plan import FOLDER, reference_plan
from fixtures.trading_system.host.reference import reference_facts
from release_gates.probes.kubernetes.documents import Document
from release_gates.probes.kubernetes.judging import judge
from release_gates.probes.kubernetes.objects import deployed
from release_gates.probes.kubernetes.settings import KubernetesSettings
from release_gates.probes.machine.hosts.judging import judge_host
from release_gates.probes.machine.hosts.profile import PROFILES
from release_gates.probes.machine.hosts.transport import Look, read_host, read_hosts
from release_gates.probes.terraform.judging import judge_plan
from release_gates.probes.terraform.plan import read_plan
from release_gates.probes.terraform.settings import TerraformSettings
from release_gates.probes.terraform.sources import read_folder

HOSTS = 16
JUDGED = 1000
PODS = 20_000
RESOURCES = 10_000
BEYOND_MS = 150.0
IMAGE = "release-gates.local/bench-host:busybox"


def measure(quick: bool) -> list[Row]:
    """Measure everything; ``quick`` takes few samples of each figure."""
    samples = 3 if quick else 15
    with tempfile.TemporaryDirectory() as folder:
        return [
            *_local(samples),
            *_ssh(Path(folder), samples),
            *_docker(Path(folder), samples),
            *_rules(samples),
            *_pods(samples),
            *_plan(samples),
            *manifests(_made(Path(folder) / "manifests"), 1 if quick else 3),
        ]


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _local(samples: int) -> Iterator[Row]:
    yield from _beyond("local", "local://", ["true"], samples)
    looks = [Look(host="local://")] * HOSTS
    times = [_timed(lambda: read_hosts(looks, most=8)) for _ in range(samples)]
    yield row(f"{HOSTS} hosts, 8 at a time", times, "ms", None)


def _ssh(folder: Path, samples: int) -> Iterator[Row]:
    with ssh_server(folder / "sshd") as server:
        host = f"ssh://{server.place}?ssh_config={server.config}"
        yield from _beyond(
            "ssh", host, ["ssh", "-F", str(server.config), *_target(server.place), "true"], samples
        )


def _target(place: str) -> list[str]:
    name, _, port = place.rpartition(":")
    return ["-p", port, name]


def _docker(folder: Path, samples: int) -> Iterator[Row]:
    (folder / "busybox").write_bytes(Path("/bin/busybox").read_bytes())
    (folder / "busybox").chmod(0o755)
    with docker_engine():
        name = _started(folder)
        try:
            yield from _beyond("docker", f"docker://{name}", ["docker", "exec", name, "true"], samples)
        finally:
            subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=True)
            subprocess.run(["docker", "rmi", IMAGE], capture_output=True, check=False)


def _started(folder: Path) -> str:
    """Import busybox as an image and run it; return the container's id."""
    tar = folder / "image.tar"
    links = ("sh", "grep", "readlink", "date", "od", "tr", "find", "sleep", "timeout", "cat", "true")
    root = folder / "root/bin"
    root.mkdir(parents=True)
    (folder / "busybox").rename(root / "busybox")
    for link in links:
        (root / link).symlink_to("busybox")
    subprocess.run(["tar", "-cf", tar, "-C", folder / "root", "bin"], check=True)
    subprocess.run(["docker", "import", tar, IMAGE], capture_output=True, check=True)
    command = ["docker", "run", "--detach", "--network", "none", IMAGE, "/bin/sleep", "600"]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()


def _beyond(name: str, host: str, nothing: list[str], samples: int) -> Iterator[Row]:
    """Yield what reading a host costs beyond one command over the same transport that does nothing."""
    read_host(Look(host=host))
    beyond, bare = [], []
    for _ in range(samples):
        bare.append(_timed(lambda: subprocess.run(nothing, capture_output=True, check=True)))
        beyond.append(_timed(lambda: read_host(Look(host=host))) - bare[-1])
    yield row(f"{name}: one command that does nothing", bare, "ms", None)
    yield row(f"{name}: all facts of a host, beyond that (50 ms of it watching)", beyond, "ms", BEYOND_MS)


def _rules(samples: int) -> Iterator[Row]:
    facts = reference_facts(datetime.now(UTC))
    profile = replace(PROFILES["hft-engine"], isolated=frozenset({4, 5, 6, 7}), node=1, nics=facts.nics)
    times = []
    for _ in range(samples):
        began = time.process_time()
        for _ in range(JUDGED):
            judge_host(facts, profile)
        times.append((time.process_time() - began) / JUDGED * 1e3)
    yield row("30 rules on one host, CPU", times, "ms", 10.0)


def _pods(samples: int) -> Iterator[Row]:
    container = {
        "name": "c",
        "image": f"r.example/x@sha256:{'ab' * 32}",
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
        "securityContext": {"runAsNonRoot": True, "allowPrivilegeEscalation": False},
    }
    documents = []
    for number in range(PODS):
        labels = {"app": f"a{number % 7}"}
        metadata = {"name": f"p{number}", "namespace": f"n{number % 50}", "labels": labels}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}
        documents.append(Document(f"p{number}", pod))
    settings, times = KubernetesSettings(version="1.37"), []
    for _ in range(min(samples, 5)):
        everything = deployed(documents, namespace="x")
        began = time.process_time()
        judge(everything, settings, {}, datetime.now(UTC))
        times.append(time.process_time() - began)
    yield row(f"all rules on {PODS} pods after parsing, CPU", times, "s", 2.0)


def _plan(samples: int) -> Iterator[Row]:
    plan = reference_plan(datetime.now(UTC))
    volume = next(one for one in plan["resource_changes"] if one["type"] == "aws_ebs_volume")
    kept = next(
        one for one in plan["planned_values"]["root_module"]["resources"] if one["type"] == volume["type"]
    )
    for number in range(RESOURCES):
        named = {"address": f"aws_ebs_volume.more[{number}]", "name": "more", "index": number}
        plan["resource_changes"].append({**volume, **named})
        plan["planned_values"]["root_module"]["resources"].append({**kept, **named})
    data, sources = json.dumps(plan).encode(), read_folder(FOLDER)
    settings, times = TerraformSettings(plan="plan.json", folder="."), []
    for _ in range(min(samples, 5)):
        began = time.process_time()
        judge_plan(read_plan("plan.json", data), sources, settings, datetime.now(UTC).date())
        times.append(time.process_time() - began)
    megabytes = len(data) / 1e6
    yield row(f"a plan of {RESOURCES} resources ({megabytes:.0f} MB) read and judged, CPU", times, "s", None)


def _timed(what: Callable[[], object]) -> float:
    began = time.perf_counter()
    what()
    return (time.perf_counter() - began) * 1e3


if __name__ == "__main__":
    sys.exit(report("infra", measure))
