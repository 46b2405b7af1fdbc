"""Who is asked whether a candidate may enter."""

from __future__ import annotations

from release_gates.model.record import Record


class AskedRole(Record, frozen=True, kw_only=True):
    """How many of these persons have to approve a promotion, each for this role alone."""

    name: str
    least: int
    persons: tuple[str, ...]
