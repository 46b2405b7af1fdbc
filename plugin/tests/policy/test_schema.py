"""The schema for editors: it takes what ``check`` takes, and knows every key."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from release_gates.policy.schema import UNDESCRIBED, environment_schema, gate_keys, rule_keys
from release_gates.testing import GateProject

GATES = Path(__file__).resolve().parents[3] / "gates"
RULES = jsonschema_rs.validator_for(environment_schema())


def plain(value: Any) -> Any:
    """Return TOML as JSON has it: dates are texts there."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return str(value) if isinstance(value, date) else value


@pytest.mark.parametrize("name", ["dev", "staging", "production"])
def test_it_takes_the_bundled_policy(name: str) -> None:
    document = plain(tomllib.loads((GATES / f"{name}.toml").read_text(encoding="utf-8")))
    assert [error.message for error in RULES.iter_errors(document)] == []


@pytest.mark.parametrize(
    "text",
    [
        "gate.a.owner = 3",
        'gate.a.severity = "fatal"',
        "gate.a.limits.x = 500",
        'gate.a.limits.x = { limt = "<= 1 ms" }',
        'gate.a.sbom = { subject = "x", unknown = 1 }',
        'gates.a.owner = "me"',
        'gate."A b".owner = "me"',
    ],
)
def test_it_refuses_what_check_refuses(text: str) -> None:
    assert not RULES.is_valid(plain(tomllib.loads(f"schema = 1\n{text}")))
    assert RULES.is_valid(plain(tomllib.loads('schema = 1\ngate.a.owner = "me"')))


def test_every_key_is_described() -> None:
    assert [key for key, what in {**gate_keys(), **rule_keys()}.items() if what == UNDESCRIBED] == []


def test_the_command_prints_it(tmp_path: Path) -> None:
    printed = json.loads(GateProject(tmp_path).cli("check", "--schema").output)
    assert printed == json.loads(json.dumps(environment_schema()))
