"""``plan``: whether a route can be gone until a certain time, and what rollback offers instead."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo

import click

from release_gates.cli.project import ROUTE, Project, environment_of, refusing, width
from release_gates.judge.timetable import shown
from release_gates.model.gate import EnvironmentPolicy
from release_gates.model.route import NORMAL
from release_gates.policy.selection import expected_in
from release_gates.promotion.gate_times import GateTime
from release_gates.promotion.outlook import Asked, Outlook, WayBack, outlook
from release_gates.promotion.windows import zone_of
from release_gates.report.text import wrapped

LABEL = 11
FITS = {True: "fits", False: "DOES NOT FIT", None: "UNKNOWN"}
CLOCK = re.compile(r"\d{1,2}:\d{2}")


@click.command()
@click.argument("environment")
@ROUTE
@click.option("--by", "until", required=True, metavar="TIME", help="09:28, or 2026-11-22T09:28.")
@click.option("--workers", type=click.IntRange(1, 1024), default=1, help="As many as `pytest -n`.")
@click.pass_obj
@refusing
def plan(project: Project, environment: str, route: str, until: str, workers: int) -> None:
    """Tell whether the candidate could enter ENVIRONMENT on a route by TIME. It changes and decides nothing.

    TIME is of the zone of the environment's windows, or UTC. The longest that each test took in the newest
    runs is what it is taken to take. Exit status: 0 if it fits, 1 if not, or if nobody knows.
    """
    policy, candidate = project.policy(), project.candidate()
    entry = environment_of(policy, environment, route)
    ledger, now = project.ledger(), datetime.now(UTC)
    zone = zone_name(environment_of(policy, environment))
    told = outlook(
        tuple(ledger.events()),
        Asked(
            environment=entry,
            candidate=candidate,
            rules=policy.digest,
            expected=expected_in(policy, entry),
            root=project.root,
            local=ledger.local,
            now=now,
            by=moment(until, zone_of(zone), now),
            zone=zone,
            workers=workers,
        ),
    )
    project.say(told, plan_lines(told, width()))
    if told.fits is not True:
        sys.exit(1)


def zone_name(environment: EnvironmentPolicy) -> str:
    """Return the zone in which an environment's times are meant and shown."""
    zones = [each.zone for each in environment.windows] + [each.zone for each in environment.freezes]
    return zones[0] if zones else "UTC"


def moment(text: str, zone: tzinfo, now: datetime) -> datetime:
    """Return the moment that a person means; a time without a day is the next one.

    Where the wall clock shows it twice, or never, because clocks are changed, it is the earlier reading.
    """
    try:
        if CLOCK.fullmatch(text.strip()):
            hour, minute = map(int, text.split(":"))
            today = datetime.combine(now.astimezone(zone).date(), time(hour, minute))
            found = _earlier(today, zone)
            found = found if found > now else _earlier(today + timedelta(days=1), zone)
        else:
            read = datetime.fromisoformat(text.strip())
            found = read.astimezone(UTC) if read.tzinfo else _earlier(read, zone)
    except (ValueError, OverflowError):
        raise click.UsageError(f"--by '{text}' is no time: 09:28, or 2026-11-22T09:28.") from None
    if found <= now:
        raise click.UsageError(f"--by {_when(found, zone)} is over: it is {_when(now, zone)}.")
    return found


