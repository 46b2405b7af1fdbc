"""A waiver makes nothing better than WAIVED, covers what it names within its bound, and ends when it ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_gates.judge.decide import decide, short_parts
from release_gates.judge.tails import tail_of
from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.model.event import History, Live, PriorFailure, ShortPart
from release_gates.model.evidence import Evidence, HostFacts, RunEnd, RunHeader, TestRecord
from release_gates.model.gate import EnvironmentPolicy, GateSpec
from release_gates.model.limit import LimitRule
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome
from release_gates.model.record import canonical, digest
from release_gates.model.verdict import Verdict
from release_gates.model.waiver import Waiver, near_expiry
from release_gates.policy.grammar import parse_limit

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
CANDIDATE = ReleaseCandidate(
    name="e", version="1.4.2", commit="c", artifacts=(Artifact(name="a", sha256="0" * 64),)
)
HOST = HostFacts(
    hostname="h", cpu_model="c", cores=2, numa_nodes=1, kernel="k", governor="g", python="3", fingerprint="f"
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
NOTHING = History()
PRINT, OTHER = "a" * 32, "b" * 32
LIMITS = (
    LimitRule(name="order.time", limit=parse_limit("<= 5 ms")),
    LimitRule(name="order.rate", limit=parse_limit(">= 100 orders/s")),
)
LOAD, SMOKE = GateSpec(name="load", owner="y", limits=LIMITS), GateSpec(name="smoke", owner="x")
ENVIRONMENT = EnvironmentPolicy(name="staging", gates=(LOAD, SMOKE), local_may_promote=True)
EXPECTED = {"load": ("t::load",), "smoke": ("t::a", "t::b")}


def waiver(name: str = "w", **changes: object) -> Waiver:
    facts: dict[str, object] = {
        "environment": "staging",
        "gate": "load",
        "limit": "order.time",
        "candidate": CANDIDATE.digest,
        "bound": parse_limit("<= 6 ms"),
        "reason": "known",
        "ticket": "OPS-1",
        "owner": "ann",
        "approver": "bob",
        "created": NOW - DAY,
        "expires": NOW + DAY,
    } | changes
    return Waiver(name=name, **facts)  # type: ignore[arg-type]


def for_test(name: str = "w", **changes: object) -> Waiver:
    facts = {"gate": "smoke", "limit": "", "bound": None, "test": "t::a", "fingerprint": PRINT}
    return waiver(name, **(facts | changes))


def record(test: str, outcome: Outcome = Outcome.PASS, *prints: str, **more: object) -> TestRecord:
    facts: dict[str, object] = {
        "gate": "load" if test == "t::load" else "smoke",
        "phases": ("setup", "call", "teardown"),
        "finished": NOW - timedelta(minutes=1),
        "because": "" if outcome is Outcome.PASS else "it broke",
        "fingerprints": prints,
        "last": outcome,
    } | more
    return TestRecord(id=test, outcome=outcome, **facts)  # type: ignore[arg-type]


def measured(time: Measurement | float = 3.0, rate: float = 200) -> tuple[Measurement, ...]:
    value = Measurement(name="order.time", value=time, unit="ms") if isinstance(time, (int, float)) else time
    return (value, Measurement(name="order.rate", value=rate, unit="orders/s"))


def run(
    *waivers: Waiver,
    time: Measurement | float = 3.0,
    rate: float = 200,
    a: TestRecord | None = None,
    history: History = NOTHING,
    environment: EnvironmentPolicy = ENVIRONMENT,
    now: datetime = NOW,
    tests: tuple[TestRecord, ...] | None = None,
) -> Verdict:
    made = (
        record("t::load", measurements=measured(time, rate)),
        a or record("t::a"),
        record("t::b"),
    )
    return decide(
        environment,
        rules="rules",
        expected=EXPECTED,
        evidence=[evidence(made if tests is None else tests)],
        history=history,
        now=now,
        local=True,
        run="r1",
        waivers=waivers,
    )


def evidence(tests: tuple[TestRecord, ...]) -> Evidence:
    end = RunEnd(ended=NOW - timedelta(seconds=1), problems=(), tests=len(tests))
    return Evidence(header=HEADER, tests=tests, end=end, sha256="e")


BAD = record("t::a", Outcome.FAIL, PRINT)


# -- what is covered ------------------------------------------------------------------------------


def test_a_broken_limit_within_its_bound_is_waived_and_says_by_whom() -> None:
    found = run(waiver(), time=6.0)
    assert found.promotes, found.reasons
    gate = found.gates[0]
    (limit,) = (each for each in gate.limits if each.name == "order.time")
    assert (gate.outcome, limit.outcome, limit.measured) == (Outcome.WAIVED, Outcome.WAIVED, "6 ms")
    assert limit.waived
    assert (limit.waived.was, limit.waived.approver, limit.waived.expires) == (Outcome.FAIL, "bob", NOW + DAY)
    assert "waived by bob until 2026-02-01 12:00:00 UTC, within <= 6 ms" in limit.because
    assert found.title == "PROMOTE with 1 waiver"
    assert "what is broken is within 1 waiver" in found.because
    assert found.inputs.waivers == digest([waiver()])
    assert msgspec.json.decode(msgspec.json.encode(found), type=Verdict) == found


@pytest.mark.parametrize("outcome", [Outcome.FAIL, Outcome.ERROR])
def test_a_known_failure_of_a_test_is_waived(outcome: Outcome) -> None:
    found = run(for_test(), a=record("t::a", outcome, PRINT))
    assert found.promotes, found.reasons
    assert found.gates[1].outcome is Outcome.WAIVED
    two = run(for_test(), for_test("v", fingerprint=OTHER), a=record("t::a", outcome, PRINT, OTHER))
    assert two.title == "PROMOTE with 1 waiver"


def test_an_undecided_quantile_is_waived_where_enough_samples_keep_the_bound() -> None:
    values = sorted([1.0] * 98_900 + [5.5] * 1_100)
    bounds = (*parse_limit("<= 5 ms").bounds, *parse_limit("<= 6 ms").bounds)
    tail = tail_of(values[:20_000] + values[-220:], "ms", 0.99, bounds)
    time = Measurement(name="order.time", value=5.0, unit="ms", samples=tail.samples, tail=tail)
    assert run(time=time).kind
    assert run(waiver(), time=time).promotes
    uncounted = msgspec.structs.replace(tail, over={key: n for key, n in tail.over.items() if "5.0" in key})
    assert not run(waiver(), time=msgspec.structs.replace(time, tail=uncounted)).promotes


@pytest.mark.parametrize(("bound", "covers"), [("<= 5.5 ms", True), ("<= 5.4 ms", False)])
def test_an_undecided_value_is_held_against_its_upper_end(bound: str, covers: bool) -> None:
    time = Measurement(name="order.time", value=4.9, unit="ms", samples=9, interval=(4.3, 5.5))
    assert run(time=time).kind == "not proven"
    assert run(waiver(bound=parse_limit(bound)), time=time).promotes is covers
    endless = msgspec.structs.replace(time, interval=(4.3, None))
    assert not run(waiver(bound=parse_limit(bound)), time=endless).promotes


def test_a_change_is_waived_by_a_bound_of_the_change_alone() -> None:
    rule = LimitRule(name="order.time", baseline=parse_limit("<= 1 %", "baseline"))
    load = msgspec.structs.replace(LOAD, limits=(rule,))
    entry = msgspec.structs.replace(ENVIRONMENT, gates=(load, SMOKE))
    live = History(live=Live(environment="staging", candidate=CANDIDATE, since=NOW - DAY))
    time = Measurement(name="order.time", value=103.0, unit="ms", baseline=100.0)
    wide = waiver(bound=None, change=parse_limit("<= 4 %", "baseline"))
    narrow = waiver(bound=None, change=parse_limit("<= 2 %", "baseline"))
    assert run(wide, time=time, environment=entry, history=live).promotes
    assert not run(narrow, time=time, environment=entry, history=live).promotes
    assert not run(
        waiver(bound=parse_limit("<= 999 ms")), time=time, environment=entry, history=live
    ).promotes


@pytest.mark.parametrize(
    ("versions", "covers"),
    [
        (("1.4.0", "1.4.2"), True),
        (("1.4.2", "1.4.2"), True),
        (("1.4.10", "1.5"), False),
        (("1.4.0", "1.4.2rc1"), False),
    ],
)
def test_a_range_of_versions(versions: tuple[str, str], covers: bool) -> None:
    assert run(waiver(candidate="", versions=versions), time=6.0).promotes is covers


# -- what is not ----------------------------------------------------------------------------------

ROWS: list[tuple[str, tuple[Waiver, ...], dict[str, object], str]] = [
    ("another limit", (waiver(limit="order.rate"),), {"time": 6.0}, "order.time is 6 ms"),
    ("worse than its bound", (waiver(),), {"time": 6.1}, "it is not within the bound of waiver w (<= 6 ms)"),
    ("another candidate", (waiver(candidate="1" * 64),), {"time": 6.0}, "it is for another candidate"),
    ("other versions", (waiver(candidate="", versions=("1", "1.4.1")),), {"time": 6.0}, "another candidate"),
    ("another entry", (waiver(environment="production"),), {"time": 6.0}, "the limit is <= 5 ms"),
    ("another gate", (waiver(gate="smoke"),), {"time": 6.0}, "the limit is <= 5 ms"),
    ("expired", (waiver(expires=NOW),), {"time": 6.0}, "w does not count: it expired"),
    ("from the future", (waiver(created=NOW + timedelta(seconds=1)),), {"time": 6.0}, "in the future"),
    ("approved by its owner", (waiver(approver=" ANN "),), {"time": 6.0}, "its owner and its approver"),
    ("too long", (waiver(expires=NOW + 30 * DAY),), {"time": 6.0}, "lasts 31 days, and a waiver for staging"),
    ("no bound", (waiver(bound=None),), {"time": 6.0}, "it has no bound"),
    ("bound on the wrong side", (waiver(bound=parse_limit(">= 0 ms")),), {"time": 6.0}, "is no bound for"),
    ("bound of another unit", (waiver(bound=parse_limit("<= 9 MiB")),), {"time": 6.0}, "not within"),
    (
        "second entry widens",
        (waiver(), waiver("v", bound=parse_limit("<= 9 ms"))),
        {"time": 7.0},
        "of waiver w",
    ),
    ("no fingerprint", (for_test(fingerprint=""),), {"a": BAD}, "it names no fingerprint"),
    ("another failure", (for_test(fingerprint=OTHER),), {"a": BAD}, "another failure than the one"),
    (
        "one failure more",
        (for_test(),),
        {"a": record("t::a", Outcome.FAIL, PRINT, OTHER)},
        "another failure than the one that is waived (w)",
    ),
    ("a crash more", (for_test(),), {"a": record("t::a", Outcome.FAIL, PRINT, "")}, "another failure"),
    (
        "a failure without a fingerprint",
        (for_test(),),
        {"a": record("t::a", Outcome.FAIL)},
        "another failure",
    ),
    ("a skip", (for_test(),), {"a": record("t::a", Outcome.INCONCLUSIVE, PRINT)}, "it broke"),
    (
        "no teardown",
        (for_test(),),
        {"a": record("t::a", Outcome.FAIL, PRINT, phases=("setup", "call"))},
        "no report of its teardown",
    ),
    (
        "a test that vanished",
        (for_test(),),
        {"tests": (record("t::load", measurements=measured()), record("t::b"))},
        "did not run: t::a",
    ),
    (
        "a limit that nobody measured",
        (waiver(),),
        {"tests": (record("t::load"), record("t::a"), record("t::b"))},
        "nothing measured order.time; the policy asks for <= 5 ms; waiver w (<= 6 ms) does not cover",
    ),
    (
        "a value that is missing",
        (waiver(),),
        {"time": Measurement(name="order.time", absent="missing", because="down")},
        "does not cover what is MISSING",
    ),
    (
        "a value that could not be measured",
        (waiver(),),
        {"time": Measurement(name="order.time", absent="error", because="down")},
        "does not cover what is ERROR",
    ),
    (
        "a value that nobody could decide",
        (waiver(),),
        {"time": Measurement(name="order.time", absent="inconclusive", because="one node")},
        "not within the bound",
    ),
    (
        "a value of another unit",
        (waiver(),),
        {"time": Measurement(name="order.time", value=3, unit="MiB")},
        "does not cover what is ERROR",
    ),
    (
        "an unwaivable gate",
        (waiver(),),
        {
            "time": 6.0,
            "environment": msgspec.structs.replace(
                ENVIRONMENT, gates=(msgspec.structs.replace(LOAD, unwaivable=True), SMOKE)
            ),
        },
        "gate load may not be waived",
    ),
    (
        "no waivers at all",
        (waiver(),),
        {"time": 6.0, "environment": msgspec.structs.replace(ENVIRONMENT, max_waiver_days=0)},
        "lasts at most 0",
    ),
]


@pytest.mark.parametrize(
    ("waivers", "facts", "says"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_hold(waivers: tuple[Waiver, ...], facts: dict[str, object], says: str) -> None:
    found = run(*waivers, **facts)  # type: ignore[arg-type]
    assert not found.promotes
    assert any(says in reason.sentence for reason in found.reasons), found.reasons


def test_too_few_samples_stay_too_few() -> None:
    rule = LimitRule(name="order.time", limit=parse_limit("<= 5 ms"), min_samples=1000)
    entry = msgspec.structs.replace(ENVIRONMENT, gates=(msgspec.structs.replace(LOAD, limits=(rule,)), SMOKE))
    time = Measurement(name="order.time", value=1.0, unit="ms", samples=10)
    assert run(waiver(), time=time, environment=entry).kind == "not proven"


def test_what_nothing_needs_and_what_does_not_count_is_reported() -> None:
    found = run(waiver(), for_test("old", expires=NOW - timedelta(seconds=1)), waiver("x", environment="dev"))
    assert found.title == "PROMOTE"
    assert [(use.waiver, use.state) for use in found.other_waivers] == [("w", "unused"), ("old", "void")]


def test_without_waivers_a_verdict_is_what_it_was() -> None:
    plain = canonical(run(time=6.0))
    assert b"waive" not in plain


# -- earlier runs ---------------------------------------------------------------------------------


def earlier(*parts: ShortPart) -> History:
    failure = PriorFailure(
        run="r0", gate="load", test="t::load", because="6 ms", parts=parts or msgspec.UNSET
    )
    return History(failures=(failure,))


def broken(value: float) -> ShortPart:
    return ShortPart(gate="load", test="t::load", measurement=measured(value)[0])


def test_an_earlier_fail_is_covered_only_where_all_of_it_is() -> None:
    assert run(waiver(), history=earlier(broken(6))).promotes
    assert not run(history=earlier(broken(6))).promotes
    assert not run(waiver(), history=earlier(broken(6.1))).promotes
    assert not run(waiver(), history=earlier(broken(6), broken(7))).promotes
    assert not run(waiver(), history=earlier(broken(4))).promotes, "it failed by rules that nobody knows now"
    slow = ShortPart(gate="load", test="t::load", measurement=measured(3.0, rate=50)[1])
    assert not run(waiver(), history=earlier(broken(6), slow)).promotes
    assert not run(waiver(), history=earlier()).promotes, "nobody knows what failed"
    crash = ShortPart(gate="load", test="t::load", fingerprints=("",))
    assert not run(waiver(), history=earlier(broken(6), crash)).promotes


def test_all_that_failed_is_kept_for_later_runs() -> None:
    tests = (record("t::load", measurements=measured(6.0, rate=50)), BAD, record("t::b", Outcome.FAIL))
    parts = short_parts(ENVIRONMENT, evidence=[evidence(tests)], history=History(), now=NOW)
    named = [(part.test, part.measurement.name if part.measurement else part.fingerprints) for part in parts]
    assert named == [
        ("t::load", "order.time"),
        ("t::load", "order.rate"),
        ("t::a", (PRINT,)),
        ("t::b", ("",)),
    ]


# -- laws -----------------------------------------------------------------------------------------

OUTCOMES = st.sampled_from(Outcome)
VALUES = st.sampled_from([3.0, 5.0, 5.5, 6.0, 6.5, 9.0])
MOMENTS = st.integers(-40, 40).map(lambda days: NOW + days * DAY)


@st.composite
def some_waivers(draw: st.DrawFn) -> tuple[Waiver, ...]:
    made = []
    for number in range(draw(st.integers(0, 3))):
        changes: dict[str, object] = {
            "created": draw(MOMENTS),
            "expires": draw(MOMENTS),
            "approver": draw(st.sampled_from(["bob", "Ann"])),
            "candidate": draw(st.sampled_from([CANDIDATE.digest, "1" * 64])),
        }
        if draw(st.booleans()):
            bound = draw(st.sampled_from([None, "<= 6 ms", "<= 9 ms", ">= 0 ms"]))
            made.append(waiver(f"w{number}", bound=parse_limit(bound) if bound else None, **changes))
        else:
            made.append(
                for_test(f"w{number}", fingerprint=draw(st.sampled_from([PRINT, OTHER, ""])), **changes)
            )
    return tuple(made)


FACTS = st.fixed_dictionaries(
    {
        "time": VALUES,
        "rate": st.sampled_from([50.0, 200.0]),
        "a": st.builds(
            lambda outcome, prints: record("t::a", outcome, *prints),
            OUTCOMES,
            st.lists(st.sampled_from([PRINT, OTHER, ""]), max_size=2, unique=True),
        ),
    }
)


@settings(max_examples=300)
@given(some_waivers(), FACTS)
def test_a_waiver_makes_nothing_better_than_waived(
    waivers: tuple[Waiver, ...], facts: dict[str, object]
) -> None:
    plain, with_waivers = run(**facts), run(*waivers, **facts)  # type: ignore[arg-type]
    for before, after in zip(plain.gates, with_waivers.gates, strict=True):
        parts = zip((*before.limits, *before.problems), (*after.limits, *after.problems), strict=True)
        for own, found in parts:
            assert found.outcome is own.outcome or (found.outcome is Outcome.WAIVED and own.outcome.rank > 2)
            assert bool(found.waived) is (found.outcome is Outcome.WAIVED)
            if found.waived:
                (by,) = (each for each in waivers if each.name == found.waived.waiver)
                assert by.created <= NOW < by.expires
                assert by.gate == after.name
                assert (by.approver, by.candidate) == ("bob", CANDIDATE.digest)
    if with_waivers.promotes and not plain.promotes:
        assert with_waivers.needed_waivers
        assert with_waivers.title != "PROMOTE"


@settings(max_examples=200)
@given(some_waivers(), FACTS, st.integers(1, 100))
def test_never_after_expiry(waivers: tuple[Waiver, ...], facts: dict[str, object], days: int) -> None:
    """Whatever promotes when all waivers have ended promotes without any."""
    ended = [msgspec.structs.replace(each, expires=NOW - timedelta(seconds=days)) for each in waivers]
    assert run(*ended, **facts).promotes is run(**facts).promotes  # type: ignore[arg-type]


@settings(max_examples=200)
@given(some_waivers(), FACTS)
def test_a_second_entry_for_a_limit_never_widens(
    waivers: tuple[Waiver, ...], facts: dict[str, object]
) -> None:
    first = waiver("first")
    only_limits = tuple(each for each in waivers if each.limit)
    if not run(first, **facts).promotes:  # type: ignore[arg-type]
        assert not run(first, *only_limits, **facts).promotes  # type: ignore[arg-type]


def test_waivers_near_their_end_the_next_first() -> None:
    made = [waiver("late", expires=NOW + 9 * DAY), waiver("soon", expires=NOW + 2 * DAY), waiver("now")]
    found = near_expiry([*made, waiver("over", expires=NOW)], now=NOW)
    assert [each.name for each in found] == ["now", "soon"]
