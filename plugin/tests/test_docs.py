"""The guides say what happens: their commands are run, their files written, their output looked for."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from release_gates.testing import GateProject

DOCS = Path(__file__).resolve().parents[2] / "docs"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w/.-]+\.(?:py|toml))\n")
STATUS = re.compile(r"\s+# exit status (\d+)$")
OURS = {"release-gates": "release_gates", "pytest": "pytest"}
LEFT_OUT = "…"


class Command(NamedTuple):
    """One command of a page: what it is, how it has to end, which lines it has to print in this order."""

    words: str
    status: int
    says: tuple[str, ...]


def commands(block: str) -> Iterator[Command]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        first, *says = part.splitlines()
        found = STATUS.search(first)
        lines = tuple(line.strip() for line in says if line.strip() not in ("", LEFT_OUT))
        yield Command(STATUS.sub("", first), int(found[1]) if found else 0, lines)


def run(command: Command, folder: Path) -> None:
    words = shlex.split(command.words)
    if words[0] in OURS:
        env = {
            **{
                name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "GATE_"))
            },
            **{"GATE_LOCK": str(folder / ".host"), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "80"},
        }
        done = GateProject.launch([sys.executable, "-m", OURS[words[0]], *words[1:]], folder, env)
    else:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == command.status, f"{command.words}\n{output}"
    rest = iter(output.splitlines())
    for line in command.says:
        assert any(line in printed for printed in rest), f"{command.words}: {line!r} is not said\n{output}"


@pytest.mark.parametrize("page", ["tutorial.md", "demo.md"])
def test_the_page_says_what_happens(page: str, tmp_path: Path) -> None:
    folder, ran = tmp_path, 0
    for kind, block in FENCE.findall((DOCS / page).read_text(encoding="utf-8")):
        if kind == "console":
            for command in commands(block):
                if command.words.startswith("cd "):
                    folder = folder / command.words.removeprefix("cd ")
                elif not command.words.startswith("pip install "):
                    run(command, folder)
                    ran += 1
        elif (named := FILE.match(block)) is not None:
            (folder / named[1]).write_text(block.removeprefix(named[0]), encoding="utf-8")
    assert ran > 5


def test_a_page_that_lies_is_found(tmp_path: Path) -> None:
    (tmp_path / "gates").mkdir()
    with pytest.raises(AssertionError):
        run(Command("release-gates check", 0, ()), tmp_path)
    with pytest.raises(AssertionError, match="is not said"):
        run(Command("release-gates --help", 0, ("PROMOTE by telephone",)), tmp_path)
