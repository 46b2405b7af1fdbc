"""``promote`` and ``rollback``: what changes what is live."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import click

from release_gates import TOOL
from release_gates.candidate.keep import check_artifacts, keep_candidate
from release_gates.cli.ledgers import seen_heads
from release_gates.cli.previewing import preview_lines, timing
from release_gates.cli.project import (
    ROUTE,
    Parameters,
    Project,
    Result,
    environment_of,
    refuse,
    refusing,
    width,
)
from release_gates.errors import DeployError
from release_gates.model.event import DeploymentUndone, Event, Promoted, RolledBack
from release_gates.model.route import BREAK_GLASS
from release_gates.policy.load import load_place
from release_gates.promotion import promote as promotion
from release_gates.promotion.deployment import named
from release_gates.promotion.preview import preview
from release_gates.promotion.rollback import Wish
from release_gates.promotion.rollback import rollback as roll_back
from release_gates.promotion.routes import Emergency, route_begun
from release_gates.report.text import wrapped
from release_gates.session.run import actor


def deploying(command: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Turn a ``DeployError`` into its sentence and exit status 1: something moved, and did not arrive."""

    @wraps(command)
    def wrapper(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return command(*args, **kwargs)
        except DeployError as error:
            refuse(error, status=1)

    return wrapper


@click.command()
@click.option("--to", "environment", required=True, metavar="ENV")
@click.option("--dry-run", is_flag=True, help="Show what would happen, and change nothing.")
@click.option("--resume", is_flag=True, help="Go on with the promotion that was interrupted, on its route.")
@ROUTE
@click.option("--break-glass", is_flag=True, help=f"An emergency: the route {BREAK_GLASS}, with a ticket.")
@click.option("--ticket", help="Where the emergency is written down.")
@click.option("--reason", help="Why it is one; the ledger keeps it.")
@click.pass_obj
@refusing
@deploying
def promote(
    project: Project,
    environment: str,
    dry_run: bool,
    resume: bool,
    route: str,
    break_glass: bool,
    ticket: str | None,
    reason: str | None,
) -> None:
    """Let the candidate enter ENV; refused unless its newest run is a fresh PROMOTE.

    Exit status: 0 once it is live and was read back, 1 where a step failed (the sentence says what is live
    then), 2 for a refusal, which changed nothing.
    """
    if dry_run and resume:
        raise click.UsageError("--dry-run is of a promotion that has not begun.")
    project.check_policy(environment)
    policy, candidate, ledger = project.policy(), project.candidate(), project.ledger()
    asked = BREAK_GLASS if break_glass else route
    if resume:
        asked = route_begun(tuple(ledger.events()), environment) or asked
    entry = environment_of(policy, environment, asked)
    folder = project.candidate_file.parent
    if dry_run:
        check_artifacts(candidate, folder)
    elif not resume:
        keep_candidate(candidate, folder, project.state)
    now, heads = _now(), seen_heads(project)
    facts: dict[str, Any] = {"environment": entry, "candidate": candidate, "by": actor()}
    facts |= {"root": project.root, "heads": heads, "emergency": _emergency(ticket, reason)}
    facts["noted"] = project.noted()
    if resume:
        _say_entered(project, promotion.resume(ledger, **facts, clock=_now))
        return
    facts |= {"rules": policy.digest, "now": now}
    if dry_run:
        told = preview(tuple(ledger.events()), *promotion.asked(ledger, **facts), now=now)
        project.say(told, preview_lines(told, width()))
    else:
        _say_entered(project, promotion.promote(ledger, **facts, clock=_now))


@click.command()
@click.argument("environment")
@click.option("--reason", required=True, help="Why; the ledger keeps it.")
@click.pass_obj
@refusing
@deploying
def rollback(project: Project, environment: str, reason: str) -> None:
    """Bring back what was live in ENVIRONMENT before; an unfinished promotion is taken back.

    It needs no verdict, no approval and no window. Exit status: 0 once the one before is live and was read
    back, 1 where that failed (call it again), 2 for a refusal: there is nothing to roll back to.
    """
    entry = load_place(project.policy_dir, environment, tool=TOOL)
    wish = Wish(environment=entry, by=actor(), reason=reason, root=project.root)
    event = roll_back(project.ledger(), wish, clock=_now)
    project.say(event, [line for text in _rolled_back(event) for line in wrapped(text, width())])


def _emergency(ticket: str | None, reason: str | None) -> Emergency | None:
    if ticket is None and reason is None:
        return None
    return Emergency(ticket=ticket or "", reason=reason or "")


def _say_entered(project: Project, event: Event) -> None:
    fact = event.fact
    if not isinstance(fact, Promoted):
        raise TypeError(f"a promotion ended by {type(fact).__name__}")
    lines = [f"{named(fact.candidate)} is live in {fact.environment} (event {event.seq})"]
    if fact.route:
        hours = (fact.full_within_s or 0.0) / 3600
        sentence = f"on route {fact.route}: the normal route has to pass for these digests within {hours:g} h"
        lines += [click.style(line, fg="red") for line in wrapped(sentence, width())]
    if fact.observed:
        lines += wrapped(f"promoted under observation, would have been held: {fact.observed}", width())
    project.say(event, lines)


def _rolled_back(event: Event) -> Iterator[str]:
    fact = event.fact
    if isinstance(fact, DeploymentUndone):
        what = f"the unfinished deployment to {fact.environment} was taken back"
        yield f"{what}, and what was live before was read back (event {event.seq})"
    elif isinstance(fact, RolledBack):
        yield f"{named(fact.candidate)} is live in {fact.environment} again (event {event.seq})"
        if fact.took_s is not None:
            yield timing(fact.took_s, fact.within_s)


def _now() -> datetime:
    return datetime.now(UTC)
