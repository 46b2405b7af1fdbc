"""The executor ``local``: real processes behind a real haproxy, killed, stolen from, taken back."""

from __future__ import annotations

import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from plugin.tests.promotion.deploying_world import change, check_law, deploy, site, stored, take_back
from release_gates.errors import DeployError, LiveDiffers
from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.model.deployment import Change, Step
from release_gates.promotion.executors.local.executor import LocalExecutor
from release_gates.promotion.executors.local.processes import running, stop
from release_gates.promotion.executors.protocol import Site

PROGRAM = "engine"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a small engine as a program; its version is appended to it."""
    folder = tmp_path_factory.mktemp("engine")
    source = Path(__file__).with_name("small_engine.c")
    subprocess.run(["g++", "-x", "c", "-O0", "-o", folder / "engine", source], check=True)
    return (folder / "engine").read_bytes()


class Place:
    """An environment of its own on this host."""

    def __init__(self, folder: Path, engine: bytes) -> None:
        self.folder = folder
        self.engine = engine
        self.listen, *self.ports = free_ports(3)
        self.settings: dict[str, Any] = {}
        self.site: Site | None = None

    def executor(self, **settings: Any) -> LocalExecutor:
        """Return the executor, as a new process would make it."""
        self.settings |= settings
        journal = self.settings.get("handover") == "journal"
        told = {
            "artifact": PROGRAM,
            "listen": f"127.0.0.1:{self.listen}",
            "ports": self.ports,
            "arguments": ["--port", "{port}", *(["--journal", "{state}/journal"] if journal else [])],
            "start_timeout_s": 20.0,
            **self.settings,
        }
        self.site = site(self.folder, "local", told)
        return LocalExecutor(self.site)

    def candidate(self, version: str) -> ReleaseCandidate:
        """Return a candidate whose engine says a version, its artifact stored."""
        path = self.folder / "build"
        path.write_bytes(self.engine + f"@{version}".encode())
        path.chmod(0o755)
        sha256 = stored(site(self.folder, "local", {}), path)
        return ReleaseCandidate(
            name="engine",
            version=version,
            commit="abc",
            artifacts=(Artifact(name=PROGRAM, sha256=sha256, path="build"),),
        )

    @property
    def runs(self) -> Path:
        """The folder in which everything runs."""
        return self.folder / ".gates" / "local" / "production"

    def says(self, method: str = "GET", path: str = "/version") -> tuple[int, str]:
        """Return what clients get."""
        connection = http.client.HTTPConnection("127.0.0.1", self.listen, timeout=10)
        connection.request(method, path)
        answer = connection.getresponse()
        try:
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def proxy(self) -> int:
        """Return the process of the proxy, 0 for none."""
        return LocalExecutor(self.site)._proxy.pid if self.site else 0

    def end(self) -> None:
        """End everything that was started here."""
        if self.runs.exists():
            stop(self.runs, 5)
        if pid := self.proxy():
            handle = os.pidfd_open(pid)
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            os.close(handle)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture
def place(tmp_path: Path, engine: bytes) -> Iterator[Place]:
    found = Place(tmp_path, engine)
    yield found
    found.end()
    assert running(tmp_path) == ()


@pytest.fixture
def old(place: Place) -> ReleaseCandidate:
    """Return a candidate that is live."""
    wanted = place.candidate("1.0.0")
    assert "nothing runs" in place.executor().verify(None)
    deploy(place.executor(), change(wanted, None, deployment="deploy-0"))
    assert place.says() == (200, "1.0.0")
    return wanted


@pytest.mark.parametrize(("handover", "keep"), [("none", True), ("none", False), ("journal", False)])
def test_law(place: Place, handover: str, keep: bool) -> None:
    old, new = place.candidate("1.0.0"), place.candidate("1.1.0")
    made = place.executor(handover=handover, keep=keep)
    if keep or handover == "journal":
        check_law(made, change(new, None))
        assert place.says() == (503, '{"error":"unavailable"}')
    deploy(made, change(old, None, deployment="deploy-0"))
    check_law(made, change(new, old))
    assert place.says() == (200, "1.0.0")


def test_clients_lose_nothing_while_it_is_switched(place: Place, old: ReleaseCandidate) -> None:
    """One connection is kept all the time: every request is answered, and no version comes twice."""
    new, heard, over = place.candidate("1.1.0"), [], threading.Event()

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", place.listen, timeout=10)
        while not over.is_set():
            connection.request("GET", "/version")
            answer = connection.getresponse()
            heard.append((answer.status, answer.read().decode()))
        connection.close()

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        deploy(place.executor(keep=False), change(new, old))
        take_back(place.executor(), change(new, old))
    finally:
        over.set()
        asking.join(30)
    assert {status for status, _ in heard} == {200}
    versions = [version for _, version in heard]
    changes = [version for n, version in enumerate(versions) if n == 0 or versions[n - 1] != version]
    assert changes == ["1.0.0", "1.1.0", "1.0.0"]


def test_kept_build_is_a_way_back_without_a_start(place: Place, old: ReleaseCandidate) -> None:
    new = place.candidate("1.1.0")
    deploy(place.executor(), change(new, old))
    before = running(place.runs)
    back = Change(
        deployment="back", purpose="rollback", environment="production", candidate=old, previous=new, by="Ann"
    )
    said = [place.executor().apply(back, step) for step in place.executor().plan(back)]
    assert "runs engine 1.0.0 already" in said[0]
    assert "switched in" in said[1]
    assert place.executor().verify(old)
    assert sorted(running(place.runs)) == sorted(before)
    third = place.candidate("1.2.0")
    deploy(place.executor(), change(third, old, deployment="deploy-3"))
    assert place.executor().verify(third)
    assert len(running(place.runs)) == 2, "what nobody goes back to was left running"


def test_request_under_way_is_answered_before_the_old_build_ends(place: Place, old: ReleaseCandidate) -> None:
    answers: list[tuple[int, str]] = []
    asking = threading.Thread(target=lambda: answers.append(place.says("POST", "/slow")))
    made, what = place.executor(keep=False, drain_s=20.0), change(place.candidate("1.1.0"), old)
    start, switch, retire = made.plan(what)
    made.apply(what, start)
    asking.start()
    wait_for(lambda: made._proxy._requests("a") == 1)
    made.apply(what, switch)
    assert place.says() == (200, "1.1.0")
    made.apply(what, retire)
    asking.join(30)
    assert answers == [(201, "1.0.0")]


def test_journal_goes_from_one_to_the_other_and_back(place: Place) -> None:
    """Never two at once, nothing that was acknowledged is lost, and orders in between hear 503."""
    old, new = place.candidate("1.0.0"), place.candidate("1.1.0")
    made = place.executor(handover="journal")
    deploy(made, change(old, None, deployment="deploy-0"))
    assert place.says("POST", "/orders") == (201, "1.0.0")
    what = change(new, old)
    for step in made.plan(what):
        made.apply(what, step)
        assert len(running(place.runs)) <= 1
        if step.name != "switch":
            assert place.says("POST", "/orders")[0] == 503
    assert place.says("POST", "/orders") == (201, "1.1.0")
    assert place.says(path="/count") == (200, "2")
    take_back(made, what)
    assert place.executor().verify(old)
    assert place.says("POST", "/orders") == (201, "1.0.0")
    assert place.says(path="/count") == (200, "3")


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("dies", "the program ended before it was ready"),
        ("unready", r"/ready was not 200 within 0\.3 s: it said 503"),
    ],
)
@pytest.mark.parametrize("handover", ["none", "journal"])
def test_build_that_does_not_come_up_is_never_live(
    place: Place, handover: str, version: str, says: str
) -> None:
    old, bad = place.candidate("1.0.0"), place.candidate(version)
    deploy(place.executor(handover=handover), change(old, None, deployment="deploy-0"))
    made = place.executor(start_timeout_s=0.3)
    with pytest.raises(DeployError, match=says):
        deploy(made, change(bad, old))
    switch = next(step for step in made.plan(change(bad, old)) if step.name == "switch")
    with pytest.raises(DeployError, match="nothing was switched"):
        made.apply(change(bad, old), switch)
    take_back(place.executor(start_timeout_s=20.0), change(bad, old))
    assert place.executor().verify(old)
    assert place.says() == (200, "1.0.0")


def test_program_that_ignores_sigterm_is_killed_and_it_is_said(place: Place) -> None:
    stubborn, new = place.candidate("stubborn"), place.candidate("1.1.0")
    made = place.executor(keep=False, stop_timeout_s=0.2)
    deploy(made, change(stubborn, None, deployment="deploy-0"))
    what = change(new, stubborn)
    said = [made.apply(what, step) for step in made.plan(what)]
    assert "did not end within 0.2 s of SIGTERM and was killed" in said[-1]
    assert made.verify(new)


def test_artifact_swapped_in_the_store_does_not_run(place: Place, old: ReleaseCandidate) -> None:
    new = place.candidate("1.1.0")
    path = place.folder / ".gates" / "artifacts" / new.artifacts[0].sha256
    path.chmod(0o755)
    path.write_bytes(place.engine + b"@evil")
    with pytest.raises(DeployError, match="is damaged"):
        deploy(place.executor(), change(new, old))
    assert place.executor().verify(old)


def test_script_is_no_program_that_can_be_hashed(place: Place) -> None:
    """What executes a script is its interpreter: nobody could tell which build that is."""
    path = place.folder / "build"
    path.write_text(f"#!{sys.executable}\nimport time; time.sleep(600)\n")
    path.chmod(0o755)
    script = ReleaseCandidate(
        name="engine",
        version="1",
        commit="abc",
        artifacts=(Artifact(name=PROGRAM, sha256=stored(site(place.folder, "local", {}), path), path="b"),),
    )
    with pytest.raises(DeployError, match="ended before it was ready"):
        deploy(place.executor(), change(script, None))
    for pid in orphans(place.folder):
        os.kill(pid, signal.SIGKILL)


def orphans(folder: Path) -> list[int]:
    """Return processes that have a folder in their command line: scripts, which ``running`` cannot see."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(folder).encode() in (entry / "cmdline").read_bytes() and entry.name != str(os.getpid()):
                found.append(int(entry.name))
    return found


