"""What ``[environment.NAME.deploy.EXECUTOR]`` may say, for each executor that policy can name."""

from __future__ import annotations

from release_gates.model.record import Record

RECORD = "record"
"""The executor that carries nothing: what the ledger says is all that a promotion does."""


class CommandSettings(Record, frozen=True, kw_only=True):
    """A program that deploys: ``run`` is its argument list, without a shell, in the project's folder."""

    run: tuple[str, ...]


EXECUTORS: dict[str, type[Record]] = {"command": CommandSettings}
"""Executor -> the type of its table. ``record`` has none."""
