"""Beginning a run that decides: candidate, ledger, and the plugin objects that only such a run needs."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import msgspec
import pytest

from release_gates.candidate.file import read_candidate
from release_gates.errors import GateError
from release_gates.ledger.durations import durations
from release_gates.ledger.opening import open_ledger
from release_gates.ledger.owed import compared_with
from release_gates.model.gate import EnvironmentPolicy
from release_gates.policy.selection import expected_in
from release_gates.session.briefing import Briefing
from release_gates.session.deciding import Deciding
from release_gates.session.departures import Departures
from release_gates.session.progress import Progress
from release_gates.session.run import RUN_VARIABLE, Run, new_run_id
from release_gates.session.settings import foreign_policy, path_setting, policy_folder, setting
from release_gates.session.terminal import VerdictBlock
from release_gates.session.verdict_file import write_hold


def begin(
    config: pytest.Config, briefing: Briefing, environment: EnvironmentPolicy, snapshot: dict[str, str]
) -> Briefing:
    """Register what decides, and return the briefing with the candidate and what is live."""
    try:
        deciding, briefing, progress = _deciding(config, briefing, environment, snapshot)
    except GateError as error:
        if not config.option.gate_part:  # a part decides nothing
            because = f"the run could not start: {error}"
            write_hold(briefing.state, environment.name, because, at=datetime.now(UTC))
        raise
    config.pluginmanager.register(deciding, "release_gates_deciding")
    config.pluginmanager.register(deciding.recording, "release_gates_recording")
    config.pluginmanager.register(deciding.departures, "release_gates_departures")
    config.pluginmanager.register(VerdictBlock(), "release_gates_verdict_block")
    if config.get_verbosity() >= 0:
        config.pluginmanager.register(progress, "release_gates_progress")
    return briefing


def _deciding(
    config: pytest.Config, briefing: Briefing, environment: EnvironmentPolicy, snapshot: dict[str, str]
) -> tuple[Deciding, Briefing, Progress]:
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
        policy_dir=policy_folder(config),
        elsewhere=foreign_policy(config),
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
        departures=Departures(config, snapshot),
        joined=joined is not None,
        part=config.option.gate_part,
    )
    events = tuple(ledger.events())
    live = compared_with(events, environment.name, candidate.digest)
    asked = {gate.name for gate in environment.gates}
    expected = {
        gate: tests for gate, tests in expected_in(briefing.policy, environment).items() if gate in asked
    }
    usual = durations(events, environment.name, config.rootpath)
    full = msgspec.structs.replace(briefing, candidate=candidate, live=live, candidate_root=str(file.parent))
    entry = f"{environment.name} on route {environment.route.name}" if environment.route else environment.name
    return deciding, full, Progress(config, entry, expected, usual)
