"""The matrix as people read it: 80 columns, every sentence in full."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from release_gates.model.outcome import Outcome
from release_gates.model.proof import CleanGate, GateProofs, Matrix, Proof, ProofOutcome, Sighting
from release_gates.report.proof import matrix_lines, proofs_sentence, summary

ROWS = (
    ("lost_event", "journal", ProofOutcome.CAUGHT, "journal.lost_events is", "journal.lost_events is 3"),
    (
        "slow_match",
        "matching",
        ProofOutcome.OTHER_REASON,
        "levels_per_order is",
        "test_work_per_order: the port 8080 is taken by another process (and 1 more)",
    ),
    ("lost_cancel", "smoke", ProofOutcome.WRONG_GATE, "was cancelled", "load went red, smoke did not"),
    ("slow_cancel", "smoke", ProofOutcome.MISSED, "order.time is", "smoke stayed PASS, and no other did"),
    ("crash", "smoke", ProofOutcome.NOT_PROVEN, "service died", "`make bad` ended with status 2"),
    ("torn_log", "audit", ProofOutcome.UNGUARDED, "log is torn", "the audit gate comes with issue 12"),
)


def matrix(rows: tuple[tuple[str, str, ProofOutcome, str, str], ...] = ROWS, **more: object) -> Matrix:
    values: dict[str, object] = {
        "environment": "staging",
        "rules": "r",
        "candidate": "c",
        "clean": (CleanGate(gate="smoke", outcome=Outcome.PASS),),
        "proofs": tuple(Proof(defect=d, gate=g, outcome=o, message=m, said=s) for d, g, o, m, s in rows),
        "declared": {"journal": 1, "matching": 1, "smoke": 3, "load": 0},
        "bare": ("load",),
        "advisory": (),
        "elsewhere": (),
        **more,
    }
    return Matrix(**values)  # type: ignore[arg-type]


def lines(found: Matrix, width: int = 80) -> list[str]:
    return [line.text.rstrip() for line in matrix_lines(found, width)]


GOLDEN = """\
====================== planted defects: entry to staging =======================
defect       gate      outcome       message
lost_event   journal   caught        journal.lost_events is
slow_match   matching  other reason  levels_per_order is
    said instead: test_work_per_order: the port 8080 is taken by another process
      (and 1 more)
lost_cancel  smoke     wrong gate    was cancelled
    wrong gate: load went red, smoke did not
slow_cancel  smoke     missed        order.time is
    missed: smoke stayed PASS, and no other did
crash        smoke     not proven    service died
    `make bad` ended with status 2
torn_log     audit     unguarded     log is torn
    the audit gate comes with issue 12

load: a gate without a planted defect. Declare one in gates/defects.toml
1 of 5 guarded defects caught; 1 unguarded: torn_log; 1 gate without a defect:
  load
"""


def test_every_outcome_at_80_columns() -> None:
    assert "\n".join(lines(matrix())) + "\n" == GOLDEN


def test_good_and_bad_news_are_told_apart() -> None:
    told = {line.text.split()[0]: line.good for line in matrix_lines(matrix()) if line.text.strip()}
    assert told["lost_event"] is True
    assert [told[name] for name in ("slow_match", "lost_cancel", "slow_cancel", "crash", "load:")] == [
        False
    ] * 5
    assert told["torn_log"] is None


def test_the_clean_system_the_advisory_and_the_rest() -> None:
    found = lines(
        matrix(
            ROWS[:1],
            clean=(CleanGate(gate="smoke", outcome=Outcome.FAIL, because="order.time is 9 ms"),),
            declared={"journal": 3},
            bare=(),
            advisory=("load",),
            elsewhere=("far",),
        )
    )
    assert "smoke: FAIL on the clean system: order.time is 9 ms" in found
    assert "load is no blocking gate: when it goes red, the candidate enters all the same" in found
    assert "Not for the entry to staging: far" in found
    told = " ".join(" ".join(found).split())
    assert (
        "1 of 1 guarded defects caught; 2 more not tried; not green on the clean system: smoke; "
        "no gate without a defect" in told
    )


def test_one_reason_for_several_gates_is_told_once() -> None:
    why = "there is no clean system: `make` ended with status 2"
    clean = [CleanGate(gate=gate, outcome=Outcome.ERROR, because=why) for gate in ("smoke", "load")]
    told = " ".join(" ".join(lines(matrix(clean=tuple(clean)))).split())
    assert f"smoke and load: ERROR on the clean system: {why}" in told
    assert told.count(why) == 1


def test_nothing_declared() -> None:
    assert summary(matrix((), declared={"load": 0})) == (
        "0 of 0 guarded defects caught; 1 gate without a defect: load"
    )


@example(rows=[("a" * 18, "b" * 18, ProofOutcome.CAUGHT, "0", "")], width=60)
@given(
    st.lists(
        st.tuples(
            st.text("abc_", min_size=1, max_size=60),
            st.text("abc_", min_size=1, max_size=30),
            st.sampled_from(ProofOutcome),
            st.text(min_size=1, max_size=120),
            st.text(max_size=300),
        ),
        max_size=3,
    ),
    st.integers(min_value=60, max_value=200),
)
def test_no_line_moves_the_cursor_and_words_are_not_lost(
    rows: list[tuple[str, str, ProofOutcome, str, str]], width: int
) -> None:
    found = list(matrix_lines(matrix(tuple(rows)), width))
    for line in found:
        assert line.text.isprintable()
        assert len(line.text) <= width
    told = "".join("".join(line.text for line in found).split())
    for defect, *_ in rows:
        assert defect in told


def sighting(
    number: int, *, red: bool = True, caught: int = 2, tried: int = 2, rules: str = "r1"
) -> Sighting:
    when = datetime(2026, 1, number, 12, 30, tzinfo=UTC)
    return Sighting(
        rules=rules, tried_at=when, red=when if red else None, caught=caught, tried=tried, declared=3
    )


NEVER = sighting(5, red=False, caught=0)
RED = sighting(4, tried=3, caught=3)


@pytest.mark.parametrize(
    ("newest", "red", "expected"),
    [
        (None, None, "smoke: never seen red (`release-gates prove staging`)"),
        (
            NEVER,
            None,
            "smoke: never seen red, on 0 of 3 defects (1 not tried) (newest proof 2026-01-05 12:30 UTC)",
        ),
        (RED, RED, "smoke: last seen red 2026-01-04 12:30 UTC on 3 of 3 defects"),
        (
            sighting(5, rules="old", tried=3),
            sighting(5, rules="old", tried=3),
            "smoke: last seen red 2026-01-05 12:30 UTC on 2 of 3 defects, under other rules",
        ),
        (
            NEVER,
            sighting(4, rules="old", tried=3),
            "smoke: last seen red 2026-01-04 12:30 UTC on 2 of 3 defects, under other rules; "
            "on 0 of 3 defects (1 not tried) in the newest proof, 2026-01-05 12:30 UTC",
        ),
    ],
)
def test_when_a_gate_was_last_seen_red(newest: Sighting | None, red: Sighting | None, expected: str) -> None:
    found = GateProofs(gate="smoke", newest=newest, red=red)
    assert proofs_sentence(found, environment="staging", rules="r1") == expected
