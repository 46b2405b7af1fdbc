"""On which route a candidate may enter now: never on more than was asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from release_gates.errors import PromotionRefused
from release_gates.ledger.deployments import unfinished
from release_gates.ledger.history import RunView, runs
from release_gates.ledger.owed import owed
from release_gates.model.event import Event
from release_gates.model.gate import EnvironmentPolicy, observed
from release_gates.model.record import Record
from release_gates.model.route import BREAK_GLASS


class Emergency(Record, frozen=True, kw_only=True):
    """Where and why somebody breaks the glass."""

    ticket: str
    reason: str


def check_route(run: RunView, environment: EnvironmentPolicy) -> None:
    """Refuse a run for another route: what asked for less proves no more, and only the newest run counts."""
    name, route = run.started.run, environment.route_name
    ran = run.route_name
    if ran != route:
        raise PromotionRefused(
            f"the newest run {name} was for the route {ran}, and this is {route}.",
            slug="route-differs",
            hint=f"`release-gates run {environment.name} --route {route}`; or `--route {ran}` here.",
        )


def route_begun(events: Sequence[Event], environment: str) -> str | None:
    """Return the route on which an unfinished deployment was begun; None where nothing is unfinished."""
    view = unfinished(events, environment)
    return next(
        (run.route_name for run in runs(events) if view and run.started.run == view.started.run), None
    )


def check_emergency(environment: EnvironmentPolicy, emergency: Emergency | None) -> None:
    """Refuse an emergency without ticket and reason, and a ticket on a route that is none."""
    is_one = environment.route_name == BREAK_GLASS
    if is_one and (emergency is None or not (emergency.ticket.strip() and emergency.reason.strip())):
        raise PromotionRefused(
            "an emergency needs a ticket and a reason.",
            slug="emergency-unexplained",
            hint="--break-glass --ticket TICKET --reason TEXT.",
        )
    if emergency is not None and not is_one:
        raise PromotionRefused(
            f"a ticket is for an emergency, and this is the route {environment.route_name}.",
            slug="emergency-unexplained",
            hint="--break-glass, or leave --ticket and --reason out.",
        )


def check_nothing_owed(events: Sequence[Event], environment: EnvironmentPolicy, *, now: datetime) -> None:
    """Refuse everything while what is live came by a shorter route, and the normal one is overdue for it.

    An entry that is only observed holds nothing, and what it decides pays nothing.
    """
    debt = owed(events, environment.name)
    if debt is not None and debt.overdue(now) and not observed(environment, now):
        raise PromotionRefused(
            f"{debt.sentence(now)}: nothing else enters before that.",
            slug="full-route-overdue",
            hint=f"With that candidate: `release-gates run {environment.name}`; "
            f"or `release-gates rollback {environment.name}`.",
        )
