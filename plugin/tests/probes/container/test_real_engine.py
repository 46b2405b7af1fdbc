"""Real containers: each planted defect is caught by exactly its rule, and nothing stays behind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from fixtures.compose import ServiceSpec, UnknownKey, read_compose
from fixtures.deployment import (
    OWNER,
    connect,
    create,
    load,
    owner,
    remove,
    run,
    sweep,
    tagged,
    wait_healthy,
)
from fixtures.docker_engine import docker_engine
from fixtures.trading_system.image import File, Image, archive, configuration
from fixtures.trading_system.image_defects import IMAGE_DEFECTS, composed
from fixtures.trading_system.release import COMPOSE, DOCKERFILE
from release_gates.cli.commands import program
from release_gates.errors import MeasurementError, ProbeUnavailable
from release_gates.probes.container.assessment import judge_container, judge_image, read_container, read_image
from release_gates.probes.container.dockerfile import parse_dockerfile
from release_gates.probes.container.engine import Engine
from release_gates.probes.container.judging import Report, Selection
from release_gates.probes.container.profile import PROFILES, Profile
from release_gates.probes.container.rule import Finding

SERVER = r"""
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
/* As small as a service can be: it listens on 8080, and asks itself; `drop` gives root up first. In the
   host's network somebody else may have that port: any other one does, and whoever has it answers. */
