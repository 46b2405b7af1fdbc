"""Parts of the locust driver. What imports locust runs in a process of its own, as it does in a run."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
import sys
import textwrap
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from release_gates.probes.load.frames import BlockHealth, Cell, Progress
from release_gates.probes.load.generator import Ended, Generator
from release_gates.probes.load.locust_driver import version
from release_gates.probes.load.locust_driver.demand import Demand
from release_gates.probes.load.locust_driver.joining import join
from release_gates.probes.load.open.refusal import CannotRun
from release_gates.probes.load.plan import BLOCK_S, Phase, Plan, Threshold

PREPARED = """
    import json, sys, time
    from pathlib import Path
    import locust
    from release_gates.probes.load.locust_driver import engine, locustfile
    from release_gates.probes.load.locust_driver.samples import Samples
    from release_gates.probes.load.open.refusal import CannotRun
    from release_gates.probes.load.plan import Phase, Plan
    from release_gates.probes.load.recorder import Recorder

    def plan(**changes):
        settings = dict(target="http://127.0.0.1:1", root="", phases=(Phase(tag="steady", seconds=1, users=1),))
        return Plan(**settings | changes)

    def refused(what, *arguments, **named):
        try:
            what(*arguments, **named)
        except CannotRun as error:
            return str(error)
        return ""
"""


def in_locust(code: str, *arguments: str) -> Any:
    """Return what a text of Python prints as JSON in a process that has imported locust."""
    source = textwrap.dedent(PREPARED) + textwrap.dedent(code)
    command = [sys.executable, "-c", source, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


USER = (
    "from locust import LoadTestShape, User, task\nclass Trader(User):\n    @task\n    def go(self): pass\n"
)
SHAPE = "    def tick(self): return None\n"
LOCUSTFILES = {
    "x = (": "line 1: cannot be imported as a locustfile; SyntaxError",
    "import json\nimport no_such_module": "line 2: cannot be imported as a locustfile; ModuleNotFoundError",
    "import sys\nsys.exit('no token')": "line 2: called sys.exit(no token) while imported",
    "x = 1\nraise KeyError('TOKEN')": "line 2: cannot be imported as a locustfile; KeyError: 'TOKEN'",
    "x = 1": "has no User class, so nothing would be sent",
    "from locust import User\nclass Trader(User):\n    abstract = True": "has no User class",
    USER
    + f"class A(LoadTestShape):\n{SHAPE}class B(LoadTestShape):\n{SHAPE}": "has 2 shapes (A, B); keep one",
}


def test_bad_locustfiles_have_their_sentence(tmp_path: Path) -> None:
    paths = []
    for number, text in enumerate(LOCUSTFILES):
        paths.append(str(tmp_path / f"locustfile{number}.py"))
        Path(paths[-1]).write_text(text)
    missing, directory = str(tmp_path / "missing.py"), str(tmp_path)
    said = in_locust(
        "print(json.dumps([refused(locustfile.load, Path(path), '') for path in sys.argv[1:]]))",
        *(*paths, missing, directory),
    )
    expected = [*LOCUSTFILES.values(), "No such file", "Is a directory"]
    for sentence, part, path in zip(said, expected, [*paths, missing, directory], strict=True):
        assert part in sentence
        assert path in sentence


def test_an_unknown_user_class_gets_a_suggestion(tmp_path: Path) -> None:
    (tmp_path / "locustfile.py").write_text(USER)
    said = in_locust(
        """
        file = locustfile.load(Path(sys.argv[1]), "")
        found = [each.__name__ for each in file.chosen(["Trader"])]
        print(json.dumps([refused(file.chosen, ["Tradr"]), found]))
        """,
        str(tmp_path / "locustfile.py"),
    )
    assert "has no User class 'Tradr'; it has Trader. Did you mean Trader?" in said[0]
    assert said[1] == ["Trader"]


def test_options_are_locusts_own_and_come_from_the_plan_alone(tmp_path: Path) -> None:
    """Neither a file of locust's nor the environment changes what is sent."""
    (tmp_path / "locustfile.py").write_text(
        USER + "from locust import events\n"
        "@events.init_command_line_parser.add_listener\n"
        "def own(parser): parser.add_argument('--symbol', default='AAPL')\n"
    )
    (tmp_path / "locust.conf").write_text("tags = slow\n")
    said = in_locust(
        """
        import os
        os.chdir(sys.argv[1])
        os.environ["LOCUST_EXCLUDE_TAGS"] = "fast"
        file = locustfile.load(Path("locustfile.py").resolve(), "")
        def options(**given): return vars(engine.environment_of(plan(options=given), file).parsed_options)
        plain, given = options(), options(tags="a b", symbol="MSFT")
        print(json.dumps([
            [plain["tags"], plain["exclude_tags"], plain["symbol"], plain["host"]],
            [given["tags"], given["symbol"]],
            [refused(options, users="7"), refused(options, run_time="7"), refused(options, no_such="7")],
        ]))
        """,
        str(tmp_path),
    )
    assert said[0] == [None, None, "AAPL", "http://127.0.0.1:1"]
    assert said[1] == [["a", "b"], "MSFT"]
    assert "option 'users' of locust: the profile in policy decides that" in said[2][0]
    assert "option 'run-time' of locust" in said[2][1]
    assert "locust refuses them" in said[2][2]


