"""``mode`` and ``observe_until`` in policy: what they mean, what is a mistake, and that nobody inherits them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from release_gates.errors import PolicyError
from release_gates.model.gate import Policy
from release_gates.model.outcome import Mode, Severity
from release_gates.policy.load import load_policy
from release_gates.policy.review import review

PATH = 'schema = 1\npath = ["staging", "production"]\n'
GATES = '[gate.smoke]\nowner = "me"\n[gate.load]\nowner = "me"\n'
CHILD = 'schema = 1\nextends = "staging"\n'


def policy(folder: Path, *, load: str = "", environment: str = "", child: str = CHILD) -> Policy:
    (folder / "environments.toml").write_text(f"{PATH}[environment.staging]\n{environment}\n")
    (folder / "staging.toml").write_text(f"schema = 1\n{GATES}{load}\n")
    (folder / "production.toml").write_text(child)
    return load_policy(folder, tool="test 1")


def mistakes(folder: Path, **files: str) -> str:
    with pytest.raises(PolicyError) as found:
        policy(folder, **files)
    return str(found.value)


def test_enforce_is_the_default(tmp_path: Path) -> None:
    for environment in policy(tmp_path).environments:
        assert environment.mode is Mode.ENFORCE
        assert all(gate.mode is Mode.ENFORCE for gate in environment.gates)


def test_nobody_inherits_a_mode(tmp_path: Path) -> None:
    child = CHILD + '[gate.load]\nvalid_for = "1 h"\n'
    staging, production = policy(
        tmp_path,
        load='mode = "observe"\nobserve_until = 2026-12-05\nseverity = "blocking"',
        environment='mode = "observe"\nobserve_until = 2026-12-24',
        child=child,
    ).environments
    gate = staging.gate("load")
    assert gate is not None
    assert (gate.mode, gate.observe_until) == (Mode.OBSERVE, date(2026, 12, 5))
    assert (staging.mode, staging.observe_until) == (Mode.OBSERVE, date(2026, 12, 24))
    assert (production.mode, production.observe_until) == (Mode.ENFORCE, None)
    for gate in production.gates:
        assert (gate.mode, gate.observe_until) == (Mode.ENFORCE, None)


def test_a_gate_that_the_child_does_not_mention_is_enforced_there(tmp_path: Path) -> None:
    production = policy(tmp_path, load='mode = "observe"').environments[1]
    gate = production.gate("load")
    assert gate is not None
    assert gate.mode is Mode.ENFORCE


def test_severity_is_inherited_and_mode_is_not(tmp_path: Path) -> None:
    production = policy(tmp_path, load='severity = "advisory"').environments[1]
    gate = production.gate("load")
    assert gate is not None
    assert gate.severity is Severity.ADVISORY


def test_the_mode_is_part_of_the_rules(tmp_path: Path) -> None:
    enforced = policy(tmp_path).digest
    gate = policy(tmp_path, load='mode = "observe"').digest
    until = policy(tmp_path, load='mode = "observe"\nobserve_until = 2026-12-05').digest
    whole = policy(tmp_path, environment='mode = "observe"').digest
    assert len({enforced, gate, until, whole}) == 4


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (
            {"load": 'mode = "obsreve"'},
            "must be one of enforce, observe. Did you mean 'observe'? [unknown-word]",
        ),
        (
            {"environment": 'mode = "off"'},
            'environment.staging.mode = "off": must be one of enforce, observe.',
        ),
        ({"load": "mode = true"}, "must be one of"),
        ({"load": 'mod = "observe"'}, "Did you mean 'mode'?"),
        ({"environment": 'modee = "observe"'}, "Did you mean 'mode'?"),
        ({"load": 'mode = "observe"\nobserve_until = "2026-12-05"'}, "without quotes: 2026-12-05"),
        ({"load": 'mode = "observe"\nobserve_until = 2026-12-05T10:00:00Z'}, "a date without a time"),
        ({"load": "observe_until = 2026-12-05"}, "[observe-until]"),
        ({"load": 'mode = "enforce"\nobserve_until = 2026-12-05'}, "[observe-until]"),
        ({"environment": "observe_until = 2026-12-05"}, "[observe-until]"),
        (
            {"load": 'mode = "observe"', "child": CHILD + "[gate.load]\nobserve_until = 2026-12-05\n"},
            "[observe-until]",
        ),
        ({"load": 'mode = "observe"\n[gate.smoke.limits]\n"a" = "<= 5 mss"'}, "unknown unit"),
    ],
)
def test_mistakes(tmp_path: Path, files: dict[str, str], says: str) -> None:
    assert says in mistakes(tmp_path, **files)


ALL = 'mode = "observe"\n[gate.third]\nowner = "me"\nmode = "observe"\n'


def test_an_enforced_entry_of_observed_gates_only_is_a_mistake(tmp_path: Path) -> None:
    only = 'schema = 1\n[gate.a]\nowner = "me"\nmode = "observe"\n[gate.b]\nowner = "me"\nseverity = "info"\n'
    found = mistakes(tmp_path, child=only)
    assert "every gate here that blocks is only observed" in found
    assert "[environment.production] of environments.toml" in found
    path = f'{PATH}[environment.production]\nmode = "observe"\n'
    (tmp_path / "environments.toml").write_text(path)
    assert load_policy(tmp_path, tool="test 1").environments[1].mode is Mode.OBSERVE


def test_check_reminds_of_everything_that_is_only_observed(tmp_path: Path) -> None:
    remarks = [
        str(each)
        for each in review(
            policy(
                tmp_path,
                load='mode = "observe"\n[gate.shown]\nowner = "me"\nseverity = "info"\nmode = "observe"',
                environment='mode = "observe"\nobserve_until = 2026-12-24',
            )
        )
        if "observe" in str(each)
    ]
    assert remarks == [
        "staging: only observed until the end of 2026-12-24 (UTC): nothing is held",
        "staging, gate load: only observed, and no observe_until ends it: it holds nothing",
        'staging, gate shown: mode = "observe" changes nothing: a gate that is info holds nothing anyway',
    ]