def test_what_changed_outside_is_seen(place: Place, old: ReleaseCandidate) -> None:
    """Killed, replaced on its port, map edited, proxy gone: each is no longer what the ledger says."""
    made = place.executor()
    (pid,) = running(place.runs)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not running(place.runs))
    with pytest.raises(LiveDiffers, match="what answered was 503 by slot a"):
        made.verify(old)
    other = place.folder / "other"
    other.write_bytes(place.engine + b"@1.0.0x")
    other.chmod(0o755)
    impostor = subprocess.Popen([other, "--port", str(place.ports[0])])
    try:
        wait_for(lambda: place.says() == (200, "1.0.0x"))
        with pytest.raises(LiveDiffers, match="executes something else, or somebody else has its port"):
            made.verify(old)
        with pytest.raises(DeployError, match="ended before it was ready"):
            made._start(made._slots["a"], old)
        assert impostor.poll() is None, "a process that is not ours was signalled"
    finally:
        impostor.kill()
        impostor.wait()
    made._start(made._slots["a"], old)
    assert made.verify(old)
    made._proxy._ask("set map ./live.map live b")
    with pytest.raises(LiveDiffers, match="slot b is live, and a would be after a start"):
        made.verify(old)
    made._proxy._ask("set map ./live.map live a")
    (place.runs / "live.map").write_text("live b\n")
    with pytest.raises(LiveDiffers, match="slot a is live, and b would be after a start"):
        made.verify(old)


