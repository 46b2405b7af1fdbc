"""``report --observed``: what observing showed so far."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import click

from release_gates.cli.project import Project, environment_of, refusing, width
from release_gates.errors import PolicyError
from release_gates.ledger.observations import observations
from release_gates.model.event import RunStarted
from release_gates.policy.grammar import parse_duration_s
from release_gates.report.observed import closing, observed_lines


@click.command()
@click.argument("environment", required=False)
@click.option("--observed", is_flag=True, help='What mode = "observe" would have held.')
@click.option("--since", metavar="DURATION", help="Only runs of the last 14d, 12h … (default: all).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@click.pass_context
@refusing
def report(
    context: click.Context, environment: str | None, observed: bool, since: str | None, as_json: bool
) -> None:
    """Tell what would have been held, of what was only observed: from the ledger alone, exit status 0."""
    if not observed:
        raise click.UsageError("say what to report: --observed")
    project: Project = context.obj
    project = context.obj = replace(project, json=project.json or as_json)
    events = tuple(project.ledger().events())
    known = {event.fact.environment for event in events if isinstance(event.fact, RunStarted)}
    if environment is not None and environment not in known:
        environment_of(project.policy(), environment)  # refuses a name that nobody knows
    found = observations(events, environment=environment, since=_since(since, datetime.now(UTC)))
    data = {"observations": found, "closing": {each.environment: closing(each) for each in found.entries}}
    project.say(data, observed_lines(found, environment=environment, width=width()))


def _since(text: str | None, now: datetime) -> datetime | None:
    if text is None:
        return None
    try:
        return now - timedelta(seconds=parse_duration_s(text))
    except PolicyError as error:
        hint = "Write --since 14d or --since 12h."
        raise PolicyError(f"--since {text}: {error.message}", slug=error.slug, hint=hint) from None
    except OverflowError:
        return None  # longer ago than there are dates: everything
