"""The ledger page: every candidate at every entry, deliveries, gates; HTML without network and script.

No verdict is painted green here: whether one still counts, `release-gates promote` says at that moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from release_gates.model.chronicle import Answer, Chronicle, Stay, ToldEntry, ToldGate, ToldWaiver
from release_gates.model.proof import Sighting
from release_gates.model.waiver import until
from release_gates.report.delivered import FORMULAS, delivered
from release_gates.report.rendering import template, when
from release_gates.report.tally import count
from release_gates.report.text import clipped, lasting

MOST_CANDIDATES = 100
"""So many candidates have a row, the newest first; CSV and JSON have all."""
MOST_GATES = 200
LONGEST = 200
"""So many characters of a sentence stand in a cell."""
MOST_WAIVERS = 100
SOON_S = 7 * 86400
"""A waiver that ends before that is near its end."""
FEW_RUNS = 5
"""Below so many runs it says nothing that a gate was never red, or never flaky."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One candidate at one entry, in words; ``tone`` is for its colour: stop, open, or nothing."""

    title: str
    tone: str
    facts: tuple[str, ...]
    live: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateLine:
    """One gate of an entry, in words."""

    gate: ToldGate
    runs: str
    red: str
    proof: str
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """One waiver; ``ends`` says that it ends soon, or did, and is empty where it does not."""

    told: ToldWaiver
    until: str
    ends: str


def ledger_page(chronicle: Chronicle) -> str:
    """Return the page as HTML."""
    shown = chronicle.candidates[:MOST_CANDIDATES]
    html: str = template("ledger.html").render(
        chronicle=chronicle,
        title=_title(chronicle),
        newest=_newest(chronicle),
        live=[(name, _live(chronicle, name)) for name in chronicle.environments],
        rows=[(each, [_cell(entry) for entry in each.entries]) for each in shown],
        more=len(chronicle.candidates) - len(shown),
        deliveries=[delivered(each) for each in chronicle.deliveries],
        formulas=FORMULAS,
        gates=[gate_line(each) for each in chronicle.gates[:MOST_GATES]],
        more_gates=len(chronicle.gates) - len(chronicle.gates[:MOST_GATES]),
        lists=_lists(chronicle.gates),
        waivers=[_accepted(each, chronicle.made) for each in _in_force(chronicle)][:MOST_WAIVERS],
    )
    return html


def _title(chronicle: Chronicle) -> str:
    if not chronicle.events:
        return "The ledger is empty"
    runs = sum(len(entry.runs) for each in chronicle.candidates for entry in each.entries)
    return f"{count(len(chronicle.candidates), 'candidate')}, {count(runs, 'run')}"


def _newest(chronicle: Chronicle) -> str:
    """Return which run began last, and what it said; "" where there is none."""
    every = (run for each in chronicle.candidates for entry in each.entries for run in entry.runs)
    run = max(every, key=lambda each: each.began, default=None)
    if run is None:
        return ""
    name = f"{run.candidate.name} {run.candidate.version}"
    return f"Newest run, {when(run.began)}: {name}, entry to {run.environment}: {run.title}."


def _live(chronicle: Chronicle, environment: str) -> Stay | None:
    """Return what is live in an environment; None where nothing is, or nobody knows."""
    stays = (
        stay
        for each in chronicle.candidates
        for entry in each.entries
        if entry.environment == environment and entry.is_live
        for stay in entry.stays[-1:]
    )
    return next(stays, None)


def _cell(entry: ToldEntry) -> Cell | None:
    if not (entry.runs or entry.stays):
        return None
    return Cell(
        title=entry.runs[-1].title if entry.runs else "no run",
        tone=_tone(entry),
        facts=tuple(_facts(entry)),
        live=_lived(entry.stays),
    )


def _tone(entry: ToldEntry) -> str:
    if entry.stays and entry.stays[-1].owed:
        return "FAIL"
    title = entry.runs[-1].title if entry.runs else ""
    if "taken back" in title or "not proven" in title or title == "no verdict":
        return "ERROR"
    return "FAIL" if "HOLD" in title else ""