def test_switch_by_somebody_else_is_not_overwritten(place: Place, old: ReleaseCandidate) -> None:
    made, what = place.executor(), change(place.candidate("1.1.0"), old)
    made.apply(what, made.plan(what)[0])
    made._proxy.switch("closed")
    with pytest.raises(LiveDiffers, match="Somebody else changed it"):
        made.apply(what, made.plan(what)[1])
    with pytest.raises(LiveDiffers, match="Somebody else changed it"):
        made.undo(what, made.plan(what)[1])
    assert place.says()[0] == 503
    with pytest.raises(LiveDiffers, match="slot a, b is in use"):
        made.verify(None)


def test_proxy_that_died_serves_the_same_when_it_is_back(place: Place, old: ReleaseCandidate) -> None:
    os.kill(place.proxy(), signal.SIGKILL)
    made, what = place.executor(), change(place.candidate("1.1.0"), old)
    wait_for(lambda: not made._proxy.runs)
    with pytest.raises(LiveDiffers, match="the proxy does not listen there"):
        made.verify(old)
    made.apply(what, made.plan(what)[0])
    assert made.verify(old)
    assert place.says() == (200, "1.0.0")


def test_host_that_was_started_anew_is_rolled_back(place: Place, old: ReleaseCandidate) -> None:
    new = place.candidate("1.1.0")
    deploy(place.executor(), change(new, old))
    proxy = place.proxy()
    stop(place.runs, 5)
    os.kill(proxy, signal.SIGKILL)
    wait_for(lambda: not place.proxy())
    with pytest.raises(LiveDiffers):
        place.executor().verify(new)
    deploy(place.executor(), change(old, new, deployment="back"))
    assert place.executor().verify(old)
    assert place.says() == (200, "1.0.0")


def test_proxy_with_other_settings_is_not_believed(place: Place, old: ReleaseCandidate) -> None:
    place.ports.reverse()
    with pytest.raises(DeployError, match="runs with another configuration"):
        deploy(place.executor(), change(place.candidate("1.1.0"), old))
    place.ports.reverse()


def test_proxy_that_is_not_installed_is_said(place: Place) -> None:
    with pytest.raises(DeployError, match="not-haproxy is not installed"):
        deploy(place.executor(proxy="not-haproxy"), change(place.candidate("1.0.0"), None))