def test_every_failure_has_its_kind() -> None:
    said = in_locust(
        """
        import http.client, socket, ssl, zlib
        import gevent, requests, urllib3
        from geventhttpclient import response, useragent
        from locust.exception import CatchResponseError
        from release_gates.probes.load.locust_driver.failures import kind_of

        def wrapped(outer, inner):
            try:
                try: raise inner
                except BaseException: raise outer
            except BaseException as error: return error

        cases = [
            (TimeoutError(), 0), (gevent.Timeout(1), 0), (requests.ReadTimeout(), None),
            (useragent.RetriesExceeded("u", 0, original=socket.timeout()), 0),
            (ConnectionRefusedError(), 0), (response.HTTPConnectionClosed("closed"), 0),
            (requests.ConnectionError(urllib3.exceptions.ProtocolError("x", http.client.RemoteDisconnected())), 0),
            (socket.gaierror(-2, "unknown"), 0), (ssl.SSLError("bad"), 0),
            (response.HTTPParseError("x"), 200), (zlib.error("x"), 200),
            (requests.ConnectionError(urllib3.exceptions.ProtocolError("x", http.client.BadStatusLine("x"))), 0),
            (requests.exceptions.ChunkedEncodingError("x"), 200),
            (requests.HTTPError("404"), 404), (useragent.BadStatusCode("u", code=500), 500),
            (CatchResponseError("no"), 503), (CatchResponseError("no"), 200), (AssertionError("no"), 0),
            (gevent.GreenletExit(), 0), (KeyError("x"), 200), ("text", 0), (wrapped(KeyError(), OSError()), 0),
        ]
        print(json.dumps([kind_of(*case) for case in cases]))
        """
    )
    assert said == [
        *["timeout"] * 4,
        *["connection"] * 5,
        *["protocol"] * 4,
        *["status"] * 3,
        *["body"] * 2,
        *["unsent", "exception", "exception", "connection"],
    ]


def test_a_time_that_is_none_is_a_failure_and_ids_are_no_endpoints() -> None:
    said = in_locust(
        """
        samples = Samples(recorder := Recorder(()), 10.0, "http://127.0.0.1:1")
        def ask(value, name="x", **others): samples.request(name=name, response_time=value, **others)
        ask(5.0)
        samples.begin(time.monotonic() - 1)
        for value in (None, float("nan"), float("inf"), -1.0, True, "1", 10_001.0): ask(value)
        for value in (5.0, 5, 0, 10_000.0): ask(value)
        try: raise OSError
        except OSError: ask(5.0)  # asks again after a failure that it has caught
        try: raise BaseException("from outside")
        except BaseException: ask(5.0)
        cells = [[cell.answered, cell.failures] for cell in recorder.frame(1).cells]
        before = samples.trouble
        for number in range(1100): ask(1.0, f"/orders/{number}")
        print(json.dumps([cells, before, samples.trouble]))
        """
    )
    cells, before, trouble = said
    assert sum(answered for answered, _ in cells) == 5
    kinds = [(kind, count) for _, failures in cells for kind, count in failures.items()]
    assert sorted(kinds) == [("exception", 1), ("protocol", 6), ("timeout", 1)]
    assert before == ""
    assert "more than 1000 endpoints (/orders/0, /orders/1, /orders/10, …)" in trouble


