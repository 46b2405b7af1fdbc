"""Unit tests in an artifact of the candidate: each test case counts, and one that is lost."""

from __future__ import annotations

import pytest

from release_gates.errors import MeasurementError
from release_gates.probes.junit.gate_junit import GateJunit
from release_gates.probes.junit.settings import JunitSettings

CASE = '<testcase classname="S" name="{}">{}</testcase>'


class Fake:
    """A gate and its candidate, with one report."""

    name, commit = "quality", "0123abc"

    def __init__(self, folder, *cases):
        self.candidate, self.measured, self.file = self, {}, folder / "report.xml"
        self.file.write_text(f'<testsuite name="S">{"".join(cases)}</testsuite>')

    def artifact(self, name):
        return self.file

    def settings(self, kind):
        return JunitSettings()

    def attach(self, name, path):
        pass

    def measure(self, name, value, unit, *, samples=None):
        self.measured[name] = (value, samples)


def measured(gate, expected):
    GateJunit(gate).measure(
        "report.xml", name="unit", expected=expected, key=lambda test: test.split("::")[-1]
    )


def test_all_that_is_expected_ran_and_passed(tmp_path):
    gate = Fake(tmp_path, CASE.format("a", ""), CASE.format("b", ""))
    measured(gate, {"a", "b"})
    assert gate.measured == {"unit.failed": (0, 2), "unit.not_run": (0, 2)}


@pytest.mark.parametrize("tag", ["failure", "error"])
def test_a_failed_test_fails_by_name(tmp_path, tag):
    gate = Fake(tmp_path, CASE.format("a", f'<{tag} message="9 is not 8"/>'))
    with pytest.raises(AssertionError, match=r"1 unit test failed: S::S::a \(.*9 is not 8\)"):
        measured(gate, {"a"})
    assert gate.measured["unit.failed"] == (1, 1)


@pytest.mark.parametrize("rest", ["", CASE.format("b", "<skipped/>")])
def test_a_test_that_did_not_run_is_no_pass(tmp_path, rest):
    gate = Fake(tmp_path, CASE.format("a", ""), rest)
    with pytest.raises(MeasurementError, match="1 unit test did not run: b"):
        measured(gate, {"a", "b"})
    assert gate.measured["unit.not_run"][0] == 1


def test_no_expected_test_is_no_pass(tmp_path):
    gate = Fake(tmp_path, CASE.format("a", ""))
    with pytest.raises(MeasurementError, match="no test is expected of it"):
        measured(gate, ())
    assert not gate.measured


def test_no_test_case_is_no_pass(tmp_path):
    with pytest.raises(MeasurementError, match="holds no test case"):
        measured(Fake(tmp_path), set())
