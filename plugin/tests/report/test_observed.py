"""Observing as people read it: golden text at 80 columns."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from release_gates.model.observation import Observations, ObservedEntry, ObservedGate, ObservedReason
from release_gates.model.outcome import Outcome, Severity
from release_gates.model.verdict import (
    CandidateName,
    GateJudgement,
    Inputs,
    LimitJudgement,
    Reason,
    Verdict,
)
from release_gates.report.observed import observed_lines
from release_gates.report.text import explanation_lines, verdict_lines

FIRST = datetime(2026, 11, 7, 9, 10, tzinfo=UTC)
LAST = datetime(2026, 11, 21, 8, 55, tzinfo=UTC)
ENGINES = tuple(
    CandidateName(name="engine", version=f"1.4.{number}", commit="c", digest=f"{number}" * 64)
    for number in range(1, 5)
)


def reason(outcome: Outcome, shape: str, runs: int, candidates: int) -> ObservedReason:
    return ObservedReason(
        outcome=outcome,
        shape=shape,
        newest=shape.replace("…", "9"),
        runs=runs,
        first=FIRST,
        last=LAST if runs > 1 else FIRST,
        candidates=ENGINES[:candidates],
    )


def gate(name: str, runs: int, broken: int, not_proven: int, *reasons: ObservedReason) -> ObservedGate:
    return ObservedGate(
        gate=name,
        runs=runs,
        broken=broken,
        not_proven=not_proven,
        first=FIRST,
        last=LAST,
        reasons=reasons,
    )


ENTRY = ObservedEntry(
    environment="staging",
    runs=40,
    broken=5,
    not_proven=1,
    unfinished=1,
    first=FIRST,
    last=LAST,
    candidates=31,
    held=ENGINES,
    gates=(
        gate(
            "load",
            40,
            5,
            1,
            reason(Outcome.FAIL, "order_entry.p95 is … ms; the limit is <= … ms", 5, 4),
            reason(Outcome.MISSING, "… expected tests did not run: suites/load/test_order_entry.py", 1, 1),
        ),
        gate("smoke", 40, 0, 0),
    ),
)


def test_the_report() -> None:
    found = Observations(since=None, entries=(ENTRY,))
    assert "\n".join(observed_lines(found, environment=None)) == GOLDEN


GOLDEN = """\
========================== observed: entry to staging ==========================
40 runs of 31 candidates, 2026-11-07 09:10 to 2026-11-21 08:55 UTC: would have
  held 6 (5 broken, 1 not proven).
1 observed run without a verdict: in progress, or killed.

load: observed in 40 runs, would have held 6 (5 broken, 1 not proven)
  5 x FAIL order_entry.p95 is … ms; the limit is <= … ms
      2026-11-07 09:10 to 2026-11-21 08:55 UTC; engine 1.4.1 (111111111111),
        engine 1.4.2 (222222222222), engine 1.4.3 (333333333333) and 1 more
  1 x MISSING … expected tests did not run: suites/load/test_order_entry.py
      2026-11-07 09:10 UTC; engine 1.4.1 (111111111111)

smoke: observed in 40 runs, would have held none