def _earlier(wall: datetime, zone: tzinfo) -> datetime:
    return min(wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


def plan_lines(told: Outlook, width: int) -> list[str]:
    """Return the plan: the answer, the way back, then everything between now and the entry."""
    red, zone = told.fits is not True, zone_of(told.zone)
    until = _when(told.by, zone)
    head = f"{FITS[told.fits]}: {told.candidate} into {told.environment} on route {told.route} by {until}"
    lines = [click.style(line, fg="red") if red else line for line in wrapped(head, width)]
    for name, text in _rows(told, zone):
        first, *more = wrapped(text, width - LABEL - 3) or [""]
        lines += [f"  {name:<{LABEL}} {first}", *(f"{'':{LABEL + 3}}{each}" for each in more)]
    return [*lines, *wrapped("Nothing was decided, and nothing was changed.", width)]


def _rows(told: Outlook, zone: tzinfo) -> Iterator[tuple[str, str]]:
    yield from _named("rollback", _way_back(told.way_back, told.environment))
    yield from _named("holds", told.obstacles)
    yield from _named("gates", _gates(told, zone))
    yield "deploy", _deploy(told)
    yield "live by", _when(told.ready, zone) if told.ready else "nobody knows"
    yield "window", told.window or "always open on this route"
    yield from _named("soak", (told.soak,) if told.soak else ())
    yield from _named("approvals", _approvals(told))
    yield from _named("owed now", (told.owed,) if told.owed else ())
    if told.within_s is not None:
        yield "owed then", f"a PROMOTE on the route {NORMAL} within {_long(told.within_s)}"
    if told.unproven:
        yield "UNPROVEN", f"{', '.join(told.unproven)}: nothing on this route measures them"


def _named(name: str, texts: tuple[str, ...] | list[str]) -> Iterator[tuple[str, str]]:
    for index, text in enumerate(texts):
        yield "" if index else name, text


def _way_back(told: WayBack, environment: str) -> list[str]:
    if told.why_not:
        return [f"none from here: {told.why_not}"]
    took = ", ".join(f"{each:.1f} s" for each in reversed(told.took_s))
    within = "" if told.within_s is None else f"; policy asks for {told.within_s:g} s"
    timed = f"the last took {took}" if took else "none was ever timed here"
    return [
        f"FIRST, think of going back to {told.to}, whose artifacts are in the store: {FITS[told.fits]}",
        f"{timed}{within}",
        f"`release-gates rollback {environment} --reason TEXT`",
    ]


def _gates(told: Outlook, zone: tzinfo) -> list[str]:
    if told.run:
        return [f"none has to run: run {told.run} is a PROMOTE on this route that still counts then"]
    wide = max((len(gate.gate) for gate in told.gates), default=0)
    rows = [f"{gate.gate:<{wide}}  {_gate(gate, zone)}" for gate in told.gates]
    if told.beside_s is not None:
        rows.append(f"with {_long(told.beside_s)} beside the tests; each time is the longest that was seen")
    return rows


def _gate(gate: GateTime, zone: tzinfo) -> str:
    alone = ", alone on the host" if gate.alone else ""
    took = "" if gate.takes_s is None else f"{_long(gate.takes_s)} (of {gate.of} runs){alone}"
    ends = f", ends {gate.ends.astimezone(zone):%a %H:%M:%S}" if gate.ends else ""
    why = f"{'; ' if took else ''}{gate.unknown}{'' if took else alone}" if gate.unknown else ""
    return f"{FITS[gate.fits]}: {took}{ends}{why}"


def _deploy(told: Outlook) -> str:
    if told.deploy_s is None:
        return "UNKNOWN: nothing was ever carried there"
    return (
        f"took {_long(told.deploy_s)} at most" if told.deploy_s else "nothing is carried: the ledger says it"
    )


def _approvals(told: Outlook) -> tuple[str, ...]:
    if not told.approvals:
        return ("none is missing",)
    more = () if told.run else ("people answer to a verdict only, and their time is not counted here",)
    return (*(f"missing: {each}" for each in told.approvals), *more)


def _when(moment: datetime, zone: tzinfo) -> str:
    return f"{moment:%a %Y-%m-%d %H:%M} UTC" if str(zone) == "UTC" else shown(moment, zone)


def _long(seconds: float) -> str:
    """Return a duration for people, rounded up to its last unit."""
    if seconds < 60:
        return f"{-int(-seconds * 10 // 1) / 10:g} s"
    minutes, rest = divmod(-int(-seconds // 1), 60)
    hours, left = divmod(minutes, 60)
    parts = ((hours, "h"), (left, "min"), (0 if hours else rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)
