"""Routes: ways into an environment that ask for less than everything, and say what they leave unproven."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from release_gates.model.approval import AskedRole
from release_gates.model.record import Record

NORMAL = "normal"
"""The route that asks for every gate. It has no table of its own."""
BREAK_GLASS = "break-glass"
"""The route of an emergency: what nobody can waive, and two persons who answer for the rest."""


def named_route(route: str | UnsetType) -> str:
    """Return the name of the route that a record is for: one that leaves it out is for the normal one."""
    return NORMAL if route is UNSET else route


class Route(Record, frozen=True, kw_only=True):
    """One route: ``gates`` are what it asks for.

    ``full_within_s`` is how long after the promotion the normal route has to have passed for the same
    digests, in seconds. ``any_time`` says that windows, freezes and soak do not hold it.
    """

    name: str
    gates: tuple[str, ...]
    full_within_s: float
    any_time: bool = False
    approvals: tuple[AskedRole, ...] = ()
    approval_valid_for_s: float = 86400.0
