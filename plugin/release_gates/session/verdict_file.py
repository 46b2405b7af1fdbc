"""``.gates/verdict-<environment>.json``: what CI and people read. It tells; the ledger decides."""

from __future__ import annotations

import os
import tempfile
from datetime import datetime
from pathlib import Path

import msgspec

from release_gates.model.record import SCHEMA
from release_gates.model.verdict import Verdict


def verdict_path(state: Path, environment: str) -> Path:
    """Return where the last verdict on the entry to an environment stands."""
    return state / f"verdict-{environment}.json"


def write_verdict(state: Path, verdict: Verdict, head: str) -> None:
    """Replace the file by a committed verdict; ``head`` is the ledger's digest with it."""
    document = {**msgspec.to_builtins(verdict), "ledger_head": head}
    _replace(verdict_path(state, verdict.environment), document)


def write_hold(
    state: Path, environment: str, because: str, *, run: str = "", at: datetime | None = None
) -> None:
    """Replace the file by a HOLD that is no verdict yet, so that an older PROMOTE is not in force."""
    document = {
        "schema": SCHEMA,
        "verdict": "HOLD",
        "kind": "not proven",
        "because": because,
        "environment": environment,
        "candidate": None,
        "run": run,
        "decided": at.isoformat() if at else None,
        "gates": [],
        "reasons": [],
        "inputs": None,
        "ledger_head": None,
    }
    _replace(verdict_path(state, environment), document)


def _replace(path: Path, document: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=path.name, dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    Path(name).chmod(0o644)
    Path(name).replace(path)
