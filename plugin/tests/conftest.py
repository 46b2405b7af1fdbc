"""Commands of test projects run in processes that are forked from a warm interpreter, not in new ones."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import settings

from release_gates.testing import GateProject

settings.register_profile("patient", deadline=None)  # no test fails on time
settings.load_profile("patient")

SERVER = Path(__file__).with_name("warm_interpreter.py")
OURS = "-p no:hypothesispytest -p no:anyio -p no:kmock"
"""Plugins that only our own tests brought here: together they cost a third of a small run."""


class WarmInterpreter:
    """The client of ``warm_interpreter.py``, which starts with the first command."""

    def __init__(self, folder: Path) -> None:
        self._streams = folder / "stdout", folder / "stderr"
        self._environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        self._server: subprocess.Popen[bytes] | None = None

    def run(
        self, words: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """Run ``python -m MODULE ARGUMENTS`` with nothing on stdin, as ``subprocess.run`` would."""
        for stream in self._streams:
            stream.write_bytes(b"")
        stdout, stderr = map(str, self._streams)
        server = self._started()
        request = {
            "words": list(words),
            "cwd": str(cwd),
            "env": dict(env),
            "stdout": stdout,
            "stderr": stderr,
        }
        server.stdin.write(json.dumps(request).encode() + b"\n")
        child = int(server.stdout.readline())
        if not select.select([server.stdout], [], [], timeout_s)[0]:
            os.kill(child, signal.SIGKILL)
            server.stdout.readline()
            raise subprocess.TimeoutExpired(list(words), timeout_s)
        status = int(server.stdout.readline())
        said = [stream.read_text(encoding="utf-8") for stream in self._streams]
        return subprocess.CompletedProcess(list(words), status, *said)

    def fits(self, command: Sequence[str], env: Mapping[str, str]) -> bool:
        """Tell whether a command is a module to run, under the settings that Python read as it started."""
        program, *words = command
        return (
            program == sys.executable and words[0] == "-m" and _settings(env) == _settings(self._environment)
        )

    def end(self) -> None:
        """End the interpreter."""
        if self._server is not None:
            self._server.stdin.close()
            self._server.wait(30)
            self._server.stdout.close()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._server is None:
            self._server = subprocess.Popen(
                [sys.executable, str(SERVER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                env=self._environment,
            )
        return self._server


def _settings(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(("PYTHON", "LC_", "LANG", "LD_"))}


@pytest.fixture(scope="session", autouse=True)
def warm_interpreter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmInterpreter]:
    """Let ``GateProject`` run its commands in forks of one interpreter for each worker."""
    warm, cold = WarmInterpreter(tmp_path_factory.mktemp("warm")), GateProject.launch

    def launch(command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        env = {"PYTEST_ADDOPTS": OURS, **env}
        if warm.fits(command, env):
            return warm.run(command[1:], cwd=cwd, env=env, timeout_s=600)
        return cold(command, cwd, env)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GateProject, "launch", staticmethod(launch))
        yield warm
    warm.end()


@pytest.fixture(scope="session", autouse=True)
def heard_signals() -> None:
    """Let children hear SIGINT and SIGHUP also where we ignore them: under nohup, behind a script."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)  # still ignored here; what is started has the default
