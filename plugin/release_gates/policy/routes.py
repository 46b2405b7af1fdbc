"""``[environment.NAME.route.ROUTE]``: ways in that ask for less than everything.

::

    [environment.production.route.hotfix]
    gates       = ["smoke", "rollback", "security"]   # the rest is left unproven, and said
    full_within = "24 h"      # until then the normal route has to have passed for the same digests
    any_time    = true        # windows, freezes and soak do not hold it; default: they do
    [environment.production.route.hotfix.approvals.role.risk]     # default: the approvals of the entry
    persons = ["Eve Ray <eve@example.org>"]

    [environment.production.route.break-glass]        # an emergency: two persons, and no waiver counts
    gates       = ["smoke", "rollback"]
    full_within = "12 h"
    [environment.production.route.break-glass.approvals.role.on-call]
    least   = 2
    persons = ["Ann Lee <ann@example.org>", "Eve Ray <eve@example.org>", "Dan Fox <dan@example.org>"]
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from release_gates.errors import PolicyError
from release_gates.model.gate import EnvironmentPolicy
from release_gates.model.outcome import Mode, Severity
from release_gates.model.route import BREAK_GLASS, NORMAL, Route
from release_gates.policy.approvals import read_approvals
from release_gates.policy.grammar import parse_duration_s
from release_gates.policy.mistake import At, Mistakes, suggestion
from release_gates.policy.snapshot import ENVIRONMENTS
from release_gates.policy.table import GATE_NAME, Table, is_name

KEYS = ("gates", "full_within", "any_time", "approvals")
LEAST_PERSONS = 2
"""So many have to answer for an emergency."""


def read_routes(environment: Table) -> tuple[Route, ...]:
    """Return the routes of an environment's table; every mistake is noted."""
    table = environment.table("route")
    if table is None:
        return ()
    return tuple(_route(name, each) for name, each in environment.tables("route"))


def check_routes(environment: EnvironmentPolicy, mistakes: Mistakes) -> None:
    """Note every gate of a route that its environment does not have, and a route on which nothing blocks.

    In an emergency each of its gates has to.
    """
    names = [gate.name for gate in environment.gates]
    for route in environment.routes:
        at = At(ENVIRONMENTS).key("environment", environment.name, "route", route.name, "gates")
        for name in route.gates:
            if name not in names:
                sentence = f"the entry to {environment.name} has no gate '{name}'.{suggestion(name, names)}"
                mistakes.add(at, sentence, "route", value=list(route.gates))
        asked = [gate for gate in environment.gates if gate.name in route.gates]
        if asked and not any(gate.severity is Severity.BLOCKING for gate in asked):
            mistakes.add(at, "none of these gates blocks, so any candidate would enter", "route")
        for gate in asked if route.name == BREAK_GLASS else ():
            if gate.severity is not Severity.BLOCKING or gate.mode is Mode.OBSERVE:
                sentence = f"an emergency asks for what nobody may leave out, and '{gate.name}' holds nothing"
                mistakes.add(at, sentence, "route", value=list(route.gates))


def on_route(environment: EnvironmentPolicy, name: str) -> EnvironmentPolicy:
    """Return what an entry asks for on one of its routes; ``PolicyError`` for one that it does not have."""
    if name == NORMAL:
        return environment
    known = [route.name for route in environment.routes]
    route = next((each for each in environment.routes if each.name == name), None)
    if route is None:
        near = suggestion(name, [NORMAL, *known])
        raise PolicyError(
            f"the entry to {environment.name} has no route '{name}'.{near}",
            slug="unknown-route",
            hint=f"gates/{ENVIRONMENTS}: [environment.{environment.name}.route.{name}].",
        )
    return structs.replace(
        environment,
        gates=tuple(gate for gate in environment.gates if gate.name in route.gates),
        left_out=tuple(gate.name for gate in environment.gates if gate.name not in route.gates),
        route=route,
        approvals=route.approvals or environment.approvals,
        approval_valid_for_s=(
            route.approval_valid_for_s if route.approvals else environment.approval_valid_for_s
        ),
        windows=() if route.any_time else environment.windows,
        freezes=() if route.any_time else environment.freezes,
        soak=None if route.any_time else environment.soak,
    )


def _route(name: str, table: Table) -> Route:
    table.refuse_unknown(KEYS)
    if not is_name(name, GATE_NAME) or name == NORMAL:
        sentence = f"'{name}' is no name of a route: '{NORMAL}' asks for every gate"
        table.mistakes.add(table.at, sentence, "route")
    roles, valid_for_s = read_approvals(table)
    any_time = table.flag("any_time")
    if name == BREAK_GLASS:
        _check_emergency(table, sum(role.least for role in roles), any_time)
    return Route(
        name=name,
        gates=_gates(table),
        full_within_s=_full_within_s(table),
        any_time=any_time is True or name == BREAK_GLASS,
        approvals=roles,
        approval_valid_for_s=valid_for_s,
    )


def _check_emergency(table: Table, persons: int, any_time: bool | None) -> None:
    if persons < LEAST_PERSONS:
        sentence = f"asks {persons} person(s) to approve, and an emergency asks {LEAST_PERSONS} at least"
        table.mistakes.add(table.at.key("approvals"), sentence, "route")
    if any_time is False:
        table.wrong("any_time", "is always true in an emergency. Leave it out", "route")


def _gates(table: Table) -> tuple[str, ...]:
    value: object = table.values.get("gates")
    if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
        table.wrong("gates", 'must list what this route asks for: ["smoke", "rollback"]', "route")
        return ()
    return _distinct(value)


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _full_within_s(table: Table) -> float:
    text = table.text("full_within")
    if text is None:
        if "full_within" not in table.values:
            sentence = 'is absent. Say until when the normal route has to have passed: "24 h"'
            table.mistakes.add(table.at.key("full_within"), sentence, "missing-key")
        return 0.0
    try:
        return parse_duration_s(text)
    except PolicyError as error:
        table.mistakes.add_error(table.at.key("full_within"), error, value=text)
        return 0.0
