"""Commands of a page: what they are, how they end, what they print, and whether their options exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from plugin.tests.docs.snippets import LEFT_OUT, ROOT, Snippet
from release_gates.cli.commands import program
from release_gates.testing import GateProject

PROMPT = re.compile(r"^(?:[\w-]+)?\$ +", re.MULTILINE)
STATUS = re.compile(r"# exit status (\d+)")
OURS = {"release-gates": "release_gates", "pytest": "pytest"}
EXTRA = re.compile(r"pytest-release-gates\[([\w,-]+)\]")


class Command(NamedTuple):
    """One command of a page: its words, how it has to end, what it has to print."""

    words: tuple[str, ...]
    status: int
    says: tuple[str, ...]

    @property
    def typed(self) -> tuple[str, ...]:
        """The words without a file that gets the output."""
        return self.words[: self.words.index(">")] if ">" in self.words else self.words

    @property
    def shown(self) -> str:
        """The command as a person would type it."""
        return shlex.join(self.words)


def commands(block: str) -> Iterator[Command]:
    """Yield the commands of a block; ``a && b`` are two, of which the second has the output."""
    for part in PROMPT.split(block)[1:]:
        first, _, rest = part.replace("\\\n", " ").partition("\n")
        found = STATUS.search(first)
        *before, last = _split(first)
        yield from (Command(words, 0, ()) for words in before)
        says = tuple(line.strip() for line in rest.splitlines() if line.strip())
        yield Command(last, int(found[1]) if found else 0, says)


def _split(line: str) -> list[tuple[str, ...]]:
    """Return the commands of a line, which ``&&`` joins, without its comment."""
    words = shlex.shlex(line, posix=True, punctuation_chars="&>|;")
    words.whitespace_split, words.commenters = True, "#"
    joined: list[list[str]] = [[]]
    for word in words:
        if word == "&&":
            joined.append([])
        else:
            joined[-1].append(word)
    return [tuple(each) for each in joined]


def run(command: Command, folder: Path) -> Path:
    """Run a command in a folder and compare; return the folder of the next one."""
    words = command.words
    if words[0] == "cd":
        return folder / words[1]
    if words[:2] == ("pip", "install"):
        return folder
    done = started(command.typed, folder)
    if command.typed != words:
        (folder / words[-1]).write_text(done.stdout, encoding="utf-8")
    output = done.stdout + done.stderr
    assert done.returncode == command.status, f"{command.shown} ends in {done.returncode}\n{output}"
    assert is_said(command.says, output), f"{command.shown}: {command.says} is not what it prints\n{output}"
    return folder


def started(words: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run ours in a fork of the warm interpreter, and any other program as it is."""
    env = _environ_of(folder)
    words = [each for word in words for each in _expanded(word, folder)]
    if words[0] in OURS:
        return GateProject.launch([sys.executable, "-m", OURS[words[0]], *words[1:]], folder, env)
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)


def run_script(block: str, folder: Path) -> None:
    """Run a block of bash to its end; the first command that fails ends it."""
    done = subprocess.run(
        ["bash", "-e", "-c", block],
        cwd=folder,
        env=_environ_of(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"


def environ() -> dict[str, str]:
    """Return what commands see: nothing of the pytest around them."""
    foreign = ("PYTEST_", "GATE_", "COV_", "COVERAGE_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**env, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}", "COLUMNS": "80"}


def _environ_of(folder: Path) -> dict[str, str]:
    """Return what commands of a project see that has a host of its own, and a home beside it."""
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    own = {"HOME": str(home), "GATE_LOCK": str(folder / ".host"), "PYTHONDONTWRITEBYTECODE": "1"}
    return {**environ(), **own}


def _expanded(word: str, folder: Path) -> list[str]:
    """Return what a shell makes of ``~/`` and of a pattern of files; a home lies beside the project."""
    if word.startswith("~/"):
        return [str(folder.parent / "home" / word[2:])]
    found = sorted(str(path.relative_to(folder)) for path in folder.glob(word)) if "*" in word else []
    return found or [word]


def is_said(says: Sequence[str], output: str) -> bool:
    """Tell whether a command printed what the page shows.

    Each line of the page is in one of the output, and neighbours are neighbours. ``…`` as a line stands for
    any number of lines, within one for any text. Empty lines count on neither side; nothing shown, nothing
    asked.
    """
    if not says:
        return True
    lines = [line for line in output.splitlines() if line.strip()]
    pattern = "".join(r"(?:.*\n)*?" if line == LEFT_OUT else _pattern(line) for line in says)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines)) is not None


def _pattern(line: str) -> str:
    return ".*" + ".*".join(map(re.escape, line.split(LEFT_OUT))) + ".*\n"


def check_options(snippet: Snippet, config: pytest.Config) -> None:
    """Refuse an option, command, target or extra that there is not, in commands that are not run."""
    for command in commands(snippet.text):
        if command.words[0] == "release-gates":
            parse_ours(list(command.typed[1:]))
        elif command.words[0] in ("pytest", ".venv/bin/pytest"):
            config._parser.parse(list(command.typed[1:]))
        elif command.words[0] == "make":
            assert f"{command.words[1]}:" in _targets(), f"{snippet.place}: no such target: {command.shown}"
    check_extras(snippet)


def check_extras(snippet: Snippet) -> None:
    """Refuse an extra that the package does not have."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    for found in EXTRA.finditer(snippet.text):
        assert set(found[1].split(",")) <= set(extras), f"{snippet.place}: {found[0]} is no extra"


def parse_ours(words: list[str]) -> None:
    """Parse the words after ``release-gates`` by its own commands. Raises click.UsageError."""
    command: click.Command = program
    context = click.Context(program, info_name="release-gates")
    while isinstance(command, click.Group):
        _, words, _ = command.make_parser(context).parse_args(words)
        name, found, words = command.resolve_command(context, words)
        assert found is not None, words
        command, context = found, click.Context(found, info_name=name, parent=context)
    given, rest, _ = command.make_parser(context).parse_args(words)
    assert not rest, rest
    for parameter in command.get_params(context):
        value = given.get(parameter.name or "")
        assert not parameter.required or value, f"{words}: {parameter.name} is missing"
        if isinstance(parameter.type, click.Choice) and isinstance(value, str):
            parameter.type.convert(value, parameter, context)


def _targets() -> str:
    """Return the Makefile's rules, with what `%` stands for left as it is."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return "\n".join(
        f"{name}:" for line in text.splitlines() if ":" in line for name in line.partition(":")[0].split()
    )
