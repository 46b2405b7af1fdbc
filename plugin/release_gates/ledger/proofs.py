"""When each gate was last seen red on planted defects, according to the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from release_gates.model.event import Event, GatesProved
from release_gates.model.proof import GateProofs, ProofOutcome, Sighting


def gate_proofs(events: Iterable[Event], *, environment: str, gate: str) -> GateProofs:
    """Return what the proofs of an environment say of one gate.

    Proofs under the same rules count together: each defect as it was tried last. The newest rules come last,
    so what was seen under others stays visible beside them.
    """
    found = GateProofs(gate=gate)
    tried: dict[str, ProofOutcome] = {}
    for event in events:
        fact = event.fact
        if isinstance(fact, GatesProved) and (rows := _rows(fact, environment, gate)):
            same = found.newest is not None and found.newest.rules == fact.rules
            tried = {**(tried if same else {}), **rows}
            newest = _sighting(event.at, fact, rows, tried, found)
            found = GateProofs(gate=gate, newest=newest, red=newest if newest.caught else found.red)
    return found


def _rows(fact: GatesProved, environment: str, gate: str) -> dict[str, ProofOutcome]:
    return {
        row.defect: row.outcome
        for row in (fact.proofs if fact.environment == environment else ())
        if row.gate == gate and row.outcome is not ProofOutcome.UNGUARDED
    }


def _sighting(
    at: datetime,
    fact: GatesProved,
    rows: dict[str, ProofOutcome],
    tried: dict[str, ProofOutcome],
    before: GateProofs,
) -> Sighting:
    caught = sum(outcome is ProofOutcome.CAUGHT for outcome in tried.values())
    earlier = before.newest.red if before.newest is not None else None
    red = at if ProofOutcome.CAUGHT in rows.values() else earlier
    return Sighting(
        rules=fact.rules,
        tried_at=at,
        red=red if caught else None,
        caught=caught,
        tried=len(tried),
        declared=max(len(tried), fact.declared.get(before.gate, 0)),
    )
