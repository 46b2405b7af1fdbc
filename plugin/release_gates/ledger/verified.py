"""Which runs verified a candidate in full, by nothing less than what let it in."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET

from release_gates.ledger.history import RunView, runs
from release_gates.model.event import Event, Promoted
from release_gates.model.route import NORMAL
from release_gates.model.verdict import Verdict


def verified(
    events: Sequence[Event], environment: str, candidate: str
) -> tuple[tuple[RunView, Verdict], ...]:
    """Return each run that stands for a PROMOTE of a digest on everything that an entry asks for.

    A shorter route leaves gates unproven. A verdict that is LOCAL, or by a policy from elsewhere, counts
    where such a one let these digests in, which was checked then; LOCAL also where none of ours did.
    """
    views = {
        view.started.run: view
        for view in runs(events)
        if (view.started.environment, view.started.candidate.digest) == (environment, candidate)
    }
    facts = (event.fact for event in events if isinstance(event.fact, Promoted))
    known = [
        views[fact.run].verdict for fact in facts if fact.environment == environment and fact.run in views
    ]
    let_in = [verdict for verdict in known if verdict is not None]
    local = not let_in or any(verdict.local for verdict in let_in)
    folders = {UNSET, *(verdict.elsewhere for verdict in let_in)}
    return tuple(
        (view, view.verdict)
        for view in views.values()
        if view.verdict is not None
        and view.promotes
        and view.route_name == NORMAL
        and view.verdict.elsewhere in folders
        and (local or not view.verdict.local)
    )
