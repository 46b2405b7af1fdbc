"""Every snippet of README and the guides is in one class, and what that class asks is done."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import click
import pytest
import yaml

from plugin.tests.docs.console import (
    Command,
    check_extras,
    check_options,
    commands,
    is_said,
    parse_ours,
    run,
    run_script,
)
from plugin.tests.docs.policies import policy_of
from plugin.tests.docs.snippets import ROOT, Snippet, every_snippet
from plugin.tests.docs.worlds import WORLDS

EVERY = every_snippet()
CLASSES = {
    "console": "run in a project, or by a named test, or not run for a reason and its options looked up",
    "bash": "run as a script in the session of its page",
    "toml": "read by the policy's own parser",
    "python": "test_python_and_c.py",
    "c": "test_python_and_c.py",
    "yaml": "parsed",
    "sql": "shown: plugin/tests/ledger makes the same roles in a real server",
    "text": "shown: what a run of this instance printed, or a picture",
    "": "shown",
}
DIRECTIVE = "{"
"""Begins what Sphinx fills in, which `make docs` does."""
CONSOLE = [each for each in EVERY if each.kind == "console"]
RUN = [each for each in EVERY if each.kind in ("console", "bash") and each.note[0] in ("", "in")]
RUN_BY = [each for each in CONSOLE if each.note[0] == "run by"]
NOT_RUN = [each for each in CONSOLE if each.note[0] == "not run"]


def by_place(found: list[Snippet]) -> list[object]:
    return [pytest.param(each, id=each.place) for each in found]


def of_kind(kind: str) -> list[object]:
    return by_place([each for each in EVERY if each.kind == kind])


def sessions() -> list[object]:
    """Return the blocks that run one after the other: those of a page, from one ``in`` to the next."""
    found: list[list[Snippet]] = []
    for _, blocks in groupby(RUN, key=lambda each: each.page):
        for number, block in enumerate(blocks):
            if number == 0 or block.note[0] == "in":
                found.append([])
            found[-1].append(block)
    return [pytest.param(each, id=each[0].place) for each in found]


@pytest.mark.parametrize("session", sessions())
def test_the_page_says_what_happens(session: list[Snippet], tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    WORLDS[session[0].note[1] or "an empty folder"](folder)
    last = 0
    for block in session:
        for file in files_between(block.page, last, block.line):
            (folder / file.file).write_text(file.text.partition("\n")[2], encoding="utf-8")
        if block.kind == "bash":
            run_script(block.text, folder)
        for command in commands(block.text) if block.kind == "console" else ():
            folder = run(command, folder)
        check_extras(block)
        last = block.line


def files_between(page: str, after: int, before: int) -> list[Snippet]:
    """Return the files that a reader writes between two blocks of a session; none before its first."""
    named = [each for each in EVERY if each.page == page and each.file and each.kind in ("python", "toml")]
    return [each for each in named if 0 < after < each.line < before]


@pytest.mark.parametrize("snippet", by_place(NOT_RUN))
def test_what_is_not_run_has_options_that_there_are(snippet: Snippet, pytestconfig: pytest.Config) -> None:
    check_options(snippet, pytestconfig)


@pytest.mark.parametrize("snippet", of_kind("toml"))
def test_toml_is_policy(snippet: Snippet) -> None:
    assert policy_of(snippet).environments


def test_every_snippet_is_in_one_class() -> None:
    known = [each for each in EVERY if each.kind in CLASSES or each.kind.startswith(DIRECTIVE)]
    assert [each.place for each in EVERY if each not in known] == []
    noted = [each for each in EVERY if each.note[0]]
    assert [each.place for each in noted if each.kind not in ("console", "bash")] == [], (
        "only commands carry a note"
    )
    assert [each.place for each in noted if each.note[0] == "in" and each.note[1] not in WORLDS] == []
    commanded = [each for each in RUN if each.kind == "console"]
    assert len(commanded) + len(NOT_RUN) + len(RUN_BY) == len(CONSOLE)


def test_who_runs_the_others_does() -> None:
    """A test or a target of make that a note names is there."""
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    for each in RUN_BY:
        name = each.note[1]
        target = name.removeprefix("make ")
        where, what = (tests, f"def {name}(") if target == name else (targets, f"\n{target}:")
        assert what in where, f"{each.place}: nobody is called {name}"


@pytest.mark.parametrize("snippet", of_kind("yaml"))
def test_yaml_is_yaml(snippet: Snippet) -> None:
    assert yaml.safe_load(snippet.text)


def test_a_page_that_lies_is_found(tmp_path: Path) -> None:
    (tmp_path / "gates").mkdir()
    with pytest.raises(AssertionError, match="ends in 1"):
        run(Command(("release-gates", "check"), 0, ()), tmp_path)
    with pytest.raises(AssertionError, match="is not what it prints"):
        run(Command(("release-gates", "--help"), 0, ("…", "PROMOTE by telephone", "…")), tmp_path)


@pytest.mark.parametrize(
    ("says", "said"),
    [
        ((), True),
        (("one", "two", "three"), True),
        (("one", "…", "three"), True),
        (("o…e", "…"), True),
        (("one", "three"), False),
        (("one", "two"), False),
        (("two", "…"), False),
        (("…", "two", "one", "…"), False),
    ],
)
def test_what_the_dots_stand_for(says: tuple[str, ...], said: bool) -> None:
    assert is_said(says, "line one\n\nline two\n   three\n") is said


@pytest.mark.parametrize(
    "words", ["audit nothing", "run staging --sing KEY", "decide", "report --format telegram"]
)
def test_an_option_that_there_is_not_is_found(words: str) -> None:
    with pytest.raises((click.UsageError, AssertionError)):
        parse_ours(words.split())