def _facts(entry: ToldEntry) -> list[str]:
    if not entry.runs:
        return []
    newest = entry.runs[-1]
    took = "" if newest.duration_s is None else f", {lasting(newest.duration_s)}"
    others = f"; {count(len(entry.runs), 'run')}" if len(entry.runs) > 1 else ""
    facts = [f"{when(newest.began)}{took}, by {newest.actor}{others}"]
    if newest.invalidated:
        facts.append(clipped(newest.invalidated, LONGEST))
    elif not newest.title.startswith("PROMOTE") or " on route " in newest.title:
        facts.append(clipped(newest.because, LONGEST))
    facts.extend(_answered(each) for each in newest.answers)
    return facts


def _answered(given: Answer) -> str:
    said = (
        f"{'approved' if given.answer == 'yes' else 'REFUSED'} by {given.by} ({given.role}), {when(given.at)}"
    )
    return clipped(f"{said}: {given.reason}" if given.reason else said, LONGEST)


def _lived(stays: Sequence[Stay]) -> str:
    return "; ".join(_stayed(stay) for stay in stays[-3:])


def _stayed(stay: Stay) -> str:
    until = f" to {when(stay.until)}" if stay.until else ""
    word = "live since" if stay.until is None else "was live from"
    failed = f" ({clipped(stay.failed, LONGEST)})" if stay.failed else ""
    route = f" {clipped(stay.entered, LONGEST)}" if stay.entered else ""
    owes = f"; OWED: {stay.owed}" if stay.owed else ""
    return f"{word} {when(stay.since)}{until}, {stay.how} by {stay.by}{route}{failed}{owes}"


def gate_line(gate: ToldGate) -> GateLine:
    """Return one gate in words, with what is to be said against it."""
    return GateLine(
        gate=gate,
        runs=f"{gate.red} of {gate.judged}",
        red=_day(gate.last_red),
        proof=_proof(gate.proofs.newest),
        remarks=tuple(_remarks(gate)),
    )


def _remarks(gate: ToldGate) -> list[str]:
    said = []
    if gate.flaky:
        names = ", ".join(f"{each.version} ({each.digest[:12]})" for each in gate.flaky[:3])
        more = f" and {len(gate.flaky) - 3} more" if len(gate.flaky) > 3 else ""
        said.append(f"flaky: red and green on {names}{more}")
    if gate.always_green:
        few = ", too few to mean anything" if gate.judged < FEW_RUNS else ""
        said.append(f"always green (n = {gate.judged}{few})")
    if not gate.judged:
        said.append("never measured")
    if gate.never_proved:
        said.append("never proved: no planted defect turned it red")
    return said


def _in_force(chronicle: Chronicle) -> list[ToldWaiver]:
    """Return the waivers that have not ended, and those that ended while what is live rests on them."""
    return [each for each in chronicle.waivers if each.rests or each.waived.expires > chronicle.made]


def _accepted(each: ToldWaiver, made: datetime) -> Accepted:
    left_s = (each.waived.expires - made).total_seconds()
    if left_s <= 0:
        ends = "ENDED, and what is live rests on it"
    elif left_s <= SOON_S:
        ends = f"in {lasting(left_s)}"
    else:
        ends = ""
    return Accepted(told=each, until=until(each.waived.expires), ends=ends)


def _lists(gates: Sequence[ToldGate]) -> list[tuple[str, list[str]]]:
    """Return what a reader should look at, by name."""
    return [
        ("Flaky", [_place(each) for each in gates if each.flaky]),
        ("Always green", [_place(each) for each in gates if each.always_green]),
        ("Never proved", [_place(each) for each in gates if each.never_proved]),
    ]


def _place(gate: ToldGate) -> str:
    return f"{gate.gate} ({gate.environment})"


def _proof(newest: Sighting | None) -> str:
    if newest is None:
        return "never tried"
    return f"{newest.caught} of {newest.declared} defects caught, {_day(newest.tried_at)}"


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d}" if at else "never"
