"""Switching the gates on: policy, environment, candidate, ledger; then one plugin object for each duty."""

from __future__ import annotations

import os
from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from release_gates import TOOL
from release_gates.candidate.file import read_candidate
from release_gates.errors import GateError, PolicyError
from release_gates.ledger.history import live_in
from release_gates.ledger.opening import open_ledger
from release_gates.model.gate import EnvironmentPolicy, Policy
from release_gates.policy.load import policy_from_snapshot
from release_gates.policy.snapshot import read_snapshot
from release_gates.session.briefing import BRIEFING, Briefing
from release_gates.session.deciding import NOT_PROVEN, Deciding
from release_gates.session.expression import PREFIX, deciding_environments
from release_gates.session.judging import Judging
from release_gates.session.marks import Marks
from release_gates.session.run import Run, new_run_id
from release_gates.session.settings import path_setting, policy_folder, setting
from release_gates.session.terminal import Showing, VerdictBlock
from release_gates.session.verdict_file import write_hold

RUN_VARIABLE = "GATE_RUN"
"""Environment variable by which ``release-gates run`` hands its run over to the pytest that it started."""


def activate(config: pytest.Config) -> None:
    """Register what this process needs: an xdist worker judges, the controller decides as well."""
    if hasattr(config, "workerinput"):
        briefing = Briefing.from_text(config.workerinput["release_gates"])
        _register(config, briefing)
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
        candidate=None,
        live=None,
        root=str(config.rootpath),
    )
    if environment is None or _asks_for_help(config):
        _register(config, _with_candidate_if_any(config, briefing))
        config.pluginmanager.register(Showing(), "release_gates_showing")
    elif config.option.collectonly:
        _register(config, briefing)
        config.pluginmanager.register(CollectedOnly(environment.name), "release_gates_collected_only")
    else:
        _decide(config, briefing, environment, snapshot)


def _register(config: pytest.Config, briefing: Briefing) -> None:
    config.stash[BRIEFING] = briefing
    for environment in briefing.policy.environments:
        config.addinivalue_line(
            "markers", f"{PREFIX}{environment.name}: set by policy: guards the entry to {environment.name}"
        )
    config.pluginmanager.register(Marks(briefing), "release_gates_marks")
    config.pluginmanager.register(Judging(briefing), "release_gates_judging")
    config.pluginmanager.register(Sending(briefing), "release_gates_sending")


class Sending:
    """Hands the briefing to each xdist worker."""

    def __init__(self, briefing: Briefing) -> None:
        self._text = briefing.to_text()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Add the briefing to what a worker is started with."""
        node.workerinput["release_gates"] = self._text


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


def _decide(
    config: pytest.Config, briefing: Briefing, environment: EnvironmentPolicy, snapshot: dict[str, str]
) -> None:
    _refuse_exclusive_beside_others(config, environment)
    try:
        deciding, briefing = _deciding(config, briefing, environment, snapshot)
    except GateError as error:
        write_hold(
            briefing.state, environment.name, f"the run could not start: {error}", at=datetime.now(UTC)
        )
        raise
    _register(config, briefing)
    config.pluginmanager.register(deciding, "release_gates_deciding")
    config.pluginmanager.register(deciding.recording, "release_gates_recording")
    config.pluginmanager.register(VerdictBlock(), "release_gates_verdict_block")


def _deciding(
    config: pytest.Config, briefing: Briefing, environment: EnvironmentPolicy, snapshot: dict[str, str]
) -> tuple[Deciding, Briefing]:
    file = path_setting(config, "candidate", "candidate.toml")
    candidate = read_candidate(file)
    text, base = setting(config, "ledger")
    ledger = open_ledger(text, base=base, state=briefing.state)
    joined = os.environ.pop(RUN_VARIABLE, None)
    run = Run(
        policy=briefing.policy,
        snapshot=snapshot,
        environment=environment,
        candidate=candidate,
        ledger=ledger,
        root=config.rootpath,
        candidate_root=file.parent,
        run=joined or new_run_id(datetime.now(UTC)),
    )
    evidence = path_setting(config, "evidence", str(run.default_evidence()))
    if joined:
        run.check_begun(evidence)
    deciding = Deciding(
        config,
        briefing.policy,
        environment,
        run,
        evidence,
        joined=joined is not None,
        part=config.option.gate_part,
    )
    live = live_in(ledger.events(), environment.name)
    full = msgspec.structs.replace(briefing, candidate=candidate, live=live, candidate_root=str(file.parent))
    return deciding, full


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
    return policy.environment(decided[0]) if decided else None


def _refuse_exclusive_beside_others(config: pytest.Config, environment: EnvironmentPolicy) -> None:
    exclusive = [gate.name for gate in environment.gates if gate.exclusive]
    if exclusive and getattr(config.option, "tx", None):
        raise PolicyError(
            f"gate {', '.join(exclusive)} must be alone on its host and does not run beside others (-n).",
            slug="exclusive-under-xdist",
            hint="Run without -n, or in two parts: --gate-part -k, then `release-gates decide`.",
        )


def _with_candidate_if_any(config: pytest.Config, briefing: Briefing) -> Briefing:
    file = path_setting(config, "candidate", "candidate.toml")
    if not file.is_file():
        return briefing
    return msgspec.structs.replace(briefing, candidate=read_candidate(file), candidate_root=str(file.parent))


def _asks_for_help(config: pytest.Config) -> bool:
    option = config.option
    return bool(option.help or option.version or getattr(option, "markers", False))
