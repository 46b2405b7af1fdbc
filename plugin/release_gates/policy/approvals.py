"""``[environment.NAME.approvals]``: who has to say yes before a candidate enters.

::

    [environment.production.approvals]
    valid_for = "12 h"                  # how long a yes counts; default: 24 h
    [environment.production.approvals.role.risk]
    least = 1
    persons = ["Eve Ray <eve@example.org>", "Dan Fox <dan@example.org>"]
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

from release_gates.errors import PolicyError
from release_gates.model.approval import AskedRole
from release_gates.model.person import is_full_name, may_be_same
from release_gates.policy.grammar import parse_duration_s
from release_gates.policy.table import GATE_NAME, Table, is_name

DAY_S = 86400.0


class Approvals(NamedTuple):
    """The roles that are asked, and for how long a yes counts, in seconds."""

    roles: tuple[AskedRole, ...] = ()
    valid_for_s: float = DAY_S


def read_approvals(environment: Table) -> Approvals:
    """Return what an environment's table asks for; every mistake is noted."""
    table = environment.table("approvals")
    if table is None:
        return Approvals()
    table.refuse_unknown(("valid_for", "role"))
    roles = tuple(_role(name, each) for name, each in table.tables("role"))
    if not roles and "role" not in table.values:
        table.mistakes.add(table.at, "asks nobody. Give it a role, or take the table away", "approvals")
    return Approvals(roles, _valid_for_s(table))


def _role(name: str, table: Table) -> AskedRole:
    table.refuse_unknown(("least", "persons"))
    least, persons = table.whole("least", least=1), _persons(table)
    if not is_name(name, GATE_NAME):
        table.mistakes.add(table.at, f"'{name}' is no name of a role", "approvals")
    if least is not None and len(persons) < least:
        table.wrong("least", f"asks for {least} of {len(persons)} person(s)", "approvals")
    return AskedRole(name=name, least=1 if least is None else least, persons=persons)


def _persons(table: Table) -> tuple[str, ...]:
    value = table.values.get("persons")
    if not isinstance(value, list) or not value:
        table.wrong("persons", 'must list them: ["Ann Lee <ann@example.org>"]', "approvals")
        return ()
    persons = [each for each in value if isinstance(each, str) and is_full_name(each)]
    if len(persons) < len(value):
        sentence = (
            "needs each person's name and e-mail address, as git writes authors: Ann Lee <ann@example.org>"
        )
        table.wrong("persons", sentence, "approvals")
    for one, other in combinations(persons, 2):
        if may_be_same(one, other):
            table.wrong("persons", f"{one} and {other} may be one person", "approvals")
    return tuple(persons)


def _valid_for_s(table: Table) -> float:
    text = table.text("valid_for")
    try:
        return DAY_S if text is None else parse_duration_s(text)
    except PolicyError as error:
        table.mistakes.add_error(table.at.key("valid_for"), error, value=text)
        return DAY_S
