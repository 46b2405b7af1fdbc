"""Which waivers covered what does not hold, whether what is live rests on one, and when each ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from release_gates.ledger.history import RunView
from release_gates.model.chronicle import Stay, ToldWaiver
from release_gates.model.verdict import LimitJudgement


def told_waivers(views: Sequence[RunView], stays: Sequence[Stay]) -> tuple[ToldWaiver, ...]:
    """Return each waiver that covered something in a run that nobody invalidated, what ends first at the top.

    One for each entry, waiver and subject: the use on which what is live there rests, else the newest.
    """
    live = {stay.run for stay in stays if stay.until is None}
    found: dict[tuple[str, str, str], ToldWaiver] = {}
    for view in views:
        for used in _used(view, rests=view.started.run in live):
            key = used.environment, used.waived.waiver, used.subject
            if used.rests or key not in found or not found[key].rests:
                found[key] = used
    return tuple(sorted(found.values(), key=lambda each: (each.waived.expires, each.waived.waiver)))


def _used(view: RunView, *, rests: bool) -> Iterator[ToldWaiver]:
    verdict = view.verdict
    for gate in verdict.gates if verdict and not view.invalidated else ():
        for part in gate.waived:
            if verdict and part.waived:
                yield ToldWaiver(
                    environment=view.started.environment,
                    gate=gate.name,
                    subject=part.name if isinstance(part, LimitJudgement) else part.test,
                    candidate=verdict.candidate,
                    at=view.at,
                    waived=part.waived,
                    rests=rests,
                )
