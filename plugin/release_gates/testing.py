"""For people who test their own gates: a tiny project, one real pytest run, what came out.

project = GateProject(tmp_path)
project.write("suites/test_lost.py", '''
    import pytest
    pytestmark = pytest.mark.gate("smoke")

    def test_nothing_is_lost(gate):
        gate.measure("orders.lost", 3, "orders")
''')
project.limits("smoke", {"orders.lost": "== 0 orders"})
project.expect()
result = project.run()
assert result.status == 1
assert result.verdict.because == "smoke: orders.lost is 3 orders; the limit is == 0 orders"
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from release_gates.candidate.create import Origin, create_candidate
from release_gates.candidate.file import write_candidate
from release_gates.ledger.history import RunView, runs
from release_gates.ledger.opening import open_ledger
from release_gates.model.verdict import Verdict

ENVIRONMENTS = """
schema = 1
path = ["staging"]
[environment.staging]
local_may_promote = true
"""
HOST = ".host"
"""Where a project has the lock of the host, which otherwise lies outside of every project."""
CONFIGURATION = """
[pytest]
addopts = --strict-markers --strict-config --import-mode=importlib
required_plugins = pytest-release-gates
testpaths = suites
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """What one command left behind: exit status, what it printed, what the ledger and the verdict file say.

    ``verdict`` is that of the newest run in the ledger: None if it has none, or if there is no run.
    """

    status: int
    output: str
    verdict: Verdict | None
    verdict_file: Mapping[str, Any]

    @property
    def promotes(self) -> bool:
        """Whether anything at all could be taken for a PROMOTE: status, ledger or verdict file."""
        by_ledger = self.verdict is not None and self.verdict.promotes
        return self.status == 0 or by_ledger or self.verdict_file.get("verdict") == "PROMOTE"

    @property
    def sentences(self) -> str:
        """Everything that says why, a line each."""
        reasons = self.verdict.reasons if self.verdict else ()
        return "\n".join(
            [str(self.verdict_file.get("because", "")), *(reason.sentence for reason in reasons)]
        )


def launch(command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command in a new process; raises ``subprocess.TimeoutExpired`` after two minutes."""
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=120)


class GateProject:
    """A project with one environment ``staging`` and one gate ``smoke``, in an empty folder.

    ``launch`` starts what it runs.
    """

    launch = staticmethod(launch)

    def __init__(self, root: Path, *, extra: Mapping[str, str] | None = None) -> None:
        """Write policy, pytest configuration and candidate; ``extra`` adds to the gate's policy keys."""
        self.root = root
        keys = "".join(f"{key} = {value}\n" for key, value in (extra or {}).items())
        self.write("pytest.ini", CONFIGURATION)
        self.write("gates/environments.toml", ENVIRONMENTS)
        self.write("gates/staging.toml", f'schema = 1\n[gate.smoke]\nowner = "somebody"\n{keys}')
        self.candidate("engine 1")

    def write(self, name: str, text: str) -> Path:
        """Write a file below the project's folder, dedented."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def limits(self, gate: str, limits: Mapping[str, str]) -> None:
        """Add limits to a gate of ``gates/staging.toml``; each value is the limit's text."""
        lines = "".join(f'"{name}" = "{limit}"\n' for name, limit in limits.items())
        with (self.root / "gates/staging.toml").open("a", encoding="utf-8") as file:
            file.write(f"\n[gate.{gate}.limits]\n{lines}")

    def candidate(self, content: str) -> None:
        """Make a new candidate: another content is another digest."""
        artifact = self.write("artifact", content)
        made = create_candidate(
            name="engine",
            version="1.0.0",
            artifacts={"engine": artifact},
            root=self.root,
            origin=Origin(commit="0123abc"),
        )
        write_candidate(made, self.root / "candidate.toml")

    def expect(self, ids: Sequence[str] | None = None, gate: str = "smoke") -> None:
        """Write the expected tests: those that pytest collects now, or exactly ``ids``."""
        if ids is None:
            done = self._process([sys.executable, "-m", "release_gates", "expect"], {})
            if done.returncode:
                raise AssertionError(done.stdout + done.stderr)
        else:
            self.write(f"gates/expected/{gate}.txt", "".join(f"{each}\n" for each in sorted(ids)))

    def run(
        self,
        *arguments: str,
        mark: str | None = "gate_staging",
        workers: int = 0,
        env: Mapping[str, str] | None = None,
    ) -> GateResult:
        """Run ``pytest -m gate_staging`` with more arguments, in a process of its own."""
        command = [sys.executable, "-m", "pytest", *(["-m", mark] if mark else []), *arguments]
        return self._result([*command, *(["-n", str(workers)] if workers else [])], env)

    def cli(self, *arguments: str, env: Mapping[str, str] | None = None) -> GateResult:
        """Run ``release-gates`` with these arguments."""
        return self._result([sys.executable, "-m", "release_gates", *arguments], env)

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start ``python -m COMMAND`` and return at once; the caller waits for it."""
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=self.root,
            env=self._environment({}),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def runs(self) -> tuple[RunView, ...]:
        """Return every run that the ledger knows."""
        if not (self.root / ".gates/ledger.db").exists():
            return ()
        ledger = open_ledger(None, base=self.root, state=self.root / ".gates")
        return runs(tuple(ledger.events()))

    def verdict_file(self) -> Mapping[str, Any]:
        """Return ``.gates/verdict-staging.json``; empty if there is none."""
        path = self.root / ".gates/verdict-staging.json"
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return found

    def _result(self, command: Sequence[str], env: Mapping[str, str] | None) -> GateResult:
        done = self._process(command, env or {})
        known = self.runs()
        return GateResult(
            status=done.returncode,
            output=done.stdout + done.stderr,
            verdict=known[-1].verdict if known else None,
            verdict_file=self.verdict_file(),
        )

    def _process(self, command: Sequence[str], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        return self.launch(command, self.root, self._environment(env))

    def _environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """Return this process's environment without what pytest, xdist, coverage and we put into it."""
        foreign = ("PYTEST_", "GATE_", "COV_", "COVERAGE_")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        # A test file that is rewritten within a second, at the same size, would run from its old bytecode.
        # A host of its own: inside of a gate's test it would wait for that test to end.
        own = {"GATE_ACTOR": "tester", "GATE_LOCK": str(self.root / HOST), "PYTHONDONTWRITEBYTECODE": "1"}
        return {**clean, **own, **env}
