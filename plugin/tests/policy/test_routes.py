"""Routes of the policy: what they ask for, and every mistake in one."""

from collections.abc import Mapping

import pytest

from release_gates.errors import PolicyError
from release_gates.model.gate import EnvironmentPolicy
from release_gates.policy.load import policy_from_snapshot
from release_gates.policy.mistake import PolicyMistakes
from release_gates.policy.routes import on_route

ANN, EVE = "Ann Lee <ann@example.org>", "Eve Ray <eve@example.org>"
GATES = """
schema = 1
[gate.smoke]
owner = "core"
[gate.rollback]
owner = "core"
[gate.load]
owner = "core"
[gate.notes]
owner = "core"
severity = "info"
[gate.watched]
owner = "core"
mode = "observe"
"""
ENTRY = f"""
schema = 1
path = ["dev"]
[environment.dev.approvals.role.risk]
persons = ["{EVE}"]
[[environment.dev.window]]
zone = "UTC"
days = ["Tue"]
"""
HOTFIX = '[environment.dev.route.hotfix]\ngates = ["smoke", "rollback"]\nfull_within = "24 h"\n'
EMERGENCY = f"""
[environment.dev.route.break-glass]
gates = ["smoke"]
full_within = "12 h"
[environment.dev.route.break-glass.approvals.role.on-call]
least = 2
persons = ["{ANN}", "{EVE}"]
"""


def snapshot(text: str) -> Mapping[str, str]:
    return {"environments.toml": ENTRY + text, "dev.toml": GATES, "/tool": "release-gates 1"}


def entry(text: str) -> EnvironmentPolicy:
    return policy_from_snapshot(snapshot(text)).environments[0]


def test_a_route_asks_for_its_gates_alone() -> None:
    hotfix = on_route(entry(HOTFIX), "hotfix")
    assert [gate.name for gate in hotfix.gates] == ["smoke", "rollback"]
    assert hotfix.left_out == ("load", "notes", "watched")
    assert hotfix.route_name == "hotfix"
    assert hotfix.route is not None
    assert hotfix.route.full_within_s == 86400


def test_a_route_keeps_what_else_holds() -> None:
    normal = entry(HOTFIX)
    hotfix = on_route(normal, "hotfix")
    assert (hotfix.approvals, hotfix.windows) == (normal.approvals, normal.windows)
    assert hotfix.windows


def test_an_emergency_has_its_own_persons_and_no_window() -> None:
    emergency = on_route(entry(EMERGENCY), "break-glass")
    assert [role.name for role in emergency.approvals] == ["on-call"]
    assert not emergency.windows


def test_normal_asks_for_everything() -> None:
    normal = entry(HOTFIX)
    assert on_route(normal, "normal") == normal
    assert (normal.route_name, normal.left_out) == ("normal", ())


def test_an_unknown_route_is_refused_with_the_nearest() -> None:
    with pytest.raises(PolicyError, match=r"has no route 'hotfx'\. Did you mean 'hotfix'\?"):
        on_route(entry(HOTFIX), "hotfx")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HOTFIX.replace("smoke", "smoek"), "has no gate 'smoek'. Did you mean 'smoke'?"),
        (HOTFIX.replace('["smoke", "rollback"]', "[]"), "must list what this route asks for"),
        (HOTFIX.replace('["smoke", "rollback"]', "[1]"), "must list what this route asks for"),
        (HOTFIX.replace('["smoke", "rollback"]', '["notes"]'), "none of these gates blocks"),
        (HOTFIX.replace('full_within = "24 h"', ""), "Say until when the normal route has to have passed"),
        (HOTFIX.replace("24 h", "24 x"), "24 x"),
        (HOTFIX.replace("hotfix", "normal"), "'normal' is no name of a route"),
        (HOTFIX + "any_tme = true", "unknown key 'any_tme'. Did you mean 'any_time'?"),
        (EMERGENCY.replace("least = 2", "least = 1"), "an emergency asks 2 at least"),
        (EMERGENCY[: EMERGENCY.index("[environment.dev.route.break-glass.app")], "an emergency asks 2"),
        (EMERGENCY.replace('"12 h"', '"12 h"\nany_time = false'), "is always true in an emergency"),
        (EMERGENCY.replace('["smoke"]', '["smoke", "notes"]'), "may leave out, and 'notes' holds nothing"),
        (
            EMERGENCY.replace('["smoke"]', '["smoke", "watched"]'),
            "may leave out, and 'watched' holds nothing",
        ),
    ],
)
def test_each_mistake_is_said(text: str, said: str) -> None:
    with pytest.raises(PolicyMistakes) as refused:
        entry(text)
    assert said in str(refused.value)
