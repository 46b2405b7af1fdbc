"""PROMOTE exactly if nothing speaks against it; a worse fact never improves a verdict."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_gates.judge.decide import decide
from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.model.event import History, Live, PriorFailure
from release_gates.model.evidence import Evidence, HostFacts, RunEnd, RunHeader, TestRecord
from release_gates.model.gate import EnvironmentPolicy, GateSpec, Reruns
from release_gates.model.limit import LimitRule
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome, Severity
from release_gates.model.record import canonical
from release_gates.model.verdict import Verdict
from release_gates.policy.grammar import parse_limit

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
HOST = HostFacts(
    hostname="h", cpu_model="c", cores=2, numa_nodes=1, kernel="k", governor="g", python="3", fingerprint="f"
)
CANDIDATE = ReleaseCandidate(
    name="e", version="1", commit="c", artifacts=(Artifact(name="a", sha256="0" * 64),)
)
HEADER = RunHeader(
    run="r1",
    environment="staging",
    candidate=CANDIDATE,
    rules="rules",
    host=HOST,
    actor="me",
    command=(),
    plugins=(),
    started=NOW - timedelta(minutes=2),
)
PHASES = ("setup", "call", "teardown")
LIMIT = LimitRule(name="order.time", limit=parse_limit("<= 5 ms"))
GATES = (GateSpec(name="smoke", owner="x"), GateSpec(name="load", owner="y", limits=(LIMIT,)))
ENVIRONMENT = EnvironmentPolicy(name="staging", gates=GATES, local_may_promote=True)
EXPECTED = {"smoke": ("t::a", "t::b"), "load": ("t::c",)}


def record(test: str, gate: str, outcome: Outcome = Outcome.PASS, **more: object) -> TestRecord:
    facts: dict[str, object] = {
        "phases": PHASES,
        "finished": NOW - timedelta(minutes=1),
        "last": outcome,
    } | more
    return TestRecord(id=test, gate=gate, outcome=outcome, **facts)  # type: ignore[arg-type]


def measured(value: float) -> tuple[Measurement, ...]:
    return (Measurement(name="order.time", value=value, unit="ms", samples=3),)


TESTS = (record("t::a", "smoke"), record("t::b", "smoke"), record("t::c", "load", measurements=measured(3)))


def evidence(tests: tuple[TestRecord, ...] = TESTS, *, problems: tuple[str, ...] = ()) -> Evidence:
    end = RunEnd(ended=NOW - timedelta(seconds=1), problems=problems, tests=len(tests))
    return Evidence(header=HEADER, tests=tests, end=end, sha256="e")


def verdict(part: Evidence | None = None, **more: object) -> Verdict:
    arguments: dict[str, object] = {
        "rules": "rules",
        "expected": EXPECTED,
        "evidence": [part or evidence()],
        "history": History(),
        "now": NOW,
        "local": True,
        "run": "r1",
    }
    environment = more.pop("environment", ENVIRONMENT)
    return decide(environment, **(arguments | more))  # type: ignore[arg-type]


def test_a_clean_run_promotes_and_reads_back() -> None:
    found = verdict()
    assert found.promotes, found.reasons
    assert msgspec.json.decode(msgspec.json.encode(found), type=Verdict) == found
    assert canonical(found) == canonical(verdict())
    keys = set(msgspec.to_builtins(found))
    assert {
        "schema",
        "verdict",
        "because",
        "environment",
        "candidate",
        "run",
        "gates",
        "reasons",
        "inputs",
    } <= keys


def after(seconds: float, baseline: LimitRule, candidate: ReleaseCandidate | None = CANDIDATE) -> Verdict:
    """Decide on a comparison where something went live so many seconds after the run had begun."""
    live = Live(environment="staging", candidate=candidate, since=HEADER.started + timedelta(seconds=seconds))
    load = msgspec.structs.replace(GATES[1], limits=(baseline,))
    value = (Measurement(name="order.time", value=3, unit="ms", baseline=3),)
    return verdict(
        evidence((*TESTS[:2], record("t::c", "load", measurements=value))),
        environment=msgspec.structs.replace(ENVIRONMENT, gates=(GATES[0], load)),
        history=History(live=live),
    )


def test_clocks_of_two_hosts_may_differ_a_little() -> None:
    assert verdict(now=NOW - timedelta(seconds=30)).promotes


def test_a_comparison_with_what_is_live_no_longer_is_none() -> None:
    change = LimitRule(name="order.time", baseline=parse_limit("<= 5 %", "baseline"))
    assert after(0, change).promotes
    held = after(1, change)
    assert held.kind == "not proven"
    assert "run r1 began before 1 went live in staging" in held.because
    assert after(1, LIMIT).promotes, "nothing was compared"
    assert after(1, change, None).promotes, "a first release has nothing to be compared with"


ROWS: list[tuple[str, Callable[[], Verdict], str, str]] = [
    ("missing test", lambda: verdict(evidence(TESTS[1:])), "not proven", "1 expected test did not run: t::a"),
    ("no tests", lambda: verdict(evidence(())), "not proven", "2 expected tests did not run"),
    (
        "no expected file",
        lambda: verdict(expected={"smoke": EXPECTED["smoke"]}),
        "not proven",
        "does not exist",
    ),
    (
        "empty expected file",
        lambda: verdict(expected={**EXPECTED, "load": ()}),
        "not proven",
        "names no test",
    ),
    (
        "unexpected",
        lambda: verdict(evidence((*TESTS, record("t::z", "smoke")))),
        "not proven",
        "not expected",
    ),
    (
        "no gates",
        lambda: verdict(environment=EnvironmentPolicy(name="staging", gates=())),
        "not proven",
        "no gate",
    ),
    ("other rules", lambda: verdict(rules="others"), "not proven", "under other rules"),
    ("killed", lambda: verdict(msgspec.structs.replace(evidence(), end=None)), "not proven", "did not end"),
    ("problem", lambda: verdict(evidence(problems=("interrupted",))), "not proven", "interrupted"),
    ("clock back", lambda: verdict(now=NOW - timedelta(minutes=90)), "not proven", "clock went back"),
    (
        "a minute of clocks that differ, and no more",
        lambda: verdict(now=NOW - timedelta(seconds=62)),
        "not proven",
        "clock went back",
    ),
    ("stale", lambda: verdict(now=NOW + timedelta(days=2)), "not proven", "not from the last 24 h"),
    (
        "local",
        lambda: verdict(environment=msgspec.structs.replace(ENVIRONMENT, local_may_promote=False)),
        "not proven",
        "local and unsigned",
    ),
    (
        "attempts",
        lambda: verdict(history=History(unproven_runs=("a", "b", "c"))),
        "not proven",
        "attempt 4 of 3",
    ),
    (
        "earlier FAIL",
        lambda: verdict(
            history=History(failures=(PriorFailure(run="r0", gate="smoke", test="t", because="bad"),))
        ),
        "broken",
        "no later run replaces that: bad",
    ),
    (
        "broken limit",
        lambda: verdict(evidence((*TESTS[:2], record("t::c", "load", measurements=measured(9))))),
        "broken",
        "order.time is 9 ms; the limit is <= 5 ms",
    ),
    (
        "unmeasured",
        lambda: verdict(evidence((*TESTS[:2], record("t::c", "load")))),
        "not proven",
        "nothing measured order.time",
    ),
    (
        "no teardown",
        lambda: verdict(evidence((record("t::a", "smoke", phases=PHASES[:2]), *TESTS[1:]))),
        "not proven",
        "no report of its teardown",
    ),
    (
        "recorded twice, first one bad",
        lambda: verdict(evidence((record("t::c", "load", measurements=measured(9)), *TESTS))),
        "broken",
        "order.time is 9 ms",
    ),
    (
        "no artifacts",
        lambda: verdict(
            msgspec.structs.replace(
                evidence(),
                header=msgspec.structs.replace(
                    HEADER, candidate=msgspec.structs.replace(CANDIDATE, artifacts=())
                ),
            )
        ),
        "not proven",
        "no artifact",
    ),
]


@pytest.mark.parametrize(("make", "kind", "says"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_hold(make: Callable[[], Verdict], kind: str, says: str) -> None:
    found = make()
    assert (found.verdict, found.kind) == ("HOLD", kind)
    assert any(says in reason.sentence for reason in found.reasons), found.reasons
    assert found.because


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("severity", Severity)
def test_outcome_of_one_test_decides_by_severity(outcome: Outcome, severity: Severity) -> None:
    gates = (msgspec.structs.replace(GATES[0], severity=severity), GATES[1])
    part = evidence((record("t::a", "smoke", outcome), *TESTS[1:]))
    found = verdict(part, environment=msgspec.structs.replace(ENVIRONMENT, gates=gates))
    lets_in = outcome.promotes and outcome is not Outcome.WAIVED  # a conclusion, which evidence cannot draw
    assert found.promotes is (lets_in or severity is not Severity.BLOCKING)


@pytest.mark.parametrize(
    ("reruns", "attempts", "network", "promotes"),
    [
        (None, 2, True, False),
        (Reruns(most=1), 2, True, True),
        (Reruns(most=1), 2, False, False),
        (Reruns(most=1, only="any"), 2, False, True),
        (Reruns(most=1), 3, True, False),
    ],
)
def test_reruns(reruns: Reruns | None, attempts: int, network: bool, promotes: bool) -> None:
    gates = (msgspec.structs.replace(GATES[0], reruns=reruns), GATES[1])
    again = record("t::a", "smoke", Outcome.ERROR, attempts=attempts, last=Outcome.PASS, network_only=network)
    part = evidence((again, *TESTS[1:]))
    assert verdict(part, environment=msgspec.structs.replace(ENVIRONMENT, gates=gates)).promotes is promotes


# -- a worse fact never improves a verdict --------------------------------------------------------

OUTCOMES = st.sampled_from(Outcome)
RANK = {"": 0, "not proven": 1, "broken": 2}


@st.composite
def runs(draw: st.DrawFn) -> tuple[TestRecord, ...]:
    return tuple(
        record(
            test,
            gate,
            draw(OUTCOMES),
            phases=PHASES[: draw(st.integers(0, 3))],
            measurements=measured(draw(st.sampled_from([1.0, 5.0, 9.0]))) if draw(st.booleans()) else (),
        )
        for gate, tests in EXPECTED.items()
        for test in tests
        if draw(st.booleans())
    )


def worse_outcome(test: TestRecord) -> TestRecord:
    order = list(Outcome)
    return msgspec.structs.replace(test, outcome=order[min(test.outcome.rank + 1, len(order) - 1)])


WORSE: list[Callable[[TestRecord], TestRecord]] = [
    worse_outcome,
    lambda test: msgspec.structs.replace(test, phases=test.phases[:-1]),
    lambda test: msgspec.structs.replace(test, measurements=measured(9)),
]


@settings(max_examples=300)
@given(runs(), st.data())
def test_a_worse_fact_never_improves_a_verdict(tests: tuple[TestRecord, ...], data: st.DataObject) -> None:
    before = verdict(evidence(tests))
    if not tests:
        return
    place = data.draw(st.integers(0, len(tests) - 1))
    worsen = data.draw(st.sampled_from(WORSE))
    after = verdict(evidence((*tests[:place], worsen(tests[place]), *tests[place + 1 :])))
    assert not (after.promotes and not before.promotes)
    if worsen is worse_outcome:
        assert RANK[after.kind] >= RANK[before.kind]


@settings(max_examples=300)
@given(runs())
def test_never_promotes_with_anything_blocking_open(tests: tuple[TestRecord, ...]) -> None:
    found = verdict(evidence(tests))
    clean = all(gate.outcome.promotes for gate in found.gates)
    assert found.promotes is clean
    complete = {test.id for test in tests} == {"t::a", "t::b", "t::c"}
    if found.promotes:
        assert complete
        assert all(test.outcome.promotes and test.phases == PHASES for test in tests)


@given(runs(), st.text(min_size=1, max_size=20))
def test_a_problem_of_the_run_always_holds(tests: tuple[TestRecord, ...], problem: str) -> None:
    assert not verdict(evidence(tests, problems=(problem,))).promotes


@given(runs(), st.integers(0, 2))
def test_a_test_that_is_taken_away_never_helps(tests: tuple[TestRecord, ...], place: int) -> None:
    if place < len(tests):
        assert not verdict(evidence((*tests[:place], *tests[place + 1 :]))).promotes
