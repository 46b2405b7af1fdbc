"""The parent of a generator: whatever the child does, the run ends with a reason and nothing is left."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from release_gates.probes.load import generator
from release_gates.probes.load.generator import Ended, Generator, Watch
from release_gates.probes.load.plan import Phase, Plan
from release_gates.probes.load.recording import Recording

Run = Callable[..., tuple[Ended, Generator]]

FRAMES = """
    import os, signal, subprocess, sys, time
    from release_gates.probes.load.frames import Bye, Hello, Progress, pack
    from release_gates.probes.load.recorder import Recorder
    fd = int(sys.argv[sys.argv.index("--frames") + 1])
    plan = sys.stdin.readline()
    def tell(frame): os.write(fd, pack(frame))
    def begin(): tell(Hello(pid=os.getpid(), started_s=time.monotonic()))
    def answers(count, at_s=0.1):
        recorder = Recorder(())
        for _ in range(count): recorder.channel("orders").answered(at_s, 0.001)
        tell(recorder.frame(at_s))
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a driver that does what a text says."""
    monkeypatch.setitem(generator.DRIVERS, "open", "bad_driver")

    def run(body: str, watch: Watch = lambda recording, at_s: "") -> tuple[Ended, Generator]:
        (tmp_path / "bad_driver.py").write_text(textwrap.dedent(FRAMES) + textwrap.dedent(body))
        plan = Plan(
            target="http://127.0.0.1:1",
            root=str(tmp_path),
            phases=(Phase(tag="steady", seconds=0.5, rate=1),),
            timeout_s=1,
        )
        child = Generator("open", plan, folder=tmp_path, environ=os.environ)
        return child.run(watch), child

    return run


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less long for what will not come."""
    for name in ("START_S", "SILENCE_S", "GRACE_S"):
        monkeypatch.setattr(generator, name, 1.0)


def test_a_whole_run_has_all_samples(run: Run) -> None:
    ended, child = run('begin(); answers(3); answers(4); tell(Bye(reason="finished"))')
    assert ended == Ended(how="finished")
    assert child.recording.tally("orders", range(1)).answered == 7


@pytest.mark.parametrize(
    ("body", "because"),
    [
        ("begin(); answers(3)", "without a last frame"),
        ("sys.exit(0)", "without a last frame"),
        ("begin(); os.kill(os.getpid(), signal.SIGKILL)", "without a last frame"),
        ("begin(); os.write(fd, b'x' * 64)", "told nonsense"),
        ("begin(); tell(Progress(at_s=0, cells=(), health=())); time.sleep(60)", "told nothing for 1 s"),
        ("time.sleep(60)", "did not begin"),
        ("begin()\nwhile True: answers(1); time.sleep(0.05)", "did not end within"),
        ('tell(Bye(reason="finished"))', "what it never began"),
        ('begin(); answers(1); tell(Bye(reason="stopped"))', "stopped by somebody else"),
        ("print('no such host', flush=True)", "no such host"),
        ("begin(); answers(1, at_s=1e9)", "told nonsense"),
    ],
)
def test_a_generator_that_fails_is_no_evidence(run: Run, body: str, because: str) -> None:
    ended, _ = run(body)
    assert ended.how == "died"
    assert because in ended.because


def test_what_the_generator_cannot_do_it_says(run: Run) -> None:
    ended, _ = run('tell(Bye(reason="failed", because="the name does not resolve"))')
    assert ended == Ended(how="failed", because="the name does not resolve")


def test_a_run_is_stopped_with_a_reason_and_keeps_what_was_seen(run: Run) -> None:
    def enough(recording: Recording, at_s: float) -> str:
        return "enough" if recording.tally("orders", range(1)).answered else ""

    ended, child = run(
        """
        def stop(*_): answers(2); tell(Bye(reason="stopped")); os._exit(0)
        signal.signal(signal.SIGTERM, stop)
        begin(); answers(3); time.sleep(60)
        """,
        enough,
    )
    assert ended == Ended(how="stopped", because="enough")
    assert child.recording.tally("orders", range(1)).answered == 5


@pytest.mark.parametrize("ignoring", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN);"])
def test_nothing_of_a_generator_is_left(run: Run, tmp_path: Path, ignoring: str) -> None:
    left = tmp_path / "left"
    ended, _ = run(
        f"""
        {ignoring}
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        open({str(left)!r}, "w").write(f"{{os.getpid()}} {{child.pid}}")
        begin(); answers(1); time.sleep(600)
        """,
        lambda recording, at_s: "enough" if recording.endpoints else "",
    )
    assert ended.how == "stopped"
    for pid in map(int, left.read_text().split()):
        assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
