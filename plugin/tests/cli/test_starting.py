"""The first ten minutes: what ``init`` writes promotes at once, and ``demo`` shows a HOLD and a PROMOTE."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from release_gates.cli.commands import program
from release_gates.testing import GateProject

ROOT = Path(__file__).resolve().parents[3]


def release_gates(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "release_gates", *words]
    return GateProject.launch(command, folder, {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})


@pytest.mark.parametrize("arguments", [[], ["-n", "2"]], ids=["serial", "-n 2"])
def test_scaffold_promotes_at_its_first_run(tmp_path: Path, arguments: list[str]) -> None:
    made = release_gates(tmp_path, "init", "mine")
    assert made.returncode == 0, made.stderr
    assert "cd mine && pytest -m gate_staging" in made.stdout
    command = [sys.executable, "-m", "pytest", "-m", "gate_staging", *arguments]
    done = subprocess.run(command, cwd=tmp_path / "mine", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "PROMOTE: entry to staging" in done.stdout


@pytest.mark.parametrize(
    ("env", "coloured"),
    [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"TERM": "xterm", "NO_COLOR": "1"}, False)],
)
def test_no_colour_where_nobody_wants_any(tmp_path: Path, env: dict[str, str], coloured: bool) -> None:
    (tmp_path / "taken").write_text("the demonstration ends here, after its first title")
    words = ["demo", "--folder", str(tmp_path)]
    said = CliRunner().invoke(program, words, env={"NO_COLOR": None, **env}, color=True).output
    assert "1. A toy exchange with two gates" in said
    assert ("\x1b[" in said) is coloured


def test_scaffold_is_clean_for_check_and_expect(tmp_path: Path) -> None:
    release_gates(tmp_path, "init", ".")
    assert release_gates(tmp_path, "check").returncode == 0
    assert release_gates(tmp_path, "expect", "--check").returncode == 0


def test_scaffold_proves_its_gates(tmp_path: Path) -> None:
    release_gates(tmp_path, "init", ".")
    done = release_gates(tmp_path, "prove")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lost_cancel  smoke     caught        was cancelled and still traded" in done.stdout
    assert "slow_match   matching  caught        levels_per_order is" in done.stdout
    assert "2 of 2 guarded defects caught; no gate without a defect" in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_init_never_writes_into_a_folder_that_is_in_use(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    refused = release_gates(tmp_path, "init")
    assert refused.returncode == 2
    assert "notes.txt" in refused.stderr
    assert "[folder-not-empty]" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_demo_holds_then_promotes(tmp_path: Path) -> None:
    shown = release_gates(tmp_path, "demo", "--folder", "toy")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    hold, promote = shown.stdout.index("= HOLD (broken)"), shown.stdout.index("= PROMOTE")
    assert hold < shown.stdout.index("return min(map") < promote
    assert "the limit is <= 10 count" in shown.stdout
    assert promote < shown.stdout.index("2 of 2 guarded defects caught")
    assert shown.stdout.count("last seen red") == 2


def test_wheel_holds_the_scaffold(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "plugin" / "release_gates"
    files = {path for place in ("scaffold", "suites") for path in (package / "cli" / place).rglob("*")}
    sources = {path for path in files if path.is_file() and "__pycache__" not in path.parts}
    assert {f"release_gates/{path.relative_to(package)}" for path in sources} <= names
    assert "release_gates/py.typed" in names