def test_no_request_is_cut_off_where_users_stop_in_a_busy_process() -> None:
    """locust alone loses those that were begun in the round of the loop in which it stops their users."""
    said = in_locust(
        """
        import random
        import gevent
        from locust.env import Environment
        engine.prepare(plan())
        begun = ended = 0

        class Asking(locust.User):
            def wait_time(self): return random.uniform(0.05, 0.1)

            @locust.task
            def ask(self):
                global begun, ended
                begun += 1
                gevent.sleep(0.02)
                ended += 1

        def busy():
            until = time.perf_counter() + 0.2
            while time.perf_counter() < until: pass

        runner = Environment(user_classes=[Asking], events=locust.events, stop_timeout=60).create_local_runner()
        runner.start(50, 50)
        gevent.sleep(0.325)
        gevent.spawn(busy)
        runner.stop()
        print(json.dumps([begun, ended]))
        """
    )
    assert said[0] == said[1] > 0


def test_a_target_that_cannot_be_reached_has_its_sentence() -> None:
    said = in_locust(
        """
        import socket
        from release_gates.probes.load.locust_driver.reach import reach
        silent = socket.create_server(("127.0.0.1", 0))  # takes connections, says nothing
        port = silent.getsockname()[1]
        print(json.dumps([
            refused(reach, f"http://127.0.0.1:{port}", "", 5),
            refused(reach, "http://no-such-host.invalid", "", 5),
            refused(reach, f"https://127.0.0.1:{port}", "", 0.2),
            refused(reach, f"https://127.0.0.1:{port}", "/no/such/ca.pem", 0.2),
            refused(reach, "tcp://127.0.0.1", "", 5),
        ]))
        """
    )
    assert said[0] == ""
    assert "no-such-host.invalid" in said[1]
    assert "within 0.2 s" in said[2]
    assert "/no/such/ca.pem: no file of certificates" in said[3]
    assert "has no host or no port" in said[4]


def test_only_the_target_is_loaded() -> None:
    said = in_locust(
        """
        urls = ["http://gate.test/a", "http://GATE.test/b?c", "http://gate.test.evil/", "https://gate.test/",
                "http://gate.test:81/", "http://user@other/", None]
        found = []
        for url in urls:
            samples = Samples(Recorder(()), 10.0, "http://gate.test/base")
            samples.begin(time.monotonic())
            samples.request(name="x", response_time=1.0, url=url)
            found.append(samples.trouble)
        print(json.dumps(found))
        """
    )
    assert [bool(each) for each in said] == [False, False, True, True, True, True, False]
    assert (
        "the locustfile asked http://gate.test.evil/, which is not at the target http://gate.test/base"
        in said[2]
    )


@pytest.mark.parametrize("found", ["2.46.1", "1.9.9", "2.46", "dev"])
def test_an_older_locust_is_refused(found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "version", lambda _name: found)
    with pytest.raises(
        CannotRun, match=f"locust {found} is installed, at least 2.46.2 is needed: pip install"
    ):
        version.check_locust()


@pytest.mark.parametrize("found", ["2.46.2", "2.47.0.dev3", "3.0.0"])
def test_a_newer_locust_is_taken(found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "version", lambda _name: found)
    version.check_locust()


def test_no_locust_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(version, "version", absent)
    with pytest.raises(
        CannotRun, match=r"locust is not installed: pip install 'pytest-release-gates\[load\]'"
    ):
        version.check_locust()


phases = st.builds(
    Phase,
    tag=st.just("a"),
    seconds=st.integers(1, 40).map(lambda blocks: blocks * BLOCK_S),
    rate=st.floats(0, 5000),
    rate_end=st.none() | st.floats(0, 5000),
    users=st.just(1),
)


@given(st.lists(phases, min_size=1, max_size=4))
def test_all_that_a_rate_asks_for_is_asked_once(parts: list[Phase]) -> None:
    demand, blocks = Demand(parts), sum(round(part.seconds / BLOCK_S) for part in parts)
    frames = [demand.added(Progress(at_s=at_s / 10, cells=(), health=())) for at_s in range(blocks * 5 + 30)]
    asked = sum(health.asked for frame in frames for health in frame.health)
    ends = [part.rate if part.rate_end is None else part.rate_end for part in parts]
    due = sum(part.seconds * (part.rate + end) / 2 for part, end in zip(parts, ends, strict=True))
    assert abs(asked - due) <= 0.5 * len(parts) + 1e-6
    assert all(demand.asked(block) >= 0 for block in range(blocks + 3))


