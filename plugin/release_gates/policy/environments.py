"""``environments.toml``: the promotion path, and what holds for a whole environment."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from release_gates.model.approval import AskedRole
from release_gates.model.deployment import DeployPolicy
from release_gates.model.outcome import Mode
from release_gates.model.route import Route
from release_gates.model.timetable import Soak, Window
from release_gates.policy.approvals import read_approvals
from release_gates.policy.deploy import read_deploy
from release_gates.policy.document import read_document
from release_gates.policy.measuring import KEY
from release_gates.policy.mistake import Mistakes, suggestion
from release_gates.policy.modes import MODE_KEYS, read_mode
from release_gates.policy.routes import read_routes
from release_gates.policy.selection import read_patterns
from release_gates.policy.snapshot import ENVIRONMENTS, Snapshot
from release_gates.policy.table import Table, is_name
from release_gates.policy.windows import read_soak, read_windows

RESERVED = ("environments", "waivers", "defects", "trust", "freezes")
"""Files in ``gates/`` with a meaning of their own, so that no environment may bear their names."""


SETTINGS = (
    *("attempts", "local_may_promote", "approved_rules", "checkpoint", "max_waiver_days", "approvals"),
    *("window", "soak", "deploy", "route"),
)


class EnvironmentHead(NamedTuple):
    """One environment of the path, before its gates are read."""

    name: str
    attempts: int = 3
    local_may_promote: bool = False
    max_waiver_days: int = 30
    approvals: tuple[AskedRole, ...] = ()
    approval_valid_for_s: float = 86400.0
    mode: Mode = Mode.ENFORCE
    observe_until: date | None = None
    approved_rules: bool = False
    windows: tuple[Window, ...] = ()
    soak: Soak | None = None
    checkpoint: bool = False
    deploy: DeployPolicy = DeployPolicy()
    routes: tuple[Route, ...] = ()


def read_path(snapshot: Snapshot, mistakes: Mistakes) -> tuple[EnvironmentHead, ...]:
    """Return the environments in the order of the promotion path; empty if it was noted as a mistake."""
    text = snapshot.get(ENVIRONMENTS)
    document = None if text is None else read_document(ENVIRONMENTS, text, mistakes)
    if document is None:
        return ()
    document.refuse_schema()
    document.refuse_unknown(("schema", "path", "environment", KEY))
    read_patterns(document, KEY)
    names = _names(document)
    heads = dict(_heads(document, names))
    return tuple(heads.get(name, EnvironmentHead(name)) for name in names)


def read_place(snapshot: Snapshot, name: str, mistakes: Mistakes) -> DeployPolicy:
    """Return how one environment is deployed to; only mistakes of that, and of the file, are noted."""
    document = read_document(ENVIRONMENTS, snapshot.get(ENVIRONMENTS, ""), mistakes)
    if document is None:
        return DeployPolicy()
    table = dict(document.tables("environment")).get(name)
    if table is not None:
        return read_deploy(table)
    if name not in (known := _names(document)):
        sentence = f"there is no environment '{name}'.{suggestion(name, known)}"
        mistakes.add(document.at.key("path"), sentence, "unknown-environment")
    return DeployPolicy()


def _names(document: Table) -> tuple[str, ...]:
    path = document.values.get("path")
    if not isinstance(path, list) or not path:
        document.mistakes.add(
            document.at.key("path"),
            'must list the environments in order: ["dev", "production"]',
            "path",
            value=path,
        )
        return ()
    for index, name in enumerate(path):
        fault = _fault(name, path[:index])
        if fault:
            document.mistakes.add(document.at.key("path"), fault, "path", value=name)
    return tuple(dict.fromkeys(name for name in path if is_name(name)))


def _fault(name: object, earlier: list[object]) -> str:
    if not is_name(name):
        return "an environment's name is a lower-case letter, then letters, digits and '_'"
    if name in RESERVED:
        return f"'{name}' is the name of another file of the policy. Choose another name"
    return f"'{name}' stands twice on the path" if name in earlier else ""


def _heads(document: Table, names: tuple[str, ...]) -> list[tuple[str, EnvironmentHead]]:
    heads = []
    for name, table in document.tables("environment"):
        table.refuse_unknown((*SETTINGS, *MODE_KEYS))
        if name not in names:
            sentence = f"'{name}' is not on the path.{suggestion(name, names)}"
            table.mistakes.add(table.at, sentence, "unknown-environment")
        attempts, local = table.whole("attempts", least=1), table.flag("local_may_promote")
        mode, until = read_mode(table)
        days = table.whole("max_waiver_days", least=0)
        head = EnvironmentHead(
            name,
            3 if attempts is None else attempts,
            local is True,
            30 if days is None else days,
            *read_approvals(table),
            mode or Mode.ENFORCE,
            until,
            table.flag("approved_rules") is True,
            read_windows(table),
            read_soak(table, names[: names.index(name)] if name in names else ()),
            checkpoint=table.flag("checkpoint") is True,
            deploy=read_deploy(table),
            routes=read_routes(table),
        )
        heads.append((name, head))
    return heads
