"""Ends a run as soon as it is known that a limit with ``abort = true`` is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from release_gates.judge.early import ENOUGH, Stakes
from release_gates.model.limit import Bound, LimitRule
from release_gates.model.units import convert, dimension
from release_gates.probes.load.health import unfit
from release_gates.probes.load.limits import bounds_of, quantiles_of, rules_for, threshold_of
from release_gates.probes.load.measuring import SHARES
from release_gates.probes.load.plan import BLOCK_S, Plan
from release_gates.probes.load.recording import Health, Recording, Tally
from release_gates.probes.load.scopes import Scope, judged, scopes, spans
from release_gates.probes.load.settled import settled


@dataclass(slots=True)
class Bet:
    """Against one bound of one measurement: what may break it, and the next of its blocks to look at.

    A request that was not answered within ``edge_s`` has broken a limit of latency, whenever it ends. Where
    that is None, all requests of a block have to have ended: failures may be faster than answers.
    """

    name: str
    endpoint: str
    blocks: tuple[int, ...]
    stakes: Stakes
    edge_s: float | None
    count: Callable[[Tally], int]
    looked: int = field(default=0)

    def look(self, recording: Recording, plan: Plan) -> bool:
        """Take in the blocks of which enough is known; tell if that is enough against the limit."""
        while self.looked < len(self.blocks) and self._is_known(recording, plan, self.blocks[self.looked]):
            tally = recording.tally(self.endpoint, (self.blocks[self.looked],))
            self.stakes.add(tally.requests, self.count(tally))
            self.looked += 1
        return self.stakes.value >= ENOUGH

    def _is_known(self, recording: Recording, plan: Plan, block: int) -> bool:
        if recording.at_s < (block + 1) * BLOCK_S + (self.edge_s or 0.0):
            return False
        some = self.edge_s is not None and recording.tally(self.endpoint, (block,)).requests > 0
        return some or settled(recording, plan, block)


class Alarm:
    """Watches all limits of a run that may end it."""

    def __init__(self, rules: Sequence[LimitRule], plan: Plan) -> None:
        self._rules = tuple(rule for rule in rules if rule.abort and rule.limit is not None)
        self._plan = plan
        self._scopes = scopes(plan.phases)
        self._judged = tuple(block for tag in judged(plan.phases) for block in spans(plan.phases)[tag])
        self._bets: dict[str, tuple[Bet, ...]] = {}
        self._condition = Health()
        self._known = 0

    def reason(self, recording: Recording) -> str:
        """Return the measurement for which the run may end now, "" to go on.

        While the generator is not fit, nothing is known of the target, and nothing ends.
        """
        if not self._rules:
            return ""
        self._learn(recording)
        for endpoint in recording.endpoints:
            if endpoint not in self._bets:
                self._bets[endpoint] = tuple(self._against(endpoint))
            for bet in self._bets[endpoint]:
                if bet.look(recording, self._plan) and not unfit(self._condition):
                    return bet.name
        return ""

    def _learn(self, recording: Recording) -> None:
        """Add the judged blocks that are over to what is known of the generator, each once."""
        last = int(recording.at_s / BLOCK_S)
        while self._known < len(self._judged) and self._judged[self._known] < last:
            self._condition.add(recording.condition((self._judged[self._known],)))
            self._known += 1

    def _against(self, endpoint: str) -> Iterator[Bet]:
        for scope in self._scopes:
            for rule in self._rules:
                for percent in quantiles_of(self._rules):
                    name = f"{endpoint}.p{percent}{scope.suffix}"
                    yield from self._of_latency(name, percent, endpoint, rule, scope)
                yield from self._of_shares(endpoint, rule, scope)

    def _of_latency(
        self, name: str, percent: str, endpoint: str, rule: LimitRule, scope: Scope
    ) -> Iterator[Bet]:
        for bound in bounds_of(rule) if rules_for((rule,), name) else ():
            threshold = threshold_of(bound)
            stakes = Stakes(1 - float(percent) / 100, BLOCK_S)
            over = partial(_over, self._plan.thresholds.index(threshold))
            yield Bet(name, endpoint, scope.blocks, stakes, threshold.edge_s, over)

    def _of_shares(self, endpoint: str, rule: LimitRule, scope: Scope) -> Iterator[Bet]:
        for value, count in SHARES.items():
            name = f"{endpoint}.{value}{scope.suffix}"
            for bound in _ratios(rule) if rules_for((rule,), name) else ():
                stakes = Stakes(convert(bound.value, bound.unit, "ratio"), BLOCK_S)
                yield Bet(name, endpoint, scope.blocks, stakes, None, count)


def _over(threshold: int, tally: Tally) -> int:
    return tally.over[threshold] if tally.over else 0


def _ratios(rule: LimitRule) -> Iterator[Bound]:
    for bound in rule.limit.bounds if rule.limit else ():
        if dimension(bound.unit) == "ratio" and bound.operator in ("<=", "<"):
            yield bound
