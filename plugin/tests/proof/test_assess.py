"""What evidence says of a planted defect: only the reason that was named is a catch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.model.event import Live
from release_gates.model.evidence import Evidence, HostFacts, RunEnd, RunHeader, TestRecord
from release_gates.model.gate import EnvironmentPolicy, GateSpec, Policy
from release_gates.model.limit import LimitRule
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Mode, Outcome, Severity
from release_gates.model.proof import CleanGate, Matrix, Proof, ProofOutcome
from release_gates.policy.grammar import parse_limit
from release_gates.proof.assess import Finding, Judged, classify, is_red, judge_alone, says, standing

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
MESSAGE = "order.lost is"
ONE, TWO = "suites/test_a.py::test_lost", "suites/test_a.py::test_book"
GATE = GateSpec(
    name="smoke",
    owner="me",
    limits=(LimitRule(name="order.lost", limit=parse_limit("== 0 count"), min_samples=10),),
)
OTHER = GateSpec(name="load", owner="me")
POLICY = Policy(
    environments=(EnvironmentPolicy(name="staging", gates=(GATE, OTHER), attempts=1),),
    expected={"smoke": (TWO, ONE), "load": ("suites/test_b.py::test_load",)},
    digest="d" * 64,
)
CANDIDATE = ReleaseCandidate(
    name="engine", version="1", commit="abc", artifacts=(Artifact(name="a", sha256="a" * 64),)
)
HOST = HostFacts(
    hostname="h", cpu_model="c", cores=2, numa_nodes=1, kernel="k", governor="g", python="3", fingerprint="f"
)
HEADER = RunHeader(
    run="r1",
    environment="staging",
    candidate=CANDIDATE,
    rules=POLICY.digest,
    host=HOST,
    actor="me",
    command=(),
    plugins=(),
    started=NOW - timedelta(seconds=9),
)
END = RunEnd(ended=NOW - timedelta(seconds=1), problems=(), tests=2)


def record(test: str = TWO, outcome: Outcome = Outcome.PASS, because: str = "", **more: object) -> TestRecord:
    made = TestRecord(
        id=test,
        gate="smoke",
        outcome=outcome,
        because=because,
        phases=("setup", "call", "teardown"),
        finished=NOW - timedelta(seconds=5),
    )
    return msgspec.structs.replace(made, **more)


def measured(lost: float, samples: int = 100) -> TestRecord:
    value = Measurement(name="order.lost", value=lost, unit="count", samples=samples)
    return record(ONE, measurements=(value,))


def judged(
    *records: TestRecord,
    gate: GateSpec = GATE,
    header: RunHeader = HEADER,
    end: RunEnd | None = END,
    live: Live | None = None,
) -> Judged:
    evidence = Evidence(header=header, tests=records, end=end, sha256="e" * 64)
    return judge_alone(gate, policy=POLICY, evidence=evidence, live=live, now=NOW)


def found(*records: TestRecord, message: str = MESSAGE, **more: object) -> Finding:
    return classify(message, judged(*records, **more))  # type: ignore[arg-type]


class TestOneDefect:
    def test_red_for_the_named_reason_is_caught(self) -> None:
        finding = found(measured(3), record())
        assert finding.outcome is ProofOutcome.CAUGHT
        assert finding.said == "order.lost is 3 count; the limit is == 0 count"
        assert finding.tests == (ONE,)

    def test_red_for_another_reason_is_not(self) -> None:
        finding = found(measured(0), record(outcome=Outcome.FAIL, because="the book is crossed"))
        assert finding.outcome is ProofOutcome.OTHER_REASON
        assert finding.said == "test_book: the book is crossed"
        assert finding.tests == (TWO,)

    def test_the_named_reason_counts_beside_others(self) -> None:
        crossed = record(outcome=Outcome.FAIL, because="the book is crossed")
        assert found(crossed, measured(3)).outcome is ProofOutcome.CAUGHT

    def test_several_other_reasons_are_counted(self) -> None:
        crossed = record(outcome=Outcome.FAIL, because="the book is crossed")
        finding = found(crossed, measured(3), message="cancelled and traded")
        assert finding.said == "test_book: the book is crossed (and 1 more)"
        assert set(finding.tests) == {ONE, TWO}

    def test_green_is_missed(self) -> None:
        finding = found(measured(0), record())
        assert finding == Finding(ProofOutcome.MISSED, "smoke stayed PASS")

    def test_an_error_with_the_very_words_is_no_catch(self) -> None:
        finding = found(measured(0), record(outcome=Outcome.ERROR, because=f"{MESSAGE} unknown"))
        assert finding.outcome is ProofOutcome.NOT_PROVEN
        assert "smoke is ERROR: test_book: order.lost is unknown" in finding.said

    @pytest.mark.parametrize(
        "records",
        [
            pytest.param((measured(3, samples=1), record()), id="too few samples"),
            pytest.param(
                (measured(0), record(outcome=Outcome.INCONCLUSIVE, because="skipped")), id="skipped"
            ),
            pytest.param((measured(3),), id="another test deselected"),
            pytest.param((record(),), id="its test deselected"),
            pytest.param((), id="no test"),
            pytest.param((record(ONE), record()), id="nothing measured"),
        ],
    )
    def test_what_was_not_measured_proves_nothing(self, records: tuple[TestRecord, ...]) -> None:
        assert found(*records).outcome is ProofOutcome.NOT_PROVEN

    def test_what_was_skipped_beside_a_red_changes_nothing(self) -> None:
        skipped = record(outcome=Outcome.INCONCLUSIVE, because="skipped")
        assert found(measured(3), skipped).outcome is ProofOutcome.CAUGHT

    def test_a_crashed_worker_proves_nothing(self) -> None:
        crashed = record(ONE, Outcome.ERROR, "the process that ran it died", phases=("setup",))
        assert found(crashed, record()).outcome is ProofOutcome.NOT_PROVEN

    def test_where_nothing_can_be_measured_the_gate_has_to_say_so(self) -> None:
        lost = judged(record(ONE), record())
        assert classify("nothing measured order.lost", lost, Outcome.MISSING).outcome is ProofOutcome.CAUGHT
        assert classify("the book is crossed", lost, Outcome.MISSING).outcome is ProofOutcome.OTHER_REASON
        assert classify("nothing measured order.lost", lost, Outcome.ERROR).outcome is ProofOutcome.NOT_PROVEN
        red = judged(measured(3), record())
        assert classify(MESSAGE, red, Outcome.MISSING).outcome is ProofOutcome.OTHER_REASON
        green = judged(measured(0), record())
        assert classify(MESSAGE, green, Outcome.MISSING).outcome is ProofOutcome.MISSED

    def test_nothing_judged_proves_nothing(self) -> None:
        assert classify(MESSAGE, Judged(None)) == Finding(ProofOutcome.NOT_PROVEN, "nothing was judged")
        assert not is_red(Judged(None))


class TestTheRun:
    """A red that would count for much is worth nothing where the run itself is in doubt."""

    @pytest.mark.parametrize(
        ("header", "end", "part"),
        [
            (HEADER, None, "did not end"),
            (HEADER, msgspec.structs.replace(END, problems=("interrupted",)), "interrupted"),
            (msgspec.structs.replace(HEADER, rules="x" * 64), END, "under other rules"),
            (msgspec.structs.replace(HEADER, environment="moon"), END, "no environment moon"),
            (
                msgspec.structs.replace(HEADER, candidate=msgspec.structs.replace(CANDIDATE, artifacts=())),
                END,
                "no artifact",
            ),
            (HEADER, msgspec.structs.replace(END, ended=NOW + timedelta(hours=1)), "clock went back"),
        ],
    )
    def test_proves_nothing(self, header: RunHeader, end: RunEnd | None, part: str) -> None:
        finding = found(measured(3), record(), header=header, end=end)
        assert finding.outcome is ProofOutcome.NOT_PROVEN
        assert part in finding.said
        assert not is_red(judged(measured(3), record(), header=header, end=end))

    def test_old_evidence_proves_nothing(self) -> None:
        old = [
            msgspec.structs.replace(each, finished=NOW - timedelta(days=2))
            for each in (measured(3), record())
        ]
        assert found(*old).outcome is ProofOutcome.NOT_PROVEN

    def test_other_gates_do_not_count(self) -> None:
        other = record("suites/test_b.py::test_load", Outcome.FAIL, f"{MESSAGE} 3", gate="load")
        assert found(measured(0), record(), other).outcome is ProofOutcome.MISSED

    def test_an_observed_gate_is_judged_like_an_enforced_one(self) -> None:
        observing = msgspec.structs.replace(GATE, mode=Mode.OBSERVE)
        assert found(measured(3), record(), gate=observing).outcome is ProofOutcome.CAUGHT

    def test_an_advisory_gate_is_judged_like_a_blocking_one(self) -> None:
        advisory = msgspec.structs.replace(GATE, severity=Severity.ADVISORY)
        assert found(measured(3), record(), gate=advisory).outcome is ProofOutcome.CAUGHT


@pytest.mark.parametrize(
    ("sentence", "message", "expected"),
    [
        ("order.lost is 1 count", "order.lost is 1", True),
        ("order.lost is 12 count", "order.lost is 1", False),
        ("order.lost is 1.5 count", "order.lost is 1", False),
        ("order.lost is 1.", "order.lost is 1", True),
        ("the order.lost is 1", "order.lost is", True),
        ("reorder.lost is 1", "order.lost is", False),
        ("big.order.lost is 1", "order.lost is", True),
        ("order_lost is 1", "lost is", False),
        ("order.p99@steady is 5 ms", "order.p99", False),
        ("order 12 was cancelled, yet traded", "was cancelled", True),
        ("a (b) [c].* d", "(b) [c].*", True),
        ("anything", "", False),
    ],
)
def test_a_message_is_whole_words(sentence: str, message: str, expected: bool) -> None:
    assert says(sentence, message) is expected


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_text_breaks_the_comparison_and_only_contained_ones_are_said(sentence: str, message: str) -> None:
    assert not says(sentence, message) or (message and message in sentence)


def test_the_name_of_a_test_is_no_reason() -> None:
    named = record(ONE, Outcome.FAIL, "the port is taken", measurements=measured(0).measurements)
    finding = found(named, record(), message="test_lost")
    assert (finding.outcome, finding.said) == (ProofOutcome.OTHER_REASON, "test_lost: the port is taken")


def row(outcome: ProofOutcome) -> Proof:
    return Proof(defect="lost", gate="smoke", outcome=outcome, message=MESSAGE)


def matrix(
    outcomes: Sequence[ProofOutcome], clean: Sequence[Outcome] = (Outcome.PASS,), bare: tuple[str, ...] = ()
) -> Matrix:
    return Matrix(
        environment="staging",
        rules="r",
        candidate="c",
        clean=tuple(CleanGate(gate="smoke", outcome=outcome) for outcome in clean),
        proofs=tuple(map(row, outcomes)),
        declared={"smoke": len(outcomes)},
        bare=bare,
        advisory=(),
        elsewhere=(),
    )


class TestStanding:
    def test_proven_needs_everything(self) -> None:
        assert standing(matrix([ProofOutcome.CAUGHT, ProofOutcome.UNGUARDED])) == "proven"

    @pytest.mark.parametrize(
        "wrong", [ProofOutcome.MISSED, ProofOutcome.OTHER_REASON, ProofOutcome.WRONG_GATE]
    )
    def test_one_gate_that_does_not_do_its_work_is_broken(self, wrong: ProofOutcome) -> None:
        assert standing(matrix([ProofOutcome.CAUGHT, ProofOutcome.NOT_PROVEN, wrong])) == "broken"

    def test_a_gate_without_a_defect_is_broken(self) -> None:
        assert standing(matrix([ProofOutcome.CAUGHT], bare=("load",))) == "broken"

    def test_a_gate_that_is_red_on_the_clean_system_is_broken(self) -> None:
        assert standing(matrix([ProofOutcome.CAUGHT], clean=(Outcome.PASS, Outcome.FAIL))) == "broken"

    @pytest.mark.parametrize("clean", [Outcome.ERROR, Outcome.MISSING, Outcome.INCONCLUSIVE, Outcome.WAIVED])
    def test_a_gate_that_is_not_green_on_the_clean_system_proves_nothing(self, clean: Outcome) -> None:
        assert standing(matrix([ProofOutcome.CAUGHT], clean=(clean,))) == "not proven"

    def test_nothing_tried_proves_nothing(self) -> None:
        assert standing(matrix([])) == "not proven"
        assert standing(matrix([ProofOutcome.UNGUARDED])) == "not proven"

    @given(st.lists(st.sampled_from(ProofOutcome)), st.lists(st.sampled_from(Outcome)), st.booleans())
    def test_never_proven_with_a_doubt(
        self, outcomes: list[ProofOutcome], clean: list[Outcome], bare: bool
    ) -> None:
        if standing(matrix(outcomes, clean, ("load",) if bare else ())) == "proven":
            assert set(outcomes) <= {ProofOutcome.CAUGHT, ProofOutcome.UNGUARDED}
            assert ProofOutcome.CAUGHT in outcomes
            assert set(clean) <= {Outcome.PASS, Outcome.WARN}
            assert not bare
