"""``status``: what is live where, what the newest run said, what is observed, waived or not approved yet."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import click
from msgspec import UNSET

from release_gates.cli.project import Project, refusing, width
from release_gates.cli.proving import seen_red
from release_gates.cli.standing_live import LiveTold, told_live
from release_gates.cli.waivers import standing
from release_gates.errors import PolicyError, PromotionRefused
from release_gates.ledger.history import RunView, live_in, live_since, runs
from release_gates.ledger.owed import owed
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Event, Promoted
from release_gates.model.gate import EnvironmentPolicy, observed
from release_gates.policy.routes import on_route
from release_gates.promotion.approvals import check_approvals
from release_gates.promotion.soak import check_soak
from release_gates.promotion.windows import window_sentence
from release_gates.report.text import wrapped


@click.command()
@click.pass_obj
@refusing
def status(project: Project) -> None:
    """Show each environment: what is live, the newest run and its verdict, when each gate was seen red.

    Exit status: 1 where a deployment is unfinished, or something else is live than the ledger says (DRIFT).
    """
    events, policy, now = tuple(project.ledger().events()), project.policy(), datetime.now(UTC)
    rows = []
    lines: list[str] = []
    wrong = False
    for environment in policy.environments:
        row, gates = _status(environment.name, events), seen_red(environment, events, policy.digest)
        row["mode"] = _mode(environment, now)
        row["approvals"] = _approvals(environment, events, now)
        row["soak"], row["window"] = _soak(environment, events, now), window_sentence(environment, now)
        row["owed"] = _owed(environment.name, events, now)
        live = told_live(environment, events, project.root)
        row |= {**live._asdict(), "wrong": live.wrong}
        wrong |= live.wrong
        waived = standing(policy, environment, now)
        rows.append({**row, "gates": gates, "waivers": waived})
        lines.append(f"{environment.name}: live is {row['live']}")
        lines.extend(click.style(line, fg="red") for line in _red(live, str(row["owed"])))
        for text in (
            *filter(None, (live.how, "" if live.drift else live.read_back, row["promoted"], row["mode"])),
            row["newest"],
            *filter(None, (row["approvals"], row["soak"], row["window"])),
            *waived,
            *(gate["sentence"] for gate in gates),
        ):
            lines.extend(wrapped(str(text), width(), "  "))
    project.say(rows, lines)
    if wrong:
        sys.exit(1)


def _red(live: LiveTold, owes: str) -> list[str]:
    texts = (live.unfinished, live.read_back if live.drift else "", owes)
    return [line for text in texts if text for line in wrapped(text, width(), "  ")]


def _owed(environment: str, events: Sequence[Event], now: datetime) -> str:
    """Return what the route of what is live left open; "" where nothing is."""
    debt = owed(events, environment)
    return debt.sentence(now) if debt else ""


def _status(environment: str, events: Sequence[Event]) -> dict[str, object]:
    live = live_in(events, environment)
    views = [view for view in runs(events) if view.started.environment == environment]
    return {
        "environment": environment,
        "known": live is not None,
        "live": _live(live.candidate if live else None, known=live is not None),
        "promoted": _promoted(environment, events),
        "newest": _newest(views[-1]) if views else "no run yet",
        "run": views[-1].started.run if views else "",
    }


def _live(candidate: ReleaseCandidate | None, *, known: bool) -> str:
    if candidate is None:
        return "nothing (first release)" if known else "unknown (`release-gates adopt`)"
    return f"{candidate.name} {candidate.version} ({candidate.digest[:12]})"


def _promoted(environment: str, events: Sequence[Event]) -> str:
    """Return how what is live was promoted under observation; "" where it was not."""
    entered = [each.fact for each in events if each.seq == live_since(events, environment)]
    if not entered or not isinstance(entered[0], Promoted) or entered[0].observed is UNSET:
        return ""
    would = (
        f"would have been held: {entered[0].observed}" if entered[0].observed else "nothing would have held"
    )
    return f"promoted under observation by {entered[0].by}; {would}"


def _mode(environment: EnvironmentPolicy, now: datetime) -> str:
    """Return what of an entry is only observed today; "" where all of it is enforced."""
    if observed(environment, now):
        return "only observed: nothing is held"
    gates = [gate.name for gate in environment.gates if observed(gate, now)]
    return f"only observed: gate {', '.join(gates)}" if gates else ""


def _approvals(environment: EnvironmentPolicy, events: Sequence[Event], now: datetime) -> str:
    """Return who has to say yes yet to what the newest run would promote; "" where nobody is asked."""
    view = _entering(environment, events)
    if view is None or view.verdict is None:
        return ""
    try:
        entry = on_route(environment, view.route_name)
        if not entry.approvals:
            return ""
        check_approvals(events, view, view.verdict, entry, view.started.candidate, now=now)
    except (PolicyError, PromotionRefused) as refused:
        return str(refused.message)
    return "approved by everybody who is asked"


def _soak(environment: EnvironmentPolicy, events: Sequence[Event], now: datetime) -> str:
    """Return how long what is live in the environment before has to soak yet; "" where nobody asks."""
    soak = environment.soak
    before = live_in(events, soak.environment) if soak else None
    if soak is None or before is None or before.candidate is None:
        return ""
    try:
        check_soak(events, environment, before.candidate, now=now)
    except PromotionRefused as refused:
        return str(refused.message)
    name = f"{before.candidate.name} {before.candidate.version}"
    return f"{name} has soaked in {soak.environment} as long as is asked for"


def _entering(environment: EnvironmentPolicy, events: Sequence[Event]) -> RunView | None:
    """Return the newest run if it stands for a PROMOTE of what is not live there yet."""
    views = [view for view in runs(events) if view.started.environment == environment.name]
    live = live_in(events, environment.name)
    if not views or not views[-1].promotes:
        return None
    digest = views[-1].started.candidate.digest
    return None if live and live.candidate and live.candidate.digest == digest else views[-1]


def _newest(view: RunView) -> str:
    subject = f"{view.started.candidate.name} {view.started.candidate.version}"
    when = f"{view.at:%Y-%m-%d %H:%M} UTC"
    if view.invalidated:
        return f"{subject}: run {view.started.run} of {when} was invalidated: {view.invalidated}"
    if view.verdict is None:
        return f"{subject}: run {view.started.run} of {when} has no verdict (in progress, or killed)"
    return f"{subject}: {view.verdict.title}, {when}, run {view.started.run}: {view.verdict.because}"
