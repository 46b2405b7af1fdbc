"""Allure results of gate tests, where ``--alluredir`` and allure-pytest ask for them; nothing otherwise.

Each process that runs tests adds to Allure's own result of a test; the process that decides adds the verdict,
the tests that are missing, and what identifies the run. Allure itself decides nothing.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Sequence
from contextlib import suppress
from typing import Any

import pluggy
import pytest

from release_gates.errors import PolicyError
from release_gates.judge.waived import judge_waived
from release_gates.judge.waivers import Waiving
from release_gates.model.gate import GateSpec
from release_gates.model.verdict import LimitJudgement
from release_gates.report.allure import (
    CASE,
    LIMIT,
    Step,
    description,
    history_id,
    labels,
    status,
    steps,
    title,
)
from release_gates.session.briefing import Briefing
from release_gates.session.judging import waiving_of
from release_gates.session.marks import gate_of, refuse
from release_gates.session.outcomes import LimitBroken, attempts

PLAN = "ALLURE_TESTPLAN_PATH"
_allure_hook = pluggy.HookimplMarker("allure")


def register_allure(config: pytest.Config, briefing: Briefing) -> None:
    """Register what tells Allure of gates, if it is asked for; refuse a test plan, which drops gate tests."""
    if briefing.environment and os.environ.get(PLAN):
        raise PolicyError(
            f"{PLAN} = {os.environ[PLAN]}: a test plan silently leaves out tests of gates.",
            slug="allure-testplan",
            hint=f"Unset {PLAN} for a run that decides.",
        )
    if config.getoption("allure_report_dir") and not config.option.collectonly:
        config.pluginmanager.register(AllureTests(briefing), "release_gates_allure_tests")
        if briefing.environment and not hasattr(config, "workerinput"):
            from release_gates.session.allure_run import AllureRun

            config.pluginmanager.register(AllureRun(config, briefing), "release_gates_allure_run")


class AllureTests:
    """Adds to the result that allure-pytest makes of each gate test: labels, measurements, limits, remedy."""

    def __init__(self, briefing: Briefing) -> None:
        self._briefing = briefing
        self._listener = _Cases()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Refuse two cases of one id: Allure would take the failure of one for a retry of the other."""
        seen: set[str] = set()
        for item in items:
            if gate_of(item) is not None and item.nodeid in seen:
                refuse(
                    config,
                    [
                        f"{item.nodeid}: two cases have this id, and Allure would show only one of them. "
                        "Give each parameter an id of its own. [duplicate-case]"
                    ],
                )
            seen.add(item.nodeid)

    def pytest_configure(self) -> None:
        """Hear of each result before it is written."""
        import allure_commons

        allure_commons.plugin_manager.register(self._listener)

    def pytest_unconfigure(self) -> None:
        """Listen no longer."""
        import allure_commons

        allure_commons.plugin_manager.unregister(self._listener)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Say to which gate the test belongs before it can fail."""
        spec = self._spec(item)
        if spec is not None:
            allure = _allure()
            for name, value in labels(spec, self._briefing.environment):
                allure.dynamic.label(name, value)
            allure.dynamic.parameter(CASE, item.nodeid)
        return (yield)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Tell what the call measured, beside its limits."""
        report = yield
        spec = self._spec(item)
        if spec is not None and call.when == "call":
            self._tell(item, spec)
        return report

    def _tell(self, item: pytest.Item, spec: GateSpec) -> None:
        allure = _allure()
        tried = attempts(item.user_properties)
        measurements = tried[-1].measurements if tried else ()
        waiving = waiving_of(self._briefing, spec)
        judged = (
            ()
            if waiving is None
            else judge_waived(spec.limits, measurements, live=self._briefing.live, waiving=waiving)
        )
        told = steps(measurements, judged)
        for step in told:
            _step(step)
        allure.dynamic.title(title(item.name, told))
        doc = getattr(getattr(item, "function", None), "__doc__", None) or ""
        allure.dynamic.description(description(doc, spec, self._briefing.environment, told))
        for limit in judged:
            allure.dynamic.parameter(LIMIT + limit.name, limit.allowed, excluded=True)
        for ticket in _tickets(item.nodeid, judged, waiving) if tried and tried[-1].waived else ():
            allure.dynamic.link(ticket, link_type="issue", name=ticket)
        if measurements:
            from msgspec import json

            document = {"measurements": measurements, "judged": judged}
            body = json.format(json.encode(document), indent=2).decode()
            allure.attach(body, name="measurement.json", attachment_type=allure.attachment_type.JSON)

    def _spec(self, item: pytest.Item) -> GateSpec | None:
        return self._briefing.gate(gate_of(item) or "")


def _tickets(test: str, judged: Sequence[LimitJudgement], waiving: Waiving | None) -> Iterable[str]:
    """Return the tickets of the waivers by which a test is waived, each once."""
    of_limits = [limit.waived.ticket for limit in judged if limit.waived]
    named = waiving.named(test=test) if waiving else ()
    of_tests = [each.ticket for each in named if waiving and not waiving.void(each)]
    return dict.fromkeys([*of_limits, *of_tests])


def _allure() -> Any:
    """Return allure's library, which is loaded already; half of it has no types."""
    import allure

    return allure


class _Cases:
    """Ties the results of a case together by its id alone: other limits begin no other history."""

    @_allure_hook(tryfirst=True)
    def report_result(self, result: Any) -> None:
        """Name the case and its history before the result is written."""
        for parameter in getattr(result, "parameters", ()):
            if parameter.name == CASE or parameter.name.startswith(LIMIT):
                parameter.value = bare(parameter.value)
            if parameter.name == CASE:
                result.historyId = history_id(parameter.value)


def bare(value: str) -> str:
    """Return a text without the quotes that allure puts around it; what is in it is not escaped by them."""
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == "'" else value


def _step(step: Step) -> None:
    """Write a step that looks as its limit was judged: failed, broken or passed."""
    with suppress(LimitBroken, RuntimeError, pytest.skip.Exception), _allure().step(step.title):
        state = status(step.outcome)
        if state == "skipped":
            pytest.skip(f"{step.outcome}: {step.because}")  # how a step of Allure says that it is waived
        if state == "failed":
            raise LimitBroken(f"{step.outcome}: {step.because}", step.outcome)
        if state == "broken":
            raise RuntimeError(f"{step.outcome}: {step.because}")  # what is no failure is broken to Allure
