"""Of which requests it is known how they ended: what is judged before that favours those that end first."""

from __future__ import annotations

from release_gates.probes.load.plan import BLOCK_S, Plan
from release_gates.probes.load.recording import Recording

UNSENT = "unsent"


def settled(recording: Recording, plan: Plan, block: int) -> bool:
    """Tell whether every request that was due in a block has ended, by its answer or by its time.

    The open driver tells how many were due; of a closed loop only time tells. What was never sent, because a
    run was stopped, has not ended.
    """
    tallies = [blocks[block] for blocks in recording.tallies.values() if block in blocks]
    if any(tally.failures[UNSENT] for tally in tallies):
        return False
    if recording.at_s >= (block + 1) * BLOCK_S + plan.timeout_s:
        return True
    asked = recording.health[block].asked if plan.traffic and block in recording.health else 0
    return 0 < asked <= sum(tally.requests for tally in tallies)
