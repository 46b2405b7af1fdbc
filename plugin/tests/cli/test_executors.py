"""`promote`, `status`, `adopt` and `rollback` as people call them, with real places: haproxy, a registry."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.tests.promotion.registry_servers import docker_registry
from plugin.tests.promotion.test_local_executor import Place, free_ports, running, wait_for
from plugin.tests.promotion.test_oci_executor import MANIFEST, digest_of, get, push, put
from release_gates.candidate.create import Origin, create_candidate
from release_gates.candidate.file import write_candidate
from release_gates.model.deployment import DeployPolicy
from release_gates.promotion.executors.local.executor import LocalExecutor
from release_gates.promotion.executors.local.processes import stop
from release_gates.promotion.executors.protocol import Site
from release_gates.testing import ENVIRONMENTS, GateProject

ENGINE = Path(__file__).parents[1] / "promotion" / "small_engine.c"
LOCAL = """
[environment.staging.deploy]
executor = "local"
[environment.staging.deploy.local]
artifact = "engine"
listen = "127.0.0.1:{listen}"
ports = [{a}, {b}]
arguments = ["--port", "{{port}}"]
keep = false
"""
OCI = """
[environment.staging.deploy]
executor = "oci"
[environment.staging.deploy.oci]
artifact = "image"
repository = "{host}/prod/engine"
"""
ORIGIN = Origin(commit="0123abc")


class Deployed(GateProject):
    """A project in which nothing is live yet, with a table that says what carries its candidates."""

    def __init__(self, root: Path, table: str) -> None:
        super().__init__(root)
        self.write("gates/environments.toml", ENVIRONMENTS + table)
        self.write("suites/test_a.py", 'import pytest\n@pytest.mark.gate("smoke")\ndef test_a(gate): pass\n')
        self.expect(["suites/test_a.py::test_a"])
        self.does(0, "first-release", "staging", "--reason", "new venue")

    def does(self, status: int, *words: str) -> str:
        """Run a command, hold it to its exit status, and return its output on one line."""
        done = self.cli(*words)
        assert done.status == status, done.output
        return " ".join(done.output.split())

    def release(self) -> None:
        """Decide on the candidate, and promote it."""
        assert self.run().status == 0
        self.does(0, "promote", "--to", "staging")


class OnThisHost(Deployed):
    """A project whose engine runs behind haproxy."""

    def __init__(self, root: Path) -> None:
        self.listen, self.a, self.b = free_ports(3)
        super().__init__(root, LOCAL.format(listen=self.listen, a=self.a, b=self.b))
        subprocess.run(["g++", "-x", "c", "-O0", "-o", root / "small", ENGINE], check=True)

    def build(self, version: str) -> None:
        """Make the candidate an engine that says this version."""
        path = self.root / "engine"
        path.write_bytes((self.root / "small").read_bytes() + f"@{version}".encode())
        path.chmod(0o755)
        made = create_candidate(
            name="engine", version=version, artifacts={"engine": path}, root=self.root, origin=ORIGIN
        )
        write_candidate(made, self.root / "candidate.toml")

    @property
    def place(self) -> Path:
        """The folder in which everything runs."""
        return self.root / ".gates" / "local" / "staging"

    def says(self) -> tuple[int, str]:
        """Return what clients get."""
        asking = Place(self.root, b"")
        asking.listen = self.listen
        return asking.says()

    def end(self) -> None:
        """End every engine and the proxy."""
        stop(self.place, 5)
        settings = {"artifact": "engine", "listen": f"127.0.0.1:{self.listen}", "ports": [self.a, self.b]}
        policy = DeployPolicy(executor="local", settings=settings)
        site = Site(root=self.root, state=self.root / ".gates", environment="staging", policy=policy)
        if pid := LocalExecutor(site)._proxy.pid:
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def on_this_host(tmp_path: Path) -> Iterator[OnThisHost]:
    project = OnThisHost(tmp_path)
    yield project
    project.end()
    assert running(tmp_path) == ()


def test_engine_behind_haproxy_dies_and_is_rolled_back(on_this_host: OnThisHost) -> None:
    project = on_this_host
    for version in ("1.0.0", "1.1.0"):
        project.build(version)
        project.release()
        assert project.says() == (200, version)
    [pid] = running(project.place)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not running(project.place))
    told = project.does(1, "status")
    assert "DRIFT: 127.0.0.1:" in told
    assert "does not serve engine 1.1.0" in told
    project.does(0, "rollback", "staging", "--reason", "it died")
    assert project.says() == (200, "1.0.0")
    assert "executes engine 1.0.0" in project.does(0, "status")


class InRegistry(Deployed):
    """A project whose image lives under a tag of a registry's repository."""

    def __init__(self, root: Path, host: str) -> None:
        super().__init__(root, OCI.format(host=host))
        self.host = host

    def build(self, version: str, digest: str) -> None:
        """Make the candidate an image that was pushed."""
        ref = f"{self.host}/build/engine@{digest}"
        made = create_candidate(
            name="engine", version=version, artifacts={}, images={"image": ref}, root=self.root, origin=ORIGIN
        )
        write_candidate(made, self.root / "candidate.toml")

    @property
    def live(self) -> str:
        """The digest that the tag names."""
        return digest_of(get(self.host, "prod/engine", "live").content)


def test_tag_that_somebody_moves_is_drift_until_it_is_adopted(tmp_path: Path) -> None:
    with docker_registry(tmp_path / "registry") as host:
        project = InRegistry(tmp_path / "project", host)
        first, second = (push(host, "build/engine", each) for each in ("first", "second"))
        project.build("1.0.0", first)
        project.release()
        assert project.live == first
        theirs = push(host, "prod/engine", "theirs")
        put(host, "prod/engine", "live", get(host, "prod/engine", theirs).content, MANIFEST)
        project.build("1.1.0", second)
        assert project.run().status == 0
        assert f"DRIFT: {host}/prod/engine:live is {theirs}" in project.does(1, "status")
        assert "[drift]" in project.does(2, "promote", "--to", "staging")
        assert project.live == theirs
        project.build("1.0.1", theirs)
        project.does(0, "adopt", "staging", "--reason", "the desk pushed it")
        assert f"prod/engine:live is {theirs}" in project.does(0, "status")
