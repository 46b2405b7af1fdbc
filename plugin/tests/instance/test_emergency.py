"""The instance's emergency asks for its core and for made-up persons; the normal route asks for nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from release_gates import TOOL
from release_gates.model.gate import EnvironmentPolicy
from release_gates.model.outcome import Mode, Severity
from release_gates.model.route import BREAK_GLASS
from release_gates.policy.load import load_policy
from release_gates.policy.routes import on_route

GATES = Path(__file__).resolve().parents[3] / "gates"


@pytest.fixture(scope="module")
def entries() -> dict[str, EnvironmentPolicy]:
    return {each.name: each for each in load_policy(GATES, tool=TOOL).environments}


@pytest.mark.parametrize("name", ["staging", "production"])
def test_the_core_is_what_starts_and_what_leads_back(
    entries: dict[str, EnvironmentPolicy], name: str
) -> None:
    entry = on_route(entries[name], BREAK_GLASS)
    assert [gate.name for gate in entry.gates] == ["smoke", "rollback"]
    assert {(gate.severity, gate.mode, gate.exclusive) for gate in entry.gates} == {
        (Severity.BLOCKING, Mode.ENFORCE, False)
    }
    assert set(entry.left_out) == {gate.name for gate in entries[name].gates} - {"smoke", "rollback"}


@pytest.mark.parametrize("name", ["staging", "production"])
def test_two_made_up_persons_answer_for_it_and_nobody_for_the_normal_route(
    entries: dict[str, EnvironmentPolicy], name: str
) -> None:
    roles = on_route(entries[name], BREAK_GLASS).approvals
    assert sum(role.least for role in roles) == 2
    persons = [person for role in roles for person in role.persons]
    assert len(persons) > 2
    assert all(person.endswith("@example.org>") for person in persons)
    assert entries[name].approvals == ()
