"""``report``: a run on one page or for a CI server, the whole ledger, or what observing showed so far."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import msgspec
from click.core import ParameterSource

from release_gates.cli.commits import commits_between
from release_gates.cli.history import told
from release_gates.cli.project import Project, environment_of, refusing, width
from release_gates.cli.webhook import WEBHOOK, post
from release_gates.errors import GateError, LedgerError, PolicyError
from release_gates.ledger.history import RunView, live_in, runs
from release_gates.ledger.observations import observations
from release_gates.ledger.owed import owed
from release_gates.model.event import Event, RunStarted
from release_gates.model.release import Release
from release_gates.policy.grammar import parse_duration_s
from release_gates.promotion.allowed import Question, check_promotion
from release_gates.promotion.taking import check_nobody_deploys
from release_gates.report.annotations import commands
from release_gates.report.findings import code_quality, sarif
from release_gates.report.headline import headline
from release_gates.report.junit import junit
from release_gates.report.ledger_page import ledger_page
from release_gates.report.markdown import summary
from release_gates.report.notification import notification
from release_gates.report.observed import closing, observed_lines
from release_gates.report.openmetrics import openmetrics
from release_gates.report.page import page
from release_gates.report.tables import TABLES, table
from release_gates.session.release import release_of

FORMS: dict[str, Callable[[Release], str]] = {
    "html": page,
    "markdown": summary,
    "github": commands,
    "junit": junit,
    "openmetrics": openmetrics,
    "codequality": code_quality,
    "sarif": sarif,
}
OF_ONE_ENTRY = {
    "environment": "ENVIRONMENT",
    "entry": "--environment",
    "form": "--format",
    "webhook": "--webhook",
    "run_id": "--run",
    "observed": "--observed",
    "since": "--since",
}
"""Parameters of ``report`` that have no meaning with ``--history``."""


@click.command()
@click.argument("environment", required=False)
@click.option("--environment", "entry", metavar="ENV", help="Whose entry.")
@click.option("--output", type=click.Path(path_type=Path), help="Where to write; default: standard output.")
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMS)),
    default="html",
    show_default=True,
    help="What to write.",
)
@click.option("--webhook", is_flag=True, help=f"Instead: tell the chat whose address {WEBHOOK} holds.")
@click.option("--run", "run_id", help="A run other than the candidate's newest.")
@click.option("--history", is_flag=True, help="Instead: the whole ledger on one page.")
@click.option(
    "--csv",
    "table_name",
    type=click.Choice(list(TABLES)),
    is_flag=False,
    flag_value="runs",
    help="With --history: one table of it as CSV (--csv alone: runs).",
)
@click.option("--observed", is_flag=True, help='Instead: what mode = "observe" would have held.')
@click.option("--since", metavar="DURATION", help="With --observed: only runs of the last 14d, 12h …")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")
@click.pass_context
@refusing
def report(
    context: click.Context,
    environment: str | None,
    entry: str | None,
    output: Path | None,
    form: str,
    webhook: bool,
    run_id: str | None,
    history: bool,
    table_name: str | None,
    observed: bool,
    since: str | None,
    as_json: bool,
) -> None:
    """Tell of a candidate's newest run for an entry, or of all. It decides nothing: exit status 0.

    html is one page that needs no network and no script; markdown and github are for a job's summary and its
    annotations, junit, openmetrics and codequality for GitLab, openmetrics for a Pushgateway too. A file that
    is there already is removed first, so that no report of an earlier run survives one that fails.
    """
    project: Project = context.obj
    project = context.obj = replace(project, json=project.json or as_json)
    name = environment if entry is None else entry
    if environment not in (None, name):
        raise click.UsageError(f"name one environment, not {environment} and {entry}")
    if table_name is not None and not history:
        raise click.UsageError("--csv belongs to --history")
    if history:
        _check_alone(context)
        _write_history(project, table_name, output)
    elif observed:
        _observed(project, name, since)
    elif name is None:
        raise click.UsageError("say whose entry: --environment ENV (or --history, --observed)")
    elif webhook:
        _tell(_release(project, name, run_id))
    else:
        _write_report(project, name, run_id, form, output)


def _write_report(
    project: Project, environment: str, run_id: str | None, form: str, output: Path | None
) -> None:
    if output is not None:
        _remove(output)
    release = _release(project, environment, run_id, every_test=form == "junit")
    if project.json:
        project.say(release, [])
    elif output is None:
        click.echo(FORMS[form](release), nl=False)
    else:
        _write(output, FORMS[form](release))
        top = headline(release, ())
        click.echo(f"{output}: run {release.run}, {top.title}: {top.call}")


def _check_alone(context: click.Context) -> None:
    """Refuse what would not be heeded beside ``--history``: it is about the whole ledger."""
    for name, option in OF_ONE_ENTRY.items():
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--history tells of the whole ledger: leave out {option}")


def _write_history(project: Project, table_name: str | None, output: Path | None) -> None:
    if output is not None:
        _remove(output)
    found = told(project)
    if project.json:
        text = msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"
    else:
        text = ledger_page(found) if table_name is None else table(found, table_name)
    if output is None:
        click.echo(text, nl=False)
    else:
        _write(output, text)
        damage = f"DAMAGED: {found.damage[0]}" if found.damage else "its chain is whole"
        click.echo(f"{output}: {found.events} events of {len(found.candidates)} candidates; {damage}")


def _tell(release: Release) -> None:
    """Tell the chat; one that cannot be told is a sentence, as it changes nothing of the verdict."""
    told = post(os.environ.get(WEBHOOK, ""), notification(release))
    click.echo(told.sentence, err=not told.ok)


def _release(project: Project, environment: str, run_id: str | None, *, every_test: bool = False) -> Release:
    ledger = project.ledger()
    events = tuple(ledger.events())
    view = _view(project, events, environment, run_id)
    live = live_in(events, environment)
    before = live.candidate.commit if live and live.candidate else ""
    return release_of(
        events,
        view,
        root=project.root,
        made=datetime.now(UTC),
        head=ledger.head(),
        stands=_stands(project, events, view, local=ledger.local),
        commits=commits_between(project.root, before, view.started.candidate.commit),
        every_test=every_test,
    )


def _view(project: Project, events: tuple[Event, ...], environment: str, run_id: str | None) -> RunView:
    """Return the run to tell of: that of the id, else the newest of the candidate, else the newest at all."""
    views = [view for view in runs(events) if view.started.environment == environment]
    if not views:
        environment_of(project.policy(), environment)  # refuses a name that nobody knows
    wanted = project.candidate() if run_id is None and project.candidate_file.exists() else None
    own = [
        view
        for view in views
        if run_id in (None, view.started.run)
        and (wanted is None or view.started.candidate.digest == wanted.digest)
    ]
    if not own:
        what = f"{wanted.name} {wanted.version} ({wanted.digest[:12]})" if wanted else f"run {run_id or ''}"
        raise LedgerError(
            f"the ledger has no run of {what} for the entry to {environment}.".replace("run of run", "run"),
            slug="unknown-run",
            hint=f"`release-gates run {environment}` makes one; `release-gates status` lists the newest.",
        )
    return own[-1]


def _stands(project: Project, events: tuple[Event, ...], view: RunView, *, local: bool) -> str:
    """Return why `promote` would not act on this run now; "" where it would, or where it is a HOLD anyway."""
    if view.invalidated:
        return f"This run was invalidated: {view.invalidated}"
    if view.verdict is None or not (view.verdict.promotes or view.observed):
        return ""
    name, now = view.started.environment, datetime.now(UTC)
    try:
        check_nobody_deploys(events, name)  # nobody knows what is live, be it this candidate or another
        policy = project.policy()
        question = Question(
            environment=environment_of(policy, name, view.route_name),
            candidate=view.started.candidate,
            rules=policy.digest,
            now=now,
            root=project.root,
            local=local,
            noted=project.noted(),
        )
        run, _ = check_promotion(events, question)
    except GateError as error:
        if error.slug == "already-live":
            debt = owed(events, name)  # nothing else speaks against it, and the report says that it is live
            return debt.sentence(now) if debt else ""
        return f"`release-gates promote` refuses now: {error}"
    if run.started.run != view.started.run:
        return f"A newer run of this candidate counts instead: {run.started.run}"
    return ""


def _remove(output: Path) -> None:
    try:
        output.unlink(missing_ok=True)
    except OSError as error:
        raise _not_written(output, error) from error


def _write(output: Path, text: str) -> None:
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{output.name}", dir=output.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(output)
    except OSError as error:
        raise _not_written(output, error) from error


def _not_written(output: Path, error: OSError) -> GateError:
    return GateError(
        f"{output}: cannot be written ({error.strerror or error}).",
        slug="report-not-written",
        hint="Name another file by --output.",
    )


def _observed(project: Project, environment: str | None, since: str | None) -> None:
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
