"""``report --history``: the whole ledger on one page, as JSON, or as tables. It decides nothing."""

from __future__ import annotations

from datetime import UTC, datetime

from release_gates.cli.project import Project
from release_gates.errors import GateError
from release_gates.ledger.chronicle import chronicle
from release_gates.model.chronicle import Chronicle


def told(project: Project) -> Chronicle:
    """Return what the ledger tells; the policy, where it can be read, only orders the environments."""
    ledger = project.ledger()
    return chronicle(
        tuple(ledger.events()),
        made=datetime.now(UTC),
        head=ledger.head(),
        local=ledger.local,
        damage=ledger.verify(),
        path=_path(project),
    )


def _path(project: Project) -> tuple[str, ...]:
    try:
        return tuple(each.name for each in project.policy().environments)
    except GateError:
        return ()