def test_what_was_sent_is_counted_where_a_rate_was_asked_for() -> None:
    demand = Demand((Phase(tag="warmup", seconds=0.5, users=1), Phase(tag="steady", seconds=0.5, rate=100)))
    cells = tuple(cell(block) for block in (0, 2, 4))
    [offered] = [
        each for each in demand.added(Progress(at_s=0.1, cells=cells, health=())).health if each.offered
    ]
    assert (offered.block, offered.offered, offered.asked) == (2, 7, 0)


def test_an_idle_worker_does_not_hide_a_busy_one() -> None:
    told = {"idle": [frame(0.01)], "busy": [frame(0.09)], "silent": []}
    joined = join(told)
    assert sum(health.cpu_s for health in joined.health) == 0.09
    assert sum(health.wall_s for health in joined.health) == 0.1
    assert sum(health.lag[0] for health in joined.health) == 2
    assert join({}) == Progress(at_s=0.0, cells=(), health=())


def cell(block: int) -> Cell:
    return Cell(
        endpoint="a", block=block, answered=5, failures={"status": 2}, over=(), buckets={}, sum_s=0, max_s=0
    )


def frame(cpu_s: float) -> Progress:
    health = BlockHealth(block=0, asked=0, offered=0, lag={0: 1}, cpu_s=cpu_s, wall_s=0.1)
    return Progress(at_s=0.1, cells=(), health=(health,))


TLS_USERS = """
from locust import FastHttpUser, HttpUser, constant, task

class Fast(FastHttpUser):
    wait_time = constant(0.02)

    @task
    def ok(self):
        self.client.get("/", name="fast")

class Plain(HttpUser):
    wait_time = constant(0.02)

    @task
    def ok(self):
        self.client.get("/", name="requests")

class Careless(FastHttpUser):
    insecure = True
    tasks = [Fast.ok]
"""


def test_tls_is_verified_by_every_client(serve: Any, tmp_path: Path) -> None:
    """locust's FastHttpUser would take any certificate."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    (tmp_path / "locustfile.py").write_text(TLS_USERS)
    with serve(answer, context) as server:
        url, ca_file = f"https://127.0.0.1:{server.port}", str(tmp_path / "ca.pem")
        ended, trusted = drive(tmp_path, url, ca_file, "Fast", "Plain")
        assert ended == Ended(how="finished"), trusted.log_tail()
        for name in ("fast", "requests"):
            tally = trusted.recording.tally(name, range(10))
            assert tally.answered == tally.requests > 0
        ended, _ = drive(tmp_path, url, "", "Fast")
        assert ended.how == "failed"
        assert "its certificate is not trusted" in ended.because
        ended, _ = drive(tmp_path, url, ca_file, "Careless")
        assert "insecure = True switches the verification of TLS off" in ended.because


def drive(folder: Path, url: str, ca_file: str, *users: str) -> tuple[Ended, Generator]:
    plan = Plan(
        target=url,
        root=str(folder),
        locustfile="locustfile.py",
        user_classes=users,
        phases=(Phase(tag="steady", seconds=0.5, users=2),),
        thresholds=(Threshold(edge_s=1.0),),
        ca_file=ca_file,
        timeout_s=5,
    )
    generator = Generator("locust", plan, folder=folder, environ=os.environ)
    return generator.run(lambda recording, at_s: ""), generator


def test_a_pytest_without_locusts_plugin_keeps_its_own_host_option(tmp_path: Path) -> None:
    """The remedy that docs/load-gate.md names; the plugin would define --host, session and fastsession."""
    (tmp_path / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--host')\n"
        "def pytest_unconfigure():\n    import sys; print({'locust', 'gevent'} & set(sys.modules))\n"
    )
    (tmp_path / "test_a.py").write_text(
        "def test_a(request): assert request.config.getoption('host') == 'x'\n"
    )
    words = ["-m", "pytest", "-p", "no:locust", "-p", "no:hypothesispytest", "-q", "--host", "x"]
    done = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "set()" in done.stdout
