"""``[gate.<name>]`` of one file to a draft, drafts of parent and child to one, the result to a GateSpec."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from release_gates.errors import PolicyError
from release_gates.model.gate import GateSpec, Reruns
from release_gates.model.limit import LimitRule
from release_gates.model.outcome import Effect, Severity
from release_gates.policy.grammar import parse_duration_s
from release_gates.policy.limits import read_limits
from release_gates.policy.matrix import read_matrix
from release_gates.policy.mistake import At, suggestion
from release_gates.policy.modes import MODE_KEYS, read_mode
from release_gates.policy.selection import read_select
from release_gates.policy.settings import check_keys, check_whole, settings_names, settings_type
from release_gates.policy.table import GATE_NAME, Table, is_name

SCALARS = (
    "owner",
    "severity",
    "runs_against",
    "effect",
    "valid_for",
    "exclusive",
    "unwaivable",
    "reruns",
    *MODE_KEYS,
)
GATE_KEYS = (*SCALARS, "select", "matrix", "limits")
LIVE = frozenset({"production", "prod", "live"})
"""Names of environments with real money in them: a gate that runs against one may only read."""


class RerunsOnly(StrEnum):
    """Which failures may be run again."""

    ANY = "any"
    NETWORK = "network"


class GateDraft(NamedTuple):
    """What files say of one gate so far; ``stated`` holds the fields that were written, right or wrong."""

    name: str
    at: At
    stated: dict[str, Any]
    limits: dict[str, LimitRule]
    settings: dict[str, dict[str, Any]]


def read_gates(document: Table) -> dict[str, GateDraft]:
    """Return the drafts of one environment file by gate name; every mistake in them is noted."""
    drafts = {}
    for name, table in document.tables("gate"):
        if is_name(name, GATE_NAME):
            drafts[name] = _draft(name, table)
        else:
            sentence = f"'{name}' is no gate name. Write lower-case letters, digits, '_' and '-'"
            document.mistakes.add(table.at, sentence, "gate-name")
    return drafts


def merge(parent: GateDraft, child: GateDraft) -> GateDraft:
    """Return the child's draft on top of the parent's: fields override, limits and settings merge by name."""
    settings = dict(parent.settings)
    for kind, values in child.settings.items():
        settings[kind] = {**settings.get(kind, {}), **values}
    return GateDraft(
        name=child.name,
        at=child.at,
        stated={**parent.stated, **child.stated},
        limits={**parent.limits, **child.limits},
        settings=settings,
    )


def inherited(draft: GateDraft) -> GateDraft:
    """Return what a child gets of its parent's draft: all but the mode, which holds for one entry alone."""
    return draft._replace(stated={key: value for key, value in draft.stated.items() if key not in MODE_KEYS})


def gate_spec(draft: GateDraft, environment: str) -> GateSpec:
    """Return the gate as an environment asks for it, with defaults for what no file states."""
    stated = {"runs_against": environment, "owner": "", **draft.stated}
    limits = tuple(draft.limits.values())
    return GateSpec(name=draft.name, limits=limits, settings=draft.settings, **stated)


def settings_mistake(draft: GateDraft, kind: str) -> str:
    """Return why the merged settings of one probe do not fit its type, or an empty text."""
    try:
        found = settings_type(kind)
    except PolicyError:
        return ""  # noted where the table stands
    return check_whole(draft.settings[kind], found) if found is not None else ""


def _draft(name: str, table: Table) -> GateDraft:
    limits = table.table("limits")
    draft = GateDraft(
        name=name,
        at=table.at,
        stated=_stated(table),
        limits=read_limits(limits) if limits is not None else {},
        settings={},
    )
    for key in table.values:
        if key not in GATE_KEYS:
            _read_settings(key, table, draft)
    return draft


def _stated(table: Table) -> dict[str, Any]:
    read = {
        "owner": table.text("owner"),
        "severity": table.word("severity", Severity),
        "runs_against": table.text("runs_against"),
        "effect": table.word("effect", Effect),
        "valid_for_s": _valid_for_s(table),
        "exclusive": table.flag("exclusive"),
        "unwaivable": table.flag("unwaivable"),
        "reruns": _reruns(table),
        "matrix": read_matrix(table),
        "select": read_select(table),
        **read_mode(table)._asdict(),
    }
    return {field: value for field, value in read.items() if value is not None}


def _valid_for_s(table: Table) -> float | None:
    text = table.text("valid_for")
    try:
        return None if text is None else parse_duration_s(text)
    except PolicyError as error:
        table.mistakes.add_error(table.at.key("valid_for"), error, value=text)
        return None


def _reruns(table: Table) -> Reruns | None:
    reruns = table.table("reruns")
    if reruns is None:
        return None
    reruns.refuse_unknown(("most", "only"))
    if "most" not in reruns.values:
        reruns.mistakes.add(reruns.at, 'say how many: { most = 2, only = "network" }', "missing-key")
    most, only = reruns.whole("most", least=0), reruns.word("only", RerunsOnly)
    return None if most is None else Reruns(most=most, only="any" if only is RerunsOnly.ANY else "network")


def _read_settings(key: str, table: Table, draft: GateDraft) -> None:
    at, values = table.at.key(key), table.values[key]
    try:
        kind = settings_type(key) if isinstance(values, dict) else None
    except PolicyError as error:
        table.mistakes.add_error(at, error)
        return
    if kind is not None:
        check_keys(values, kind, at, table.mistakes)
        draft.settings[key] = values
    elif key in settings_names():
        table.wrong(key, f"must be a table: [{at}]", "wrong-type")
    else:
        sentence = f"unknown key '{key}'.{suggestion(key, (*GATE_KEYS, *settings_names()))}"
        table.mistakes.add(at, sentence, "unknown-key")