int main(int count, char **words) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(8080)};
  int one = 1, door = socket(AF_INET, SOCK_STREAM, 0);
  if (count > 1 && !strcmp(words[1], "--healthcheck"))
    return connect(door, (struct sockaddr *)&at, sizeof at) ? 1 : 0;
  if (count > 1 && !strcmp(words[1], "end")) return 3;
  if (count > 1 && !strcmp(words[1], "drop") && (setgid(65532) || setuid(65532))) return 4;
  setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(door, (struct sockaddr *)&at, sizeof at)) at.sin_port = 0, bind(door, (struct sockaddr *)&at, sizeof at);
  if (listen(door, 8)) return 2;
  for (;;) close(accept(door, 0, 0));
}
"""
LABELS = {OWNER: owner()}
SELECTION = Selection(off={"IM12": "not asked here"})
MORE = {
    "drops root later": ("CR08", {"user": "0", "command": ["drop"], "cap_add": ["SETUID", "SETGID"]}),
    "swap": ("CR10", {"memswap_limit": "512m"}),
    "restarts for ever": ("CR19", {"restart": "always"}),
    "the default bridge": ("CR24", {"networks": None}),
    "host pids": ("CR13", {"pid": "host"}),
    "a device": (
        "CR17",
        {"devices": [{"PathOnHost": "/dev/zero", "PathInContainer": "/dev/z", "CgroupPermissions": "r"}]},
    ),
    "files": ("CR23", {"ulimits": {"nofile": 64}}),
}
GOOD = {
    "the good one": {},
    "cap_drop in small letters": {"cap_drop": ["all"]},
    "an allowed capability": {"cap_add": ["CAP_IPC_LOCK"]},
}


class Bench(NamedTuple):
    """An engine, a good image in its archive, and what is allowed."""

    engine: Engine
    image: Image
    profile: Profile
    folder: Path


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("bench")
    (folder / "server.c").write_text(SERVER)
    command = ["gcc", "-static", "-Os", "-s", "-o", str(folder / "server"), str(folder / "server.c")]
    subprocess.run(command, check=True)
    stage = parse_dockerfile(
        DOCKERFILE.read_text(encoding="utf-8"), "Dockerfile", target="engine", arguments={"COMMIT": "0123abc"}
    )
    binary = File(path="/trading-engine", content=(folder / "server").read_bytes())
    image = Image(config=configuration(stage), layers=((binary,),), history=("COPY",))
    profile = replace(PROFILES["hft-engine"], ulimits={"nofile": 8192}, released=archive(image)[1])
    with docker_engine(), Engine() as engine:
        sweep(engine)
        try:
            yield Bench(engine, image, profile, folder)
        finally:
            remove(engine, owner())


@pytest.fixture(scope="module")
def containers(bench: Bench) -> dict[str, str]:
    """Start every good and bad container at once, and wait for all of them; map names to ids."""
    services = {name: defect.service for name, defect in IMAGE_DEFECTS.items() if defect.service}
    services |= GOOD | {name: service for name, (_, service) in MORE.items()}
    good = loaded(bench, bench.image)
    connect(bench.engine, service(good), LABELS)
    found = {
        name: create(bench.engine, service(good, **changes), LABELS) for name, changes in services.items()
    }
    for identity in found.values():
        with suppress(MeasurementError):  # sandboxes refuse to start privileged ones
            run(bench.engine, identity)
    for identity in found.values():
        if bench.engine.container(identity)["State"]["Running"]:
            wait_healthy(bench.engine, identity)
    return found


def loaded(bench: Bench, image: Image) -> str:
    """Load an image and return its id."""
    data, identity = archive(image)
    file = bench.folder / "image.tar"
    file.write_bytes(data)
    assert load(bench.engine, file) == f"sha256:{identity}"
    tagged(bench.engine, f"sha256:{identity}")
    return identity


def service(identity: str, **changes: Any) -> ServiceSpec:
    """Return the service of the compose file, changed, of one image."""
    spec = read_compose(composed(COMPOSE.read_text(encoding="utf-8"), changes))
    return replace(spec, image=f"sha256:{identity}")


def judged(bench: Bench, identity: str) -> Report:
    return judge_container(read_container(bench.engine, identity), bench.profile, SELECTION)


def by_rule(report: Report) -> dict[str, Finding]:
    return {finding.rule.id: finding for finding in report.findings}


@pytest.mark.parametrize("name", GOOD)
def test_the_good_ones_are_clean(bench: Bench, containers: dict[str, str], name: str) -> None:
    assert judged(bench, containers[name]) == Report()


ALSO = {
    "drops root later": {"CR03"},
    "container_host_network": {"CR18"},  # if somebody listens on every address of this host just now
}


@pytest.mark.parametrize(
    "name", [name for name, defect in IMAGE_DEFECTS.items() if defect.service] + list(MORE)
)
def test_each_bad_container_is_caught_by_exactly_its_rule(
    bench: Bench, containers: dict[str, str], name: str
) -> None:
    rule = IMAGE_DEFECTS[name].rule if name in IMAGE_DEFECTS else MORE[name][0]
    found = judged(bench, containers[name])
    running = bench.engine.container(containers[name])["State"]["Running"]
    assert running or rule in ("CR01", "CR17"), "only what a sandbox forbids may stay down"
    also = ALSO.get(name, set()) if running else {"CR20"}
    assert set(by_rule(found)) - also == {rule}, [each.sentence for each in found.findings]
    assert not (running and found.doubts), [each.sentence for each in found.doubts]


@pytest.mark.parametrize("name", [name for name, defect in IMAGE_DEFECTS.items() if defect.image])
def test_each_bad_image_is_caught_by_exactly_its_rule(bench: Bench, name: str) -> None:
    defect = IMAGE_DEFECTS[name]
    assert defect.image is not None
    identity = loaded(bench, defect.image(bench.image))
    facts = read_image(bench.engine, f"sha256:{identity}", now=datetime.now(UTC))
    released = bench.profile.released if defect.unreleased else identity
    found = judge_image(facts, replace(bench.profile, released=released), SELECTION)
    assert set(by_rule(found)) == {"IM08" if defect.unreleased else defect.rule}


@pytest.fixture
def etc_by_a_volume(bench: Bench) -> Iterator[str]:
    """Make a volume whose driver binds /etc, which `docker inspect` of a container does not show."""
    name = f"gate-{owner().replace(':', '-')}-etc"
    options = {"type": "none", "o": "bind", "device": "/etc"}
    bench.engine.api.create_volume(name, driver="local", driver_opts=options, labels=LABELS)
    try:
        yield name
    finally:
        for identity in bench.engine.containers({OWNER: owner(), "volume": name}, stopped=True):
            bench.engine.api.remove_container(identity, force=True)
        bench.engine.api.remove_volume(name)


def test_mounts_are_judged_by_what_the_kernel_shows(
    bench: Bench, containers: dict[str, str], tmp_path: Path, etc_by_a_volume: str
) -> None:
    (tmp_path / "link").symlink_to("/etc")
    (tmp_path / "plain").mkdir()
    rules = {f"{tmp_path}/link": "CR15", f"{tmp_path}/plain": "", etc_by_a_volume: "CR15"}
    labels = {**LABELS, "volume": etc_by_a_volume}
    good = bench.profile.released
    made = {
        source: create(bench.engine, service(good, volumes=[f"{source}:/x:ro"]), labels) for source in rules
    }
    made["another"] = create(
        bench.engine, service(good, pid=f"container:{containers['the good one']}"), labels
    )
    (tmp_path / "hotfix").write_bytes((bench.folder / "server").read_bytes())
    (tmp_path / "hotfix").chmod(0o755)
    made["hotfix"] = create(
        bench.engine, service(good, volumes=[f"{tmp_path}/hotfix:/trading-engine:ro"]), labels
    )
    for identity in made.values():
        run(bench.engine, identity)
    for identity in made.values():
        wait_healthy(bench.engine, identity)
    for source, rule in {**rules, "another": "CR13", "hotfix": "CR22"}.items():
        found = judged(bench, made[source])
        assert set(by_rule(found)) == {rule} - {""}, (source, [each.sentence for each in found.findings])
        assert not found.doubts, [each.sentence for each in found.doubts]


def test_a_straggler_is_found_among_good_ones(bench: Bench, containers: dict[str, str]) -> None:
    """A tag that was moved between build and run: the same name, another image."""
    other = replace(bench.image, history=("another build",))
    identity = create(bench.engine, service(loaded(bench, other)), LABELS)
    run(bench.engine, identity)
    wait_healthy(bench.engine, identity)
    fleet = judged(bench, containers["the good one"]) + judged(bench, identity)
    assert [finding.rule.id for finding in fleet.findings] == ["CR22"]
    assert bench.profile.released[:12] in fleet.findings[0].sentence


def test_a_container_that_has_ended_is_no_pass(bench: Bench, containers: dict[str, str]) -> None:
    identity = create(bench.engine, service(bench.profile.released, command=["end"], restart="no"), LABELS)
    run(bench.engine, identity)
    with pytest.raises(MeasurementError, match="ended with status 3"):
        wait_healthy(bench.engine, identity)
    found = judged(bench, identity)
    assert {"CR02", "CR04", "CR08"} <= {doubt.rule.id for doubt in found.doubts}
    assert "CR20" in by_rule(found)


def test_audit_needs_no_policy(bench: Bench, containers: dict[str, str], tmp_path: Path) -> None:
    def audit(kind: str, name: str) -> tuple[int, dict[str, Any]]:
        file = tmp_path / "audit.sarif"
        command = ["--json", "audit", kind, name, "--profile", "hft-engine", "--sarif", str(file)]
        done = CliRunner().invoke(program, command)
        log = json.loads(file.read_text())
        document: dict[str, Any] = json.loads(done.stdout)
        results = log["runs"][0]["results"]
        assert len(results) == len(document["findings"]) + len(document["undecided"])
        return done.exit_code, document

    image = f"sha256:{bench.profile.released}"
    status, said = audit("image", image)
    assert (status, [each["rule"] for each in said["findings"]]) == (0, []), said
    status, said = audit("container", containers["container_root"])
    assert status == 1
    assert {"CR08"} <= {each["rule"] for each in said["findings"]} <= {"CR08", "CR23"}
    done = CliRunner().invoke(program, ["audit", "container", "no-such-container"])
    assert done.exit_code == 2


def test_what_is_absent_is_an_error(bench: Bench) -> None:
    with pytest.raises(MeasurementError, match="container-absent"):
        bench.engine.container("no-such-container")
    with pytest.raises(MeasurementError, match="container-absent"):
        bench.engine.find_image("0" * 64)
    with pytest.raises(MeasurementError, match="container-absent"):
        read_image(bench.engine, "no-such-image:1", now=datetime.now(UTC))


def test_what_a_killed_session_left_is_swept(bench: Bench) -> None:
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    import socket

    left = {OWNER: f"{socket.gethostname()}:{dead.stdout.strip()}:1"}
    identity = create(bench.engine, service(loaded(bench, bench.image), networks=None), left)
    sweep(bench.engine)
    with pytest.raises(MeasurementError, match="container-absent"):
        bench.engine.container(identity)


@pytest.mark.parametrize("where", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1", "nonsense://x"])
def test_no_engine_is_an_error_with_the_start_command(where: str) -> None:
    with pytest.raises(ProbeUnavailable, match=r"dockerd.*\[container-engine-unreachable\]"):
        Engine({"DOCKER_HOST": where})


def test_a_compose_file_is_read_whole_or_not_at_all() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    for change in (
        {"sysctls": {"net.core.somaxconn": 1}},
        {"mem_limit": "1 GB"},
        {"healthcheck": {"test": ["CMD", "x"], "retries": 1, "interval": "1m"}},
    ):
        with pytest.raises(UnknownKey):
            read_compose(composed(text, change))