Enforcing today would have held 4 of 31 candidates: engine 1.4.1 (111111111111),
  engine 1.4.2 (222222222222), engine 1.4.3 (333333333333) and 1 more."""


@pytest.mark.parametrize(
    ("environment", "since", "says"),
    [
        (None, None, "The ledger has no run that was only observed: nothing to tell."),
        ("staging", None, "no run for the entry to staging that was only observed"),
        ("staging", FIRST, "no run for the entry to staging since 2026-11-07 09:10 UTC that"),
    ],
)
def test_nothing_was_observed(environment: str | None, since: datetime | None, says: str) -> None:
    found = Observations(since=since, entries=())
    assert says in " ".join(observed_lines(found, environment=environment)).replace("  ", "")


@given(st.text(min_size=1, max_size=200), st.integers(60, 120))
def test_no_sentence_leaves_the_screen(sentence: str, width: int) -> None:
    told = gate("load", 1, 1, 0, reason(Outcome.FAIL, sentence, 1, 4))
    entry = ObservedEntry(
        environment="staging",
        runs=1,
        broken=1,
        not_proven=0,
        unfinished=0,
        first=FIRST,
        last=FIRST + timedelta(days=1),
        candidates=1,
        held=ENGINES[:1],
        gates=(told,),
    )
    lines = list(observed_lines(Observations(since=None, entries=(entry,)), environment=None, width=width))
    assert all(len(line) <= width and line.isprintable() for line in lines)


# -- the verdict ----------------------------------------------------------------------------------

FAIL = Reason(outcome=Outcome.FAIL, sentence="order_entry.p95 is 812 ms; the limit is <= 500 ms", gate="load")
UNTIL = date(2026, 12, 5)


def judged(name: str, outcome: Outcome, *, observing: bool = False) -> GateJudgement:
    limit = LimitJudgement(
        name="order_entry.p95",
        outcome=outcome,
        because=FAIL.sentence,
        measured="812 ms",
        allowed="<= 500 ms",
    )
    return GateJudgement(
        name=name,
        owner="trading-platform",
        severity=Severity.BLOCKING,
        outcome=outcome,
        because="",
        expected=1,
        ran=1,
        limits=(limit,) if name == "load" else (),
        problems=(),
        mode="observe" if observing else UNSET,
        observe_until=UNTIL if observing else UNSET,
    )


def verdict(*, gate: bool, entry: bool) -> Verdict:
    passed = "1 gate passed: 1 test ran, 0 limits measured and none broken"
    beside = f"{passed}; observed only, would hold: load: {FAIL.sentence}"
    return Verdict(
        verdict="PROMOTE" if gate else "HOLD",
        kind="" if gate else "broken",
        because=beside if gate else f"load: {FAIL.sentence}",
        environment="staging",
        candidate=CandidateName(name="engine", version="1.4.2", commit="0123abc", digest="d" * 64),
        run="20261121T031053Z-fd1fac",
        local=False,
        attempt=1,
        attempts_allowed=3,
        decided=LAST,
        gates=(judged("smoke", Outcome.PASS), judged("load", Outcome.FAIL, observing=gate)),
        reasons=() if gate else (FAIL,),
        inputs=Inputs(rules="r", evidence=("e",), history="h"),
        mode="observe" if entry else UNSET,
        observe_until=UNTIL if entry else UNSET,
        observed=(FAIL,) if gate else UNSET,
    )


def test_the_verdict_on_an_observed_entry() -> None:
    assert "\n".join(verdict_lines(verdict(gate=False, entry=True), head="h")) == ENTRY_GOLDEN


ENTRY_GOLDEN = """\
=============== WOULD HOLD (broken), observed: entry to staging ================
load: order_entry.p95 is 812 ms; the limit is <= 500 ms.
The entry to staging is only observed until the end of 2026-12-05 (UTC): nothing
  is held.

PASS         smoke   1 of 1 tests   owner trading-platform
FAIL         load   1 of 1 tests   owner trading-platform
  ! order_entry.p95        812 ms   <= 500 ms

engine 1.4.2 (commit 0123abc, digest dddddddddddd), run 20261121T031053Z-fd1fac,
  attempt 1 of 3
next: release-gates explain staging
ledger head h"""


def test_the_verdict_with_an_observed_gate() -> None:
    assert "\n".join(verdict_lines(verdict(gate=True, entry=False), head="h")) == GATE_GOLDEN


GATE_GOLDEN = """\
========================== PROMOTE: entry to staging ===========================
1 gate passed: 1 test ran, 0 limits measured and none broken; observed only,
  would hold: load: order_entry.p95 is 812 ms; the limit is <= 500 ms.

PASS         smoke   1 of 1 tests   owner trading-platform
OBSERVED FAIL load, would hold   1 of 1 tests   owner trading-platform
    only observed until the end of 2026-12-05 (UTC): this gate holds nothing
  ! order_entry.p95        812 ms   <= 500 ms

engine 1.4.2 (commit 0123abc, digest dddddddddddd), run 20261121T031053Z-fd1fac,
  attempt 1 of 3
next: release-gates promote --to staging
ledger head h"""


def test_explain_tells_what_is_only_observed_apart() -> None:
    text = "\n".join(explanation_lines(verdict(gate=True, entry=False), {}, width=80, most=8))
    assert "Only observed, would hold:\n  1. FAIL load: order_entry.p95 is 812 ms;" in text
    assert "Why, the worst first" not in text
