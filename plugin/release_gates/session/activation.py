"""Switching the gates on: policy, environment, candidate, ledger; then one plugin object for each duty."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import msgspec
import pytest

from release_gates import TOOL
from release_gates.candidate.file import read_candidate
from release_gates.errors import GateError, PolicyError
from release_gates.model.gate import EnvironmentPolicy, Policy
from release_gates.model.route import NORMAL
from release_gates.policy.load import policy_from_snapshot
from release_gates.policy.routes import on_route
from release_gates.policy.snapshot import in_full, read_snapshot, snapshot_digest
from release_gates.session.briefing import BRIEFING, Briefing
from release_gates.session.departures import Telling
from release_gates.session.ending import NOT_PROVEN
from release_gates.session.exclusive import register_exclusive
from release_gates.session.expression import PREFIX, deciding_environments
from release_gates.session.judging import Judging
from release_gates.session.marks import LEFT_OUT, LEFT_OUT_KEY, REFUSED, Marks
from release_gates.session.selecting import takes_everything
from release_gates.session.settings import path_setting, policy_folder, setting
from release_gates.session.terminal import Showing
from release_gates.session.timings import FIXTURE, Timings
from release_gates.session.turns import Turns


def activate(config: pytest.Config) -> None:
    """Register what this process needs: an xdist worker judges, the controller decides as well."""
    if hasattr(config, "workerinput"):
        briefing = Briefing.from_text(config.workerinput["release_gates"])
        _register(config, briefing)
        config.pluginmanager.register(Telling(), "release_gates_telling")
        return
    try:
        _activate_controller(config)
    except GateError as error:
        if not _asks_for_help(config):
            raise pytest.UsageError(str(error)) from error


def _activate_controller(config: pytest.Config) -> None:
    folder = policy_folder(config)
    snapshot = read_snapshot(folder, tool=TOOL)
    policy = policy_from_snapshot(snapshot, folder=folder.name)
    environment = _environment(config, policy)
    briefing = Briefing(
        policy=policy,
        environment=environment.name if environment else "",
        route=environment.route_name if environment else NORMAL,
        candidate=None,
        live=None,
        root=str(config.rootpath),
        everything=takes_everything(config),
    )
    if environment is None or _asks_for_help(config):
        _register(config, _with_candidate_if_any(config, briefing))
        config.pluginmanager.register(Showing(), "release_gates_showing")
    elif config.option.collectonly:
        _register(config, briefing)
        config.pluginmanager.register(CollectedOnly(environment.name), "release_gates_collected_only")
    else:
        from release_gates.session.beginning import begin  # ledger, judge and store: only where one decides

        full = in_full(snapshot, folder, config.rootpath)
        policy = msgspec.structs.replace(policy, digest=snapshot_digest(full))
        briefing = msgspec.structs.replace(briefing, policy=policy)
        _register(config, begin(config, briefing, environment, full))


def _register(config: pytest.Config, briefing: Briefing) -> None:
    config.stash[BRIEFING] = briefing
    for environment in briefing.policy.environments:
        config.addinivalue_line(
            "markers", f"{PREFIX}{environment.name}: set by policy: guards the entry to {environment.name}"
        )
    config.pluginmanager.register(Marks(briefing), "release_gates_marks")
    config.pluginmanager.register(Judging(briefing), "release_gates_judging")
    config.pluginmanager.register(Sending(briefing), "release_gates_sending")
    if config.pluginmanager.hasplugin("allure_pytest"):
        from release_gates.session.allure import register_allure

        register_allure(config, briefing)
    config.pluginmanager.register(Turns(config, briefing), "release_gates_turns")
    register_exclusive(config, briefing)
    if config.pluginmanager.hasplugin(FIXTURE):
        config.pluginmanager.register(Timings(), "release_gates_timings")


class Sending:
    """Hands the briefing to each xdist worker, and hears why one refuses its tests."""

    def __init__(self, briefing: Briefing) -> None:
        self._text = briefing.to_text()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Add the briefing to what a worker is started with."""
        node.workerinput["release_gates"] = self._text

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """End the session where a worker refused its tests, with the worker's sentences."""
        output = getattr(node, "workeroutput", None) or {}
        if LEFT_OUT_KEY in output:
            node.config.stash[LEFT_OUT] = output[LEFT_OUT_KEY]
        refused = output.get(REFUSED)
        if refused:
            raise pytest.UsageError(*refused)


class CollectedOnly:
    """``--collect-only`` runs no test, so it cannot end like a PROMOTE."""

    def __init__(self, environment: str) -> None:
        self._environment = environment

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Turn a 0 into the status of HOLD (not proven)."""
        result = yield
        if int(session.exitstatus) == 0:
            session.exitstatus = NOT_PROVEN
        return result

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say why."""
        terminalreporter.write_line(
            f"Nothing was decided about the entry to {self._environment}: --collect-only runs no test."
        )


def _environment(config: pytest.Config, policy: Policy) -> EnvironmentPolicy | None:
    names = [environment.name for environment in policy.environments]
    expression = str(config.option.markexpr or "")
    decided = deciding_environments(expression, names)
    if len(decided) > 1:
        raise PolicyError(
            f'-m "{expression}" asks about {" and ".join(decided)}: one run decides one entry.',
            slug="two-environments",
            hint="Run pytest once for each.",
        )
    environment = policy.environment(decided[0]) if decided else None
    route, _ = setting(config, "route")
    return on_route(environment, NORMAL if route is None else route) if environment else None


def _with_candidate_if_any(config: pytest.Config, briefing: Briefing) -> Briefing:
    file = path_setting(config, "candidate", "candidate.toml")
    if not file.is_file():
        return briefing
    return msgspec.structs.replace(briefing, candidate=read_candidate(file), candidate_root=str(file.parent))


def _asks_for_help(config: pytest.Config) -> bool:
    option = config.option
    return bool(option.help or option.version or getattr(option, "markers", False))
