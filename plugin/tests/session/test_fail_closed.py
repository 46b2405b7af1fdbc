"""Nothing but a complete, normal, green run promotes. Each row is a real pytest run, and each says why.

A row starts from the project in ``conftest.py``, which promotes as it stands. It changes files, calls pytest
with arguments, and names a pattern that has to stand in what people read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest

from release_gates.testing import GateProject, GateResult

SPEED = "suites/test_smoke.py::test_speed"
BOOK = "suites/test_smoke.py::test_book"
HEAD = 'import pytest\npytestmark = pytest.mark.gate("smoke")\n'


@dataclass(frozen=True, kw_only=True)
class Row:
    """One way to miss, bend or break a run."""

    id: str
    says: str
    files: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    expect: tuple[str, ...] | None = None
    xdist: str = ""
    """Why it is run by two workers too; "" where they would only run the same code twice."""
    needs: str = ""
    """The plugin whose option it takes: without it pytest refuses the option, and nothing is measured."""


def smoke(
    speed: str = 'gate.measure("order.time", 3, "ms")', book: str = "pass", head: str = ""
) -> dict[str, str]:
    """Return the suite with other bodies."""
    text = f"{HEAD}{head}\ndef test_speed(gate):\n    {speed}\n\ndef test_book(request):\n    {book}\n"
    return {"suites/test_smoke.py": text}


def conftest(text: str) -> dict[str, str]:
    return {"conftest.py": f"import os, sys, pytest\n{text}\n"}


# What differs under xdist.
COLLECTED = "workers collect, and the controller has to know what is missing"
REPORTED = "what the test did travels from a worker in its reports"
ENDED = "the end of a worker, or of the session, reaches the controller as something else"
COUNTED = "the exit status is made of what the controller counts"

MISSING_ONE = "1 expected test did not run|MISSING"
ROWS = [
    # -- tests that are not there -------------------------------------------------------------------
    Row(
        id="test deleted",
        files={
            "suites/test_smoke.py": f'{HEAD}\ndef test_speed(gate): gate.measure("order.time", 3, "ms")\n'
        },
        says=MISSING_ONE,
    ),
    Row(
        id="test renamed",
        xdist=COLLECTED,
        files={
            "suites/test_smoke.py": f'{HEAD}\ndef test_speed(gate): gate.measure("order.time", 3, "ms")\ndef test_book2(): pass\n'
        },
        says="ran but is not expected|did not run",
    ),
    Row(id="file deleted", files={"suites/test_smoke.py": ""}, says="2 expected tests did not run"),
    Row(
        id="test added",
        files={"suites/test_more.py": f"{HEAD}\ndef test_new(): pass\n"},
        says="ran but is not expected",
    ),
    Row(
        id="gate mark lost",
        xdist=COLLECTED,
        files=smoke(head="del pytestmark"),
        says="belongs to no gate|did not run",
    ),
    Row(id="-k", xdist=COLLECTED, arguments=("-k", "speed"), says=MISSING_ONE),
    Row(id="path", arguments=(SPEED,), says=MISSING_ONE),
    Row(id="--deselect", arguments=(f"--deselect={BOOK}",), says=MISSING_ONE),
    Row(id="--ignore", arguments=("--ignore=suites/test_smoke.py",), says="2 expected tests did not run"),
    Row(
        id="part of the mark",
        files=smoke(head="").copy(),
        arguments=("-k", "nothing_at_all"),
        says="2 expected tests did not run",
    ),
    Row(
        id="early hook removes",
        files=conftest(
            "@pytest.hookimpl(tryfirst=True)\ndef pytest_collection_modifyitems(items): items[:] = items[:1]"
        ),
        says=MISSING_ONE,
    ),
    Row(
        id="late hook removes",
        xdist=COLLECTED,
        files=conftest(
            "@pytest.hookimpl(trylast=True)\ndef pytest_collection_modifyitems(items): items[:] = items[:1]"
        ),
        says=MISSING_ONE,
    ),
    Row(
        id="wrapper removes",
        xdist=COLLECTED,
        files=conftest(
            "@pytest.hookimpl(wrapper=True, tryfirst=True)\ndef pytest_collection_modifyitems(items):\n    yield\n    items[:] = items[:1]"
        ),
        says=MISSING_ONE,
    ),
    Row(
        id="finish hook removes",
        xdist=COLLECTED,
        files=conftest("def pytest_collection_finish(session): session.items[:] = session.items[:1]"),
        says="expected tests? did not run",
    ),
    Row(
        id="test plan deselects",
        xdist=COLLECTED,
        files=conftest(
            "def pytest_collection_modifyitems(config, items):\n    config.hook.pytest_deselected(items=items[1:])\n    items[:] = items[:1]"
        ),
        says=MISSING_ONE,
    ),
    Row(
        id="pytest_ignore_collect",
        files=conftest(
            "def pytest_ignore_collect(collection_path): return collection_path.name == 'test_smoke.py' or None"
        ),
        says="2 expected tests did not run",
    ),
    Row(
        id="empty parametrize",
        files={
            "suites/test_smoke.py": f'{HEAD}\ndef test_speed(gate): gate.measure("order.time", 3, "ms")\n@pytest.mark.parametrize("x", [])\ndef test_book(x): pass\n'
        },
        says="not expected|did not run|skipped",
    ),
    Row(id="expected absent", expect=(), says="names no test"),
    # -- tests that prove nothing -------------------------------------------------------------------
    Row(id="skip mark", files=smoke(head="@pytest.mark.skip(reason='later')"), says="skipped: later"),
    Row(
        id="skipif", files=smoke(head="@pytest.mark.skipif(True, reason='no disk')"), says="skipped: no disk"
    ),
    Row(id="skip in call", files=smoke(book="pytest.skip('not today')"), says="skipped: not today"),
    Row(
        id="skip in fixture",
        xdist=REPORTED,
        files=smoke(head="@pytest.fixture(autouse=True)\ndef lazy(): pytest.skip('lazy')\n"),
        says="skipped: lazy",
    ),
    Row(
        id="module skip",
        xdist=COLLECTED,
        files={"suites/test_smoke.py": "import pytest\npytest.skip('all of it', allow_module_level=True)\n"},
        says="2 expected tests did not run",
    ),
    Row(
        id="importorskip",
        files={"suites/test_smoke.py": "import pytest\npytest.importorskip('no_such_module')\n"},
        says="2 expected tests did not run",
    ),
    Row(
        id="importorskip in call",
        files=smoke(book="pytest.importorskip('no_such_module')"),
        says="skipped: could not import",
    ),
    Row(
        id="xfail mark",
        xdist=REPORTED,
        files=smoke(head="@pytest.mark.xfail(reason='known')", speed="assert False, 'bad'"),
        says="expected to fail",
    ),
    Row(
        id="xfail strict passes",
        xdist=REPORTED,
        files=smoke(head="@pytest.mark.xfail(strict=True)"),
        says="XPASS",
    ),
    Row(id="xpass", files=smoke(head="@pytest.mark.xfail(reason='known')"), says="expected to fail"),
    Row(id="pytest.xfail()", files=smoke(book="pytest.xfail('known')"), says="expected to fail"),
    Row(
        id="limit broken under xfail",
        xdist=REPORTED,
        files=smoke(head="@pytest.mark.xfail(reason='known')", speed='gate.measure("order.time", 9, "ms")'),
        says="order.time is 9 ms",
    ),
    Row(id="limit nobody measures", files=smoke(speed="pass"), says="nothing measured order.time"),
    # -- tests that fail ----------------------------------------------------------------------------
    Row(id="assert", xdist=REPORTED, files=smoke(book="assert 1 == 2, 'wrong'"), says="wrong"),
    Row(id="pytest.fail", files=smoke(book="pytest.fail('by hand')"), says="by hand"),
    Row(id="exception", files=smoke(book="raise RuntimeError('kaput')"), says="RuntimeError: kaput"),
    Row(
        id="limit broken",
        xdist=REPORTED,
        files=smoke(speed='gate.measure("order.time", 5.0001, "ms")'),
        says=r"order.time is 5\.0001 ms; the limit is <= 5 ms",
    ),
    Row(
        id="no such fixture",
        files=smoke(head="@pytest.mark.usefixtures('absent')"),
        says="setup failed: fixture 'absent' not found",
    ),
    Row(
        id="fixture error",
        xdist=REPORTED,
        files=smoke(head="@pytest.fixture(autouse=True)\ndef bad(): raise RuntimeError('no server')\n"),
        says="setup failed: .*no server",
    ),
    Row(
        id="teardown error",
        xdist=REPORTED,
        files=smoke(
            head="@pytest.fixture(autouse=True)\ndef bad():\n    yield\n    raise RuntimeError('left behind')\n"
        ),
        says="teardown failed: .*left behind",
    ),
    Row(
        id="collection error",
        xdist=COLLECTED,
        files={"suites/test_broken.py": "import no_such_module\n"},
        says="could not be collected",
    ),
    Row(
        id="collection error tolerated",
        xdist=COLLECTED,
        files={"suites/test_broken.py": "import no_such_module\n"},
        arguments=("--continue-on-collection-errors",),
        says="could not be collected",
    ),
    Row(
        id="rerun to green",
        needs="pytest_rerunfailures",
        xdist=REPORTED,
        files=smoke(
            book="import pathlib\n    p = pathlib.Path('seen')\n    first = not p.exists()\n    p.touch()\n    assert not first, 'first time'"
        ),
        arguments=("--reruns=2",),
        says="first time",
    ),
    Row(
        id="limit broken, rerun to green",
        needs="pytest_rerunfailures",
        xdist=REPORTED,
        files=smoke(
            speed="import pathlib\n    p = pathlib.Path('seen')\n    first = not p.exists()\n    p.touch()\n    gate.measure('order.time', 9 if first else 3, 'ms')"
        ),
        arguments=("--reruns=2",),
        says="order.time is 9 ms",
    ),
    Row(
        id="unittest fails",
        files={
            "suites/test_smoke.py": f"{HEAD}import unittest\nclass TestBook(unittest.TestCase):\n    def test_book(self): self.assertEqual(1, 2)\n"
        },
        expect=("suites/test_smoke.py::TestBook::test_book",),
        says="AssertionError|1 != 2",
    ),
    Row(
        id="unittest skips",
        files={
            "suites/test_smoke.py": f"{HEAD}import unittest\nclass TestBook(unittest.TestCase):\n    def test_book(self): self.skipTest('why not')\n"
        },
        expect=("suites/test_smoke.py::TestBook::test_book",),
        says="skipped: why not",
    ),
    Row(
        id="makereport flipped",
        xdist=REPORTED,
        files=smoke(book="assert False, 'hidden'")
        | conftest(
            "@pytest.hookimpl(hookwrapper=True, tryfirst=True)\ndef pytest_runtest_makereport(item, call):\n    out = yield\n    out.get_result().outcome = 'passed'"
        ),
        says="hidden",
    ),
    Row(
        id="properties removed",
        xdist=REPORTED,
        files=smoke(book="assert False, 'hidden'")
        | conftest(
            "@pytest.hookimpl(tryfirst=True)\ndef pytest_runtest_logreport(report): report.user_properties = []"
        ),
        says="hidden|nothing measured",
    ),
    Row(
        id="test without gate fails",
        xdist=COUNTED,
        files={
            "suites/test_other.py": "import pytest\n@pytest.mark.slow\ndef test_x(): assert False\n",
            "pytest.ini": "[pytest]\nmarkers = slow\ntestpaths = suites\n",
        },
        arguments=("-m", "gate_staging or slow"),
        says="belongs to no gate",
    ),
    # -- values that are none -----------------------------------------------------------------------
    *(
        Row(
            id=f"value {value}",
            files=smoke(speed=f'gate.measure("order.time", {value}, "ms")'),
            says=says,
        )
        for value, says in [
            ("float('nan')", "is finite"),
            ("float('inf')", "is finite"),
            ("None", "real number"),
            ("True", "real number"),
            ("'3'", "real number"),
            ("1j", "real number"),
        ]
    ),
    Row(id="wrong unit", files=smoke(speed='gate.measure("order.time", 3, "MiB")'), says="measured in 'MiB'"),
    Row(
        id="unknown unit",
        files=smoke(speed='gate.measure("order.time", 3, "mss")'),
        says="unknown unit 'mss'",
    ),
    Row(
        id="measured twice",
        files=smoke(speed='gate.measure("order.time", 3, "ms"); gate.measure("order.time", 3, "ms")'),
        says="measured twice",
    ),
    Row(
        id="measured late",
        xdist=REPORTED,
        files=smoke(
            head="@pytest.fixture\ndef late(gate):\n    yield\n    gate.measure('other', 1, 'ms')\n@pytest.mark.usefixtures('late')"
        ),
        says="after the test's call",
    ),
    Row(
        id="refusal swallowed",
        xdist=REPORTED,
        files=smoke(
            speed="gate.measure('order.time', 3, 'ms')\n    try: gate.measure('b', float('nan'), 'ms')\n    except Exception: pass"
        ),
        says="is finite",
    ),
    Row(
        id="missing by name",
        files=smoke(speed="gate.missing('order.time', 'the server was down')"),
        says="the server was down",
    ),
    # -- runs that do not simply end ----------------------------------------------------------------
    Row(
        id="-x",
        xdist=ENDED,
        files=smoke(speed="assert False, 'first'"),
        arguments=("-x",),
        says="first|stopp|did not run",
    ),
    Row(
        id="--maxfail",
        files=smoke(speed="assert False, 'first'"),
        arguments=("--maxfail=1",),
        says="first|stopp|did not run",
    ),
    Row(id="--setup-only", arguments=("--setup-only",), says="no report of its call"),
    Row(id="--setup-plan", arguments=("--setup-plan",), says="no report of its call"),
    Row(
        id="exit in a test",
        xdist=ENDED,
        files=smoke(book="pytest.exit('enough', returncode=0)"),
        says="ended pytest early: enough|interrupted|did not run|stopped early|has no report",
    ),
    Row(
        id="sys.exit in a test",
        xdist=ENDED,
        files=smoke(book="import sys; sys.exit(0)"),
        says="SystemExit|interrupted|did not run",
    ),
    Row(
        id="exit in sessionfinish",
        xdist=COUNTED,
        files=conftest(
            "def pytest_sessionfinish(session):\n    if not hasattr(session.config, 'workerinput'): pytest.exit('done', returncode=0)"
        ),
        says="a plugin ended the session",
    ),
    Row(
        id="keyboard interrupt",
        xdist=ENDED,
        files=smoke(book="raise KeyboardInterrupt"),
        says="interrupted|did not run|stopped early",
    ),
    Row(
        id="internal error",
        xdist=COUNTED,
        files=conftest("def pytest_runtest_logreport(report): raise RuntimeError('plugin bug')"),
        says="plugin bug",
    ),
    Row(
        id="exit status set",
        xdist=COUNTED,
        files=conftest("def pytest_sessionfinish(session): session.exitstatus = 7"),
        says="exit status 7",
    ),
    Row(
        id="shouldstop",
        xdist=ENDED,
        files=conftest(
            "def pytest_runtest_logfinish(nodeid): pass\ndef pytest_collection_finish(session): session.shouldstop = 'enough'"
        ),
        says="enough|did not run",
    ),
    Row(
        id="coverage plugin fails",
        needs="pytest_cov",
        xdist=COUNTED,
        files={
            "suites/test_smoke.py": smoke()["suites/test_smoke.py"],
            "app.py": "x = 1\nif x == 2:\n    y = 3\n    z = 4\n",
        },
        arguments=("--cov=app", "--cov-fail-under=99"),
        says="belongs to no gate|exit status",
    ),
]


def prepared(project: GateProject, row: Row) -> GateProject:
    for name, text in row.files.items():
        project.write(name, text)
    if row.expect is not None:
        project.expect(row.expect)
    return project


def check(result: GateResult, says: str) -> None:
    assert not result.promotes, result.output
    assert re.search(says, result.sentences), f"{result.sentences}\n---\n{result.output}"


CASES = [(row, workers) for row in ROWS for workers in ((0, 2) if row.xdist else (0,))]


@pytest.mark.parametrize(
    ("row", "workers"), CASES, ids=[f"{row.id}{' -n 2' if workers else ''}" for row, workers in CASES]
)
def test_no_promote(project: GateProject, row: Row, workers: int) -> None:
    if row.needs:
        pytest.importorskip(row.needs)
    result = prepared(project, row).run(*row.arguments, workers=workers, env=row.env)
    check(result, row.says)
    refused = project.cli("promote", "--to", "staging")
    assert refused.status == 2, refused.output
    assert re.search(r"\[[a-z-]+\]", refused.output)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_project_promotes_as_it_stands(project: GateProject, workers: int) -> None:
    result = project.run(workers=workers)
    assert (result.status, result.verdict_file["verdict"]) == (0, "PROMOTE"), result.output
    assert result.verdict is not None
    assert result.verdict.promotes
    assert project.cli("promote", "--to", "staging").status == 0
