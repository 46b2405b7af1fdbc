"""Runs that end in the middle, from inside or outside; and calls that never are a run."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from release_gates.testing import GateProject

HEAD = 'import os, signal, sys, time, pytest\npytestmark = pytest.mark.gate("smoke")\n'
SPEED = 'def test_speed(gate):\n    gate.measure("order.time", 3, "ms")\n'


def book(body: str) -> str:
    return f"{HEAD}\n{SPEED}\ndef test_book():\n    {body}\n"


def in_progress(project: GateProject) -> bool:
    """Tell whether the newest run stands in the ledger without a verdict, and the verdict file says HOLD."""
    return project.runs()[-1].verdict is None and project.verdict_file()["verdict"] == "HOLD"


def refused(project: GateProject, slug: str) -> bool:
    result = project.cli("promote", "--to", "staging")
    return result.status == 2 and f"[{slug}]" in result.output


EXITS = {
    "in a test": {"suites/test_smoke.py": book("os._exit(0)")},
    "in conftest": {"conftest.py": "import os\nos._exit(0)\n"},
    "pytest.exit in conftest": {"conftest.py": "import pytest\npytest.exit('bye', returncode=0)\n"},
    "sys.exit in conftest": {"conftest.py": "import sys\nsys.exit(0)\n"},
    "in sessionfinish": {"conftest.py": "import os\ndef pytest_sessionfinish(): os._exit(0)\n"},
    "in collection": {"suites/test_smoke.py": "import os\nos._exit(0)\n"},
}


class TestExitZero:
    """``os._exit(0)`` cannot be caught: pytest ends with 0. ``release-gates run`` and ``promote`` refuse."""

    @pytest.mark.parametrize("files", EXITS.values(), ids=EXITS)
    def test_supervised_run_holds(self, project: GateProject, files: dict[str, str]) -> None:
        for name, text in files.items():
            project.write(name, text)
        result = project.cli("run", "staging")
        assert result.status in (1, 2, 4, 10), result.output
        assert not result.promotes
        assert "did not end" in result.sentences or "before it measured anything" in result.sentences
        assert refused(project, "verdict-is-hold")

    def test_bare_pytest_leaves_an_unfinished_run(self, project: GateProject) -> None:
        project.write("suites/test_smoke.py", book("os._exit(0)"))
        assert project.run().status == 0  # pytest's own status: nobody is left to change it
        assert in_progress(project)
        assert refused(project, "run-unfinished")

    def test_yesterdays_promote_is_not_in_force(self, project: GateProject) -> None:
        assert project.run().promotes
        project.write("suites/test_smoke.py", book("os._exit(0)"))
        project.run()
        assert project.verdict_file()["because"] == "run in progress"
        assert refused(project, "run-unfinished")

    def test_in_unconfigure(self, project: GateProject) -> None:
        project.write("conftest.py", "import os\ndef pytest_unconfigure(): os._exit(3)\n")
        result = project.cli("run", "staging")
        assert (result.status, result.verdict_file["verdict"]) == (10, "HOLD")
        assert "pytest ended with exit status 3 after its verdict" in " ".join(result.output.split())
        assert refused(project, "run-invalidated")

    def test_exit_status_changed_after_the_verdict_takes_it_back(self, project: GateProject) -> None:
        text = "import pytest\n_session = []\ndef pytest_sessionstart(session): _session.append(session)\n"
        project.write("conftest.py", f"{text}def pytest_unconfigure(): _session[0].exitstatus = 9\n")
        result = project.run()
        assert (result.status, result.verdict_file["verdict"]) == (9, "HOLD")
        assert refused(project, "run-invalidated")


BREAKS = {
    "when told": "def pytest_gate_decided(verdict): raise {}\n",
    "first of all": "import pytest\n@pytest.hookimpl(tryfirst=True)\ndef pytest_gate_decided(): raise {}\n",
    "at the very end": "def pytest_unconfigure(): raise {}\n",
}


class TestBrokenReports:
    """Whoever breaks after the verdict takes a PROMOTE back: nobody knows then who was told what."""

    @pytest.mark.parametrize(
        ("error", "workers"),
        [
            ("ValueError('no chat')", 0),
            ("ValueError('no chat')", 2),
            ("KeyboardInterrupt", 0),
            ("SystemExit(0)", 0),
        ],
    )
    @pytest.mark.parametrize("hook", BREAKS.values(), ids=BREAKS)
    def test_no_promote_is_left(self, project: GateProject, hook: str, error: str, workers: int) -> None:
        project.write("conftest.py", hook.format(error))
        result = project.run(workers=workers)
        assert result.status != 0
        assert result.verdict_file["verdict"] == "HOLD"
        assert refused(project, "run-invalidated")
        if "ValueError" in error:
            assert "HOLD (not proven): entry to staging" in result.output
            assert "ValueError: no chat" in " ".join(result.output.split())
        if "unconfigure" not in hook and "ValueError" in error:
            assert result.status == 10
            assert "Traceback" not in result.output
        told = project.cli("--json", "explain", "staging")
        assert (told.status, json.loads(told.output)["verdict"]) == (10, "HOLD")

    @pytest.mark.parametrize("hook", ["sessionfinish", "unconfigure", "gate_decided"])
    def test_nobody_leaves_a_hold_with_zero(self, project: GateProject, hook: str) -> None:
        project.write("suites/test_smoke.py", book("assert False"))
        project.write("conftest.py", f"import sys\ndef pytest_{hook}(): sys.exit(0)\n")
        assert project.run().status == 1

    def test_a_hold_stays_what_it_is(self, project: GateProject) -> None:
        project.write("suites/test_smoke.py", book("assert False"))
        project.write("conftest.py", BREAKS["when told"].format("ValueError('no chat')"))
        result = project.run()
        assert (result.status, result.verdict_file["kind"]) == (1, "broken")
        assert "ValueError: no chat" in " ".join(result.output.split())
        assert not project.runs()[-1].invalidated

    def test_everybody_else_hears_of_it(self, project: GateProject) -> None:
        project.write(
            "conftest.py",
            """
            def pytest_gate_decided(verdict):
                raise ValueError("no chat")
            def pytest_gate_taken_back(verdict, reason, head):
                print(f"HEARD {verdict.title} | {verdict.promotes} | {reason} | {head[:8]}")
                raise RuntimeError("nor this")
            """,
        )
        result = project.run("-s")
        said = " ".join(result.output.split())
        assert "HEARD HOLD (not proven) | False | a plugin broke when it was told of the verdict" in said
        assert "and a plugin broke when it was told: RuntimeError: nor this" in said
        assert (result.status, refused(project, "run-invalidated")) == (10, True)

    def test_a_ledger_that_refuses_is_said(self, project: GateProject) -> None:
        project.write(
            "conftest.py",
            """
            import shutil
            def pytest_gate_decided():
                shutil.move(".gates/ledger.db", ".gates/away.db")
                raise ValueError("no chat")
            """,
        )
        result = project.run()
        assert result.status != 0
        assert result.verdict_file["verdict"] == "HOLD"
        assert "NOT taken back, as the ledger refused" in result.output


class TestSignals:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    @pytest.mark.parametrize("supervised", [False, True], ids=["pytest", "release-gates run"])
    def test_signal_in_the_middle(
        self, project: GateProject, number: signal.Signals, supervised: bool
    ) -> None:
        project.write("suites/test_smoke.py", book("open('reached', 'w').close(); time.sleep(30)"))
        command = ("release_gates", "run", "staging") if supervised else ("pytest", "-m", "gate_staging")
        process = project.start(*command)
        while not (project.root / "reached").exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        inner = _child(process.pid) if supervised and number == signal.SIGKILL else None
        os.kill(inner or process.pid, number)
        process.communicate(timeout=60)
        assert process.returncode != 0
        assert project.verdict_file()["verdict"] == "HOLD"
        verdict = project.runs()[-1].verdict
        assert verdict is None or not verdict.promotes
        assert refused(project, "verdict-is-hold") or refused(project, "run-unfinished")

    def test_killed_worker_is_an_error(self, project: GateProject) -> None:
        project.write("suites/test_smoke.py", book("os.kill(os.getpid(), signal.SIGKILL)"))
        result = project.run(workers=2)
        assert not result.promotes
        assert "the process that ran it died" in result.sentences


def _child(pid: int) -> int:
    with open(f"/proc/{pid}/task/{pid}/children") as file:  # noqa: PTH123
        return int(file.read().split()[0])


class TestNoRun:
    """Calls that select, list or configure in a way that decides nothing never end like a PROMOTE."""

    @pytest.mark.parametrize(
        ("arguments", "status", "says"),
        [
            (("-m", "gate_staging", "--collect-only"), 10, "--collect-only runs no test"),
            (("-m", "gate_stagng"), 4, r"Did you mean 'gate_staging'"),
            (("-m", "gate_staging", "-p", "no:release_gates"), 4, "required plugins|Missing"),
            (("-m", "gate_staging", "--gate-policy", "nowhere"), 4, "nowhere"),
            (("-m", "gate_staging", "--gate-ledger", "lost.db"), 4, "there is no ledger"),
            (("-m", "gate_staging", "--gate-candidate", "lost.toml"), 4, "lost.toml"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
    )
    def test_status_and_sentence(
        self, project: GateProject, arguments: tuple[str, ...], status: int, says: str
    ) -> None:
        result = project.run(*arguments, mark=None)
        assert result.status == status, result.output
        assert not result.promotes
        assert any(part in result.output for part in says.split("|")), result.output

    def test_autoload_disabled(self, project: GateProject) -> None:
        result = project.run(env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
        assert result.status == 4, result.output
        assert "pytest-release-gates" in result.output

    def test_other_configuration_without_required_plugins_and_without_the_plugin(
        self, project: GateProject
    ) -> None:
        project.write("other.ini", "[pytest]\n")
        project.run("-c", "other.ini", "-p", "no:release_gates")
        assert project.runs() == ()
        assert refused(project, "never-measured")

    @pytest.mark.parametrize("mark", ["not gate_staging", None])
    def test_nothing_is_decided_without_a_positive_mark(self, project: GateProject, mark: str | None) -> None:
        result = project.run(mark=mark)
        assert result.verdict is None
        assert result.verdict_file == {}
        assert refused(project, "never-measured")

    def test_usage_error_replaces_an_older_promote(self, project: GateProject) -> None:
        assert project.run().promotes
        project.write("candidate.toml", "schema = 1\n")
        result = project.run()
        assert result.status == 4
        assert result.verdict_file["verdict"] == "HOLD"

    def test_two_environments_at_once(self, project: GateProject) -> None:
        project.write("gates/environments.toml", 'schema = 1\npath = ["staging", "production"]\n')
        project.write("gates/production.toml", 'schema = 1\nextends = "staging"\n')
        result = project.run(mark="gate_staging or gate_production")
        assert (result.status, "one run decides one entry" in result.output) == (4, True), result.output

    def test_exclusive_gate_on_all_workers_at_once(self, project: GateProject) -> None:
        path = project.root / "gates/staging.toml"
        path.write_text(
            path.read_text().replace('owner = "somebody"', 'owner = "somebody"\nexclusive = true')
        )
        result = project.run("--dist", "each", workers=2)
        assert (result.status, "exclusive-under-xdist" in result.output) == (4, True), result.output
        assert project.run().promotes

    def test_policy_without_gates(self, project: GateProject) -> None:
        project.write("gates/staging.toml", "schema = 1\n")
        (project.root / "gates/expected/smoke.txt").unlink()
        project.write("suites/test_smoke.py", "def test_x(): pass\n")
        result = project.run()
        assert not result.promotes
        assert result.status != 0
