"""Speed of the container probe: ``make accuracy-container``. Needs a Docker engine; removes what it makes."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks.table import Row, report, row
from fixtures.compose import ServiceSpec, read_compose
from fixtures.deployment import OWNER, create, load, owner, remove, sweep, tagged
from fixtures.docker_engine import docker_engine
from fixtures.trading_system.image import File, Image, archive
from fixtures.trading_system.release import COMPOSE
from release_gates.probes.container.archive import read_archive
from release_gates.probes.container.assessment import judge_container, read_container
from release_gates.probes.container.container_facts import Effective
from release_gates.probes.container.engine import Engine
from release_gates.probes.container.judging import Selection
from release_gates.probes.container.proc_status import ProcessState
from release_gates.probes.container.profile import PROFILES
from release_gates.probes.container.stream import read_ahead

CONTAINERS = 20
INSPECTED = 1000
JUDGED = 10_000
FILES = 4000


def measure(quick: bool) -> list[Row]:
    """Measure everything; ``quick`` takes one sample of each figure."""
    samples = 1 if quick else 5
    with tempfile.TemporaryDirectory() as folder, docker_engine(), Engine() as engine:
        sweep(engine)
        try:
            return [*_containers(engine, Path(folder), samples), *_images(engine, Path(folder), samples)]
        finally:
            remove(engine, owner())


def _containers(engine: Engine, folder: Path, samples: int) -> Iterator[Row]:
    image = _loaded(engine, folder, [File(path="/engine", content=b"\x7fELF")])
    spec = read_compose(COMPOSE.read_text(encoding="utf-8"))
    host: Mapping[str, object] = {**spec.create["HostConfig"], "NetworkMode": "none", "PortBindings": {}}
    plain = ServiceSpec(name=spec.name, image=image, create={**spec.create, "HostConfig": host}, networks=())
    names = [create(engine, plain, {OWNER: owner()}) for _ in range(CONTAINERS)]
    profile = replace(PROFILES["hft-engine"], released="9e" * 32)
    times = []
    for _ in range(samples):
        began = time.perf_counter()
        for number in range(INSPECTED):
            facts = read_container(engine, names[number % CONTAINERS])
            judge_container(facts, profile, Selection())
        times.append(time.perf_counter() - began)
    yield row(f"{INSPECTED:,} inspections of {CONTAINERS} containers, judged", times, "s", 3.0)
    facts = replace(read_container(engine, names[0]), effective=_effective(), running=True)
    times = []
    for _ in range(samples):
        began = time.process_time()
        for _ in range(JUDGED):
            judge_container(facts, profile, Selection())
        times.append((time.process_time() - began) / JUDGED * 1e6)
    yield row("24 rules on one running container, CPU", times, "us", 50.0)


def _images(engine: Engine, folder: Path, samples: int) -> Iterator[Row]:
    noise = random.Random(1).randbytes(1 << 20)
    text = (b"def price(order):\n    return order.limit * order.quantity  # in ticks\n" * 200)[:12_000]
    small = [
        File(path=f"/app/{number}.yaml" if number % 10 == 0 else f"/usr/lib/{number}", content=content)
        for number, content in zip(range(FILES), itertools.cycle((text, noise[:12_000])), strict=False)
    ]
    image = _loaded(engine, folder, [*small, File(path="/usr/bin/engine", content=noise * 100)])
    saves, ratios = [], []
    for _ in range(samples):
        began = time.perf_counter()
        subprocess.run(["docker", "save", image], stdout=subprocess.DEVNULL, check=True)
        saves.append(time.perf_counter() - began)
        began = time.perf_counter()
        read_archive(read_ahead(engine.saved(image)), place=image)
        ratios.append((time.perf_counter() - began) / saves[-1])
    yield row(f"docker save > /dev/null, {FILES:,} files, half of them text, 148 MiB", saves, "s", None)
    yield row("the same image scanned, against that", ratios, "x", 2.0)


def _loaded(engine: Engine, folder: Path, files: list[File]) -> str:
    data, _ = archive(Image(config={"Entrypoint": ["/engine"]}, layers=(tuple(files),), history=("COPY",)))
    path = folder / "image.tar"
    path.write_bytes(data)
    return tagged(engine, load(engine, path))


def _effective() -> Effective:
    state = ProcessState(
        uids=(65532,) * 4,
        gids=(65532,) * 4,
        groups=(65532,),
        cap_bounding=0,
        cap_effective=0,
        no_new_privileges=True,
        seccomp=2,
    )
    return Effective(
        processes=(state, state),
        root_writable=False,
        memory_limit=256 << 20,
        swap_limit=256 << 20,
        swap_on_host=True,
        pids_limit=64,
        cpu_quota=1.0,
        cpu_shares=1024,
        cpus="0",
        cpus_of_host=2,
        apparmor="docker-default",
        listening=frozenset({8080}),
        ulimits={},
    )


if __name__ == "__main__":
    sys.exit(report("container", measure))