def test_port_of_the_proxy_that_is_taken_is_said(place: Place) -> None:
    """Nothing was begun then, and taking it back does not fail for the same reason."""
    what = change(place.candidate("1.0.0"), None)
    with socket.create_server(("127.0.0.1", place.listen)):
        with pytest.raises(DeployError, match=r"it does not start: .*(Address already in use|cannot bind)"):
            deploy(place.executor(), what)
        take_back(place.executor(), what)
        assert place.executor().verify(None)


def test_two_never_write_one_journal(place: Place) -> None:
    """Whatever order steps are asked for in: the second is not even started, lock or no lock of its own."""
    old, new = place.candidate("1.0.0"), place.candidate("1.1.0")
    made = place.executor(handover="journal", arguments=["--port", "{port}"])
    deploy(made, change(old, None, deployment="deploy-0"))
    what = change(new, old)
    with pytest.raises(LiveDiffers, match="slot a still runs, and has the journal"):
        made.apply(what, made.plan(what)[2])
    deploy(made, what)
    with pytest.raises(LiveDiffers, match="slot b still runs, and has the journal"):
        made.undo(what, made.plan(what)[1])
    assert made.verify(new)


@pytest.mark.parametrize("handover", ["none", "journal"])
@pytest.mark.parametrize("end", ["resume", "undo"])
def test_killed_deployer_leaves_what_can_be_ended_well(place: Place, handover: str, end: str) -> None:
    """SIGKILL at moments of all kinds, also within a step: resumed or taken back, one consistent state."""
    live, other = place.candidate("1.0.0"), place.candidate("1.1.0")
    deploy(place.executor(handover=handover, keep=False), change(live, None, deployment="deploy-0"))
    chance = random.Random(20)
    for n in range(6):
        what = change(other, live, deployment=f"deploy-{handover}-{n}")
        killed_within(lambda what=what: deploy(place.executor(), what), chance.uniform(0, 0.25))
        made = place.executor()
        if end == "resume":
            deploy(made, what)
            live, other = other, live
        else:
            take_back(made, what)
        assert made.verify(live)
        assert place.says() == (200, live.version)
        assert len(running(place.runs)) == 1, "something is left running"


def killed_within(act: Any, seconds: float) -> None:
    """Run something in a process of its own that is killed after a while, if it has not ended before."""
    pid = os.fork()
    if pid == 0:
        with suppress(BaseException):
            act()
        os._exit(0)
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def wait_for(condition: Any) -> None:
    for _ in range(3000):
        with suppress(OSError, DeployError):  # what is just dying says anything
            if condition():
                return
        time.sleep(0.01)
    pytest.fail("it never came")


def test_variables_of_the_deployer_stay_with_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATE_SIGNING", "hunter2")
    deploy(place.executor(), change(place.candidate("1.0.0"), None))
    for pid in (*running(place.runs), place.proxy()):
        assert b"hunter2" not in Path(f"/proc/{pid}/environ").read_bytes()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"listen": "localhost:80"}, "not an address and a port"),
        ({"listen": "127.0.0.1:80\n  bind 0.0.0.0:1"}, "not an address and a port"),
        ({"listen": "127.0.0.1"}, "not an address and a port"),
        ({"ports": [8000, 8000]}, "not two ports"),
        ({"ports": [0, 1]}, "not two ports"),
        ({"ports": [1]}, "do not fit"),
        ({"ready": "ready"}, "not a path"),
        ({"ready": "/x y"}, "not a path"),
        ({"drain_s": float("nan")}, "not seconds"),
        ({"stop_timeout_s": -1.0}, "not seconds"),
        ({"handover": "both"}, "do not fit"),
        ({"arguments": ["--journal", "{state}/journal"]}, "two journals of which neither knows the other"),
    ],
)
def test_settings_that_cannot_work_are_refused(place: Place, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(DeployError, match=says):
        place.executor(**settings)
    place.site = None


def test_times_that_are_longer_than_a_step_may_take_are_refused(place: Place) -> None:
    """Before anything moves; who only reads back, with less patience than a step has, is not refused."""
    made = place.executor(start_timeout_s=290.0)
    with pytest.raises(DeployError, match="may take 315 s, and a step 300 s"):
        made.plan(change(place.candidate("1.1.0"), None))
    assert "nothing runs" in made.verify(None)


def test_unknown_step_is_refused(place: Place, old: ReleaseCandidate) -> None:
    what = change(place.candidate("1.1.0"), old)
    for act in (place.executor().apply, place.executor().undo):
        with pytest.raises(DeployError, match="there is no step 'stop' here"):
            act(what, Step(name="stop", does=""))
