"""``select``: existing tests join a gate without being edited; none is lost, doubled or in two gates."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from release_gates.testing import GateProject, GateResult

ORDERS = """
import unittest
import pytest


def test_plain():
    assert True


@pytest.mark.parametrize("text", ["a", "x::y", "[z]", "p/q"])
def test_many(text):
    assert text


class TestBook:
    def test_bid(self):
        assert True

    class TestDeep:
        def test_ask(self):
            assert True


class Old(unittest.TestCase):
    def test_old(self):
        self.assertEqual(1, 1)
"""
IDS = [
    "tests/load/test_orders.py::Old::test_old",
    "tests/load/test_orders.py::TestBook::TestDeep::test_ask",
    "tests/load/test_orders.py::TestBook::test_bid",
    "tests/load/test_orders.py::test_many[[z]]",
    "tests/load/test_orders.py::test_many[a]",
    "tests/load/test_orders.py::test_many[p/q]",
    "tests/load/test_orders.py::test_many[x::y]",
    "tests/load/test_orders.py::test_plain",
]


@pytest.fixture
def existing(tmp_path: Path) -> GateProject:
    """A repository whose tests have never heard of gates."""
    made = GateProject(tmp_path / "existing", extra={"select": '["tests/load/**"]'})
    made.write("pytest.ini", "[pytest]\n")
    made.write("tests/load/test_orders.py", ORDERS)
    made.write("tests/test_other.py", "def test_other(): assert False, 'of no gate'\n")
    return made


def select(project: GateProject, *patterns: str, more: str = "") -> None:
    chosen = json.dumps(list(patterns))
    project.write("gates/staging.toml", f'schema = 1\n[gate.smoke]\nowner = "me"\nselect = {chosen}\n{more}')


def expected(project: GateProject, gate: str = "smoke") -> list[str]:
    lines = (project.root / f"gates/expected/{gate}.txt").read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


def ran(project: GateProject) -> list[tuple[str, str]]:
    (file,) = (project.root / ".gates/evidence").iterdir()
    records = [json.loads(line) for line in file.read_text().splitlines()]
    return sorted((record["id"], record["gate"]) for record in records if record["record"] == "test")


def refused(result: GateResult, *says: str) -> None:
    assert not result.promotes, result.output
    assert result.verdict is None or not result.verdict.promotes
    for text in says:
        assert text in result.output, result.output


# -- tests join the gate ------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
def test_tests_join_without_being_edited(existing: GateProject, workers: int) -> None:
    existing.expect()
    assert expected(existing) == IDS
    result = existing.run(workers=workers)
    assert result.status == 0, result.output
    assert result.verdict is not None
    assert ran(existing) == [(test, "smoke") for test in IDS]


def test_a_selected_test_that_fails_holds(existing: GateProject) -> None:
    existing.expect(IDS)
    existing.write(
        "tests/load/test_orders.py", ORDERS.replace("assert text", "assert text != 'a', 'lost it'")
    )
    result = existing.run()
    assert (result.status, result.promotes) == (1, False)
    assert "lost it" in result.sentences


def test_selected_tests_have_both_marks(existing: GateProject) -> None:
    existing.write(
        "conftest.py",
        """
        def pytest_collection_finish(session):
            for item in session.items:
                marks = [(mark.name, mark.args, mark.kwargs) for mark in item.iter_markers() if "gate" in mark.name]
                print("MARKS", item.name, sorted(marks))
        """,
    )
    shown = existing.run("--collect-only", "-s", "-k", "test_plain or test_other").output
    assert "MARKS test_plain [('gate', ('smoke',), {}), ('gate_staging', (), {'gate': 'smoke'})]" in shown
    assert "MARKS test_other" not in shown
    every = existing.run("--collect-only", "-q", mark="gate_staging").output
    assert "8/9 tests collected" in every


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (["tests/load/test_orders.py"], IDS),
        (["tests/load/test_orders.py::*"], IDS),
        (["tests/**/test_orders.py::test_plain"], IDS[-1:]),
        (["**/test_ord*.py::TestBook::*"], IDS[1:3]),
        (["**::test_many[x::y]"], IDS[6:7]),
        (["**::test_many[[z]]", "**::*test_old"], [IDS[0], IDS[3]]),
        (["**::test_many[?]"], [IDS[4]]),
        (["tests/load/**", "tests/load/test_orders.py::test_plain"], IDS),
    ],
)
def test_patterns(existing: GateProject, patterns: list[str], found: list[str]) -> None:
    select(existing, *patterns)
    existing.expect()
    assert expected(existing) == found


def test_mark_and_select_for_the_same_gate_count_once(existing: GateProject) -> None:
    existing.write(
        "tests/load/test_orders.py", ORDERS + '\npytestmark = [pytest.mark.gate("smoke"), pytest.mark.slow]\n'
    )
    existing.expect(IDS)
    assert existing.run().status == 0
    assert ran(existing) == [(test, "smoke") for test in IDS]


def test_doctests_and_items_of_other_plugins(existing: GateProject) -> None:
    existing.write("tests/load/sums.py", 'def add():\n    """\n    >>> 1 + 1\n    2\n    """\n')
    existing.write("tests/load/notes.order", "good")
    existing.write(
        "conftest.py",
        """
        import pytest

        def pytest_collect_file(file_path, parent):
            if file_path.suffix == ".order":
                return Orders.from_parent(parent, path=file_path)

        class Orders(pytest.File):
            def collect(self):
                yield Order.from_parent(self, name="order")

        class Order(pytest.Item):
            def runtest(self):
                assert self.path.read_text() == "good"
        """,
    )
    select(existing, "tests/load/*.order", "tests/load/sums.py")
    existing.write("pytest.ini", "[pytest]\naddopts = --doctest-modules\n")
    existing.expect()
    assert [test.rpartition("::")[0] for test in expected(existing)] == [
        "tests/load/notes.order",
        "tests/load/sums.py",
    ]
    assert existing.run().status == 0
    existing.write("tests/load/notes.order", "bad")
    existing.candidate("engine 2")
    assert existing.run().status == 1


def test_root_folder_above_the_working_folder(existing: GateProject) -> None:
    """Patterns start at the root folder, as node ids do, wherever pytest is called; packages change nothing."""
    for name in ("tests/__init__.py", "tests/load/__init__.py"):
        existing.write(name, "")
    existing.expect()
    assert expected(existing) == IDS
    shown = existing.run("--rootdir", ".", "tests/load")
    assert shown.status == 0, shown.output
    below = GateProject.__new__(GateProject)
    below.root = existing.root / "tests" / "load"
    result = below.run("--rootdir", str(existing.root), "-c", str(existing.root / "pytest.ini"))
    assert result.status == 0, result.output


def test_a_part_is_joined_with_another(existing: GateProject) -> None:
    existing.expect(IDS)
    for name, words in (("a", "test_many"), ("b", "not test_many")):
        part = existing.run("--gate-part", "-k", words, f"--gate-evidence={name}.jsonl")
        assert part.status == 0, part.output
    alone = existing.cli("decide", "--environment", "staging", "a.jsonl")
    refused(alone, "4 expected tests did not run")
    whole = existing.cli("decide", "--environment", "staging", "a.jsonl", "b.jsonl")
    assert whole.status == 0, whole.output


def test_select_of_an_exclusive_gate_is_left_out_of_a_bare_run(existing: GateProject) -> None:
    select(existing, "tests/load/**", more="exclusive = true\n")
    shown = existing.run(mark=None)
    assert "8 deselected" in shown.output


# -- nothing is lost ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says", "workers"),
    [
        ("new test", "ran but is not expected", 0),
        ("new file", "ran but is not expected", 0),
        ("new file", "ran but is not expected", 2),
        ("deleted", "1 expected test did not run", 0),
        ("moved", "8 expected tests did not run", 0),
        ("narrowed", "7 expected tests did not run", 0),
        ("narrowed", "7 expected tests did not run", 2),
        ("skipped", "skipped: later", 0),
        ("of no gate any more", "8 expected tests did not run", 0),
    ],
)
def test_no_promote(existing: GateProject, change: str, says: str, workers: int) -> None:
    existing.expect(IDS)
    if change == "new test":
        existing.write("tests/load/test_orders.py", ORDERS + "\ndef test_new(): pass\n")
    elif change == "new file":
        existing.write("tests/load/deep/test_new.py", "def test_new(): pass\n")
    elif change == "deleted":
        existing.write("tests/load/test_orders.py", ORDERS.replace("test_plain", "helper"))
    elif change == "moved":
        os.renames(existing.root / "tests/load", existing.root / "tests/laod")
        select(existing, "tests/**/test_other.py::test_*")
        existing.write("tests/test_other.py", "def test_other(): pass\n")
    elif change == "narrowed":
        select(existing, "tests/load/test_orders.py::test_plain")
    elif change == "of no gate any more":
        select(existing, "tests/test_other.py")
        existing.write("tests/test_other.py", "def test_other(): pass\n")
    else:
        existing.write(
            "tests/load/test_orders.py",
            ORDERS.replace("def test_plain", "@pytest.mark.skip(reason='later')\ndef test_plain"),
        )
    result = existing.run(workers=workers)
    assert not result.promotes, result.output
    assert says in result.sentences, result.sentences


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    "hook",
    [
        "@pytest.hookimpl(tryfirst=True)\ndef pytest_collection_modifyitems(items): items[:] = items[:1]",
        "@pytest.hookimpl(wrapper=True, tryfirst=True)\ndef pytest_collection_modifyitems(items):\n    items[:] = items[:1]\n    return (yield)",
        "def pytest_itemcollected(item): item._nodeid = item._id = item.nodeid.replace('load', 'lost')",
        "def pytest_collection_modifyitems(items):\n    for item in items: item.own_markers.clear()",
    ],
    ids=["early", "wrapper", "renamed", "marks cleared"],
)
def test_hooks_that_lose_tests_hold(existing: GateProject, hook: str, workers: int) -> None:
    existing.expect(IDS)
    existing.write("conftest.py", f"import pytest\n{hook}\n")
    result = existing.run(workers=workers)
    assert not result.promotes, result.output


@pytest.mark.parametrize("workers", [0, 2])
def test_a_pattern_without_a_test(existing: GateProject, workers: int) -> None:
    existing.expect(IDS)
    select(existing, "tests/load/**", "tests/laod/**", "tests/load/test_orders.py::test_many")
    says = ('"tests/laod/**" in `select`', 'Did you mean "tests/load/test_orders.py::test_many[*"?')
    refused(existing.run(workers=workers), "[selects-nothing]", *says)
    assert existing.verdict_file()["verdict"] == "HOLD"
    for words in (["check"], ["expect"], ["expect", "--check"]):
        done = existing.cli(*words)
        assert done.status == 2
        assert "[selects-nothing]" in done.output
        assert all(text in done.output for text in says)
    assert expected(existing) == IDS


def test_a_folder_is_no_pattern_of_its_files(existing: GateProject) -> None:
    select(existing, "tests/load")
    assert 'Did you mean "tests/load/**"?' in existing.cli("check").output


def test_a_part_of_the_tests_says_nothing_about_patterns(existing: GateProject) -> None:
    select(existing, "tests/load/**", "tests/test_other.py")
    existing.expect()
    result = existing.run("tests/load")
    assert "selects-nothing" not in result.output
    assert "1 expected test did not run" in result.sentences
    select(existing, "tests/load/**", "tests/load/none.py")
    refused(existing.run("tests/load"), "[selects-nothing]")


def test_a_bare_pytest_does_not_mind(existing: GateProject) -> None:
    select(existing, "tests/laod/**")
    assert "selects-nothing" not in existing.run(mark=None).output


def test_a_selection_in_addopts_does_not_hide_tests(existing: GateProject) -> None:
    """`-m gate_staging` replaces the `-m` of addopts, so these tests run, and have to be expected."""
    existing.write("pytest.ini", "[pytest]\naddopts = -m 'not slow'\nmarkers = slow\n")
    existing.write(
        "tests/load/test_orders.py",
        ORDERS.replace("def test_plain", "@pytest.mark.slow\ndef test_plain"),
    )
    existing.expect()
    assert expected(existing) == IDS
    assert existing.run().status == 0


def test_check_says_so_when_all_is_well(existing: GateProject) -> None:
    existing.expect(IDS)
    checked = existing.cli("check")
    assert (checked.status, "no mistakes" in checked.output) == (0, True)
    assert "selects tests/load/**" in existing.cli("list").output


# -- nothing is in two gates --------------------------------------------------------------------------

SECOND = '[gate.api]\nowner = "me"\nselect = ["tests/**/test_orders.py::*book*", "tests/**::*plain"]\n'


@pytest.mark.parametrize("workers", [0, 2])
def test_two_gates_select_one_test(existing: GateProject, workers: int) -> None:
    existing.expect(IDS)
    select(existing, "tests/load/**", more=SECOND.replace("*book*", "test_many*"))
    says = (
        "tests/load/test_orders.py::test_plain: gate 'smoke' selects it (\"tests/load/**\"), "
        "gate 'api' selects it (\"tests/**::*plain\"). A test belongs to one gate: narrow one `select`."
    )
    result = existing.run(workers=workers)
    refused(result, says, "[two-gates]")
    assert existing.verdict_file()["verdict"] == "HOLD"
    refused(existing.cli("run", "staging"), says)
    assert says in existing.cli("check").output
    assert says in existing.cli("expect").output


def test_marked_for_one_gate_and_selected_by_another(existing: GateProject) -> None:
    select(existing, "tests/load/**", more='[gate.api]\nowner = "me"\n')
    mark = "@pytest.mark.gate('api')\ndef test_plain"
    existing.write("tests/load/test_orders.py", ORDERS.replace("def test_plain", mark))
    existing.expect(IDS)
    says = "::test_plain: it bears the mark of gate 'api', gate 'smoke' selects it (\"tests/load/**\")."
    refused(existing.run(), says, "remove the mark. [two-gates]")


def test_two_gates_of_different_environments(existing: GateProject) -> None:
    existing.write("gates/environments.toml", 'schema = 1\npath = ["dev", "staging"]\n')
    existing.write(
        "gates/dev.toml", 'schema = 1\n[gate.unit]\nowner = "me"\nselect = ["tests/load/test_o*"]\n'
    )
    existing.expect(IDS)
    for mark in ("gate_staging", "gate_dev"):
        refused(existing.run(mark=mark), "gate 'unit' selects it", "[two-gates]")


def test_many_conflicts_are_counted(existing: GateProject) -> None:
    tests = "".join(f"def test_{number}(): pass\n" for number in range(200))
    existing.write("tests/load/test_orders.py", tests)
    select(existing, "tests/load/**", more='[gate.api]\nowner = "me"\nselect = ["tests/**"]\n')
    output = existing.run().output
    assert sum(line.startswith("ERROR: tests/load") for line in output.splitlines()) == 20
    assert "and 180 more mistakes" in output


def test_a_mark_of_an_entry_by_hand_is_still_refused(existing: GateProject) -> None:
    existing.write(
        "tests/load/test_orders.py",
        ORDERS.replace("def test_plain", "@pytest.mark.gate_staging\ndef test_plain"),
    )
    refused(existing.run(), "[mark-without-gate]")


def test_a_test_that_runs_twice_counts_as_its_worst(existing: GateProject) -> None:
    existing.write(
        "tests/load/test_orders.py",
        "import pathlib\ndef test_plain():\n    p = pathlib.Path('seen')\n    new = not p.exists()\n    p.touch()\n    assert not new, 'first time'\n",
    )
    existing.expect(IDS[-1:])
    file = "tests/load/test_orders.py"
    result = existing.run("--keep-duplicates", file, file)
    assert not result.promotes
    assert "first time" in result.sentences


# -- extends ------------------------------------------------------------------------------------------


def test_an_entry_overrides_what_it_inherits(existing: GateProject) -> None:
    """Each entry expects what it selects, out of one list of expected tests."""
    paths = 'schema = 1\npath = ["dev", "staging"]\n'
    local = "".join(f"[environment.{name}]\nlocal_may_promote = true\n" for name in ("dev", "staging"))
    existing.write("gates/environments.toml", paths + local)
    existing.write(
        "gates/dev.toml",
        'schema = 1\n[gate.smoke]\nowner = "me"\nselect = ["**::test_plain", "**::test_m*"]\n',
    )
    existing.write("gates/staging.toml", 'schema = 1\nextends = "dev"\n')
    existing.expect()
    assert existing.run().status == 0
    existing.write(
        "gates/staging.toml",
        'schema = 1\nextends = "dev"\n[gate.smoke]\nselect = ["**::test_plain", "**::Old::*"]\n',
    )
    existing.expect()
    assert expected(existing) == [IDS[0], *IDS[3:]]
    for mark, tests in (("gate_dev", IDS[3:]), ("gate_staging", [IDS[0], IDS[-1]])):
        shutil.rmtree(existing.root / ".gates/evidence")
        existing.candidate(mark)
        result = existing.run(mark=mark)
        assert result.status == 0, result.output
        assert ran(existing) == [(test, "smoke") for test in tests]
        assert result.verdict is not None
        assert existing.cli("replay", result.verdict.run).status == 0
    remark = '`select` has not "**::test_m*", which the parent\'s has'
    assert remark in existing.cli("check").output


def test_a_mark_that_an_override_contradicts(existing: GateProject) -> None:
    existing.write("gates/environments.toml", 'schema = 1\npath = ["dev", "staging"]\n')
    existing.write("gates/dev.toml", 'schema = 1\n[gate.smoke]\nowner = "me"\n')
    mark = "@pytest.mark.gate('smoke')\ndef test_plain"
    existing.write("tests/load/test_orders.py", ORDERS.replace("def test_plain", mark))
    existing.expect(IDS)
    for entry in ("gate_dev", "gate_staging"):
        result = existing.run(mark=entry)
        refused(
            result, "`select` leaves it out at the entry to dev. Remove the mark, or select it there too."
        )
