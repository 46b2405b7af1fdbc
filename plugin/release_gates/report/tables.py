"""The ledger as CSV: one table each for runs, times that something was live, deliveries and gates."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from release_gates.model.chronicle import Chronicle

Cell = str | int | float | bool | datetime | None
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a spreadsheet's formula begins (OWASP, "CSV Injection"); names come from whoever built a candidate."""


def table(chronicle: Chronicle, name: str) -> str:
    """Return one of ``TABLES`` as CSV (RFC 4180) with a header; times in ISO 8601, spans in seconds."""
    written = io.StringIO()
    writer = csv.writer(written)
    header, rows = TABLES[name]
    writer.writerow(header)
    writer.writerows([_text(cell) for cell in row] for row in rows(chronicle))
    return written.getvalue()


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.isoformat()
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, str):
        return f"'{cell}" if cell.startswith(_FORMULA) else cell
    return str(cell)


def _runs(chronicle: Chronicle) -> Iterator[Sequence[Cell]]:
    for each in chronicle.candidates:
        for entry in each.entries:
            for run in entry.runs:
                name = run.candidate
                yield (
                    *(run.run, run.environment, name.name, name.version, name.commit, name.digest),
                    *(run.actor, run.began, run.ended, run.duration_s),
                    *(run.title, run.because, run.invalidated),
                    *(
                        "; ".join(each.by for each in run.answers if each.answer == word)
                        for word in ("yes", "no")
                    ),
                )


def _stays(chronicle: Chronicle) -> Iterator[Sequence[Cell]]:
    for each in chronicle.candidates:
        for entry in each.entries:
            for stay in entry.stays:
                name = stay.candidate
                yield (
                    *(stay.environment, name.name, name.version, name.commit, name.digest),
                    *(stay.how, stay.by, stay.run, stay.since, stay.until, stay.delivers, stay.returned),
                    *(stay.lead_s, stay.failed, stay.restored_s, stay.route, stay.ticket, stay.owed),
                )


def _deliveries(chronicle: Chronicle) -> Iterator[Sequence[Cell]]:
    for found in chronicle.deliveries:
        for period in (found.whole, *found.months, *found.weeks, *found.days):
            yield (
                *(found.environment, period.kind, period.name, period.begin, period.end, period.open),
                *(period.deliveries, period.returns, period.failed),
                *(period.lead.median_s, period.lead.of, period.restore.median_s, period.restore.of),
            )


def _gates(chronicle: Chronicle) -> Iterator[Sequence[Cell]]:
    for gate in chronicle.gates:
        newest = gate.proofs.newest
        yield (
            *(gate.environment, gate.gate, gate.owner, gate.judged, gate.red, gate.last_red),
            *(len(gate.flaky), gate.always_green, gate.never_proved),
            *((newest.caught, newest.declared, newest.tried_at) if newest else (None, None, None)),
        )


def _waivers(chronicle: Chronicle) -> Iterator[Sequence[Cell]]:
    for each in chronicle.waivers:
        waived = each.waived
        yield (
            *(waived.waiver, each.environment, each.gate, each.subject, waived.was, waived.bounds),
            *(waived.reason, waived.ticket, waived.owner, waived.approver, waived.expires),
            *(each.candidate.version, each.candidate.digest, each.at, each.rests),
        )


TABLES: dict[str, tuple[tuple[str, ...], Callable[[Chronicle], Iterator[Sequence[Cell]]]]] = {
    "runs": (
        (
            *("run", "environment", "name", "version", "commit", "digest"),
            *("actor", "began", "ended", "duration_s"),
            *("verdict", "because", "invalidated", "approved_by", "refused_by"),
        ),
        _runs,
    ),
    "live": (
        (
            *("environment", "name", "version", "commit", "digest"),
            *("how", "by", "run", "since", "until", "delivery", "return"),
            *("lead_s", "failed", "restored_s", "route", "ticket", "owed"),
        ),
        _stays,
    ),
    "deliveries": (
        (
            *("environment", "kind", "period", "begin", "end", "open"),
            *("deliveries", "returns", "failed"),
            *("lead_median_s", "lead_n", "restore_median_s", "restore_n"),
        ),
        _deliveries,
    ),
    "gates": (
        (
            *("environment", "gate", "owner", "judged", "red", "last_red"),
            *("flaky_candidates", "always_green", "never_proved"),
            *("defects_caught", "defects_declared", "proof_tried"),
        ),
        _gates,
    ),
    "waivers": (
        (
            *("waiver", "environment", "gate", "subject", "was", "bounds"),
            *("reason", "ticket", "owner", "approver", "expires"),
            *("version", "digest", "used", "live_rests_on_it"),
        ),
        _waivers,
    ),
}
