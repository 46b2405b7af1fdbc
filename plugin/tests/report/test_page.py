"""The release page: what it says, what it must never say, its size, what values do to its pictures."""

from __future__ import annotations

import math
import os
import re
from datetime import timedelta
from html import unescape
from pathlib import Path

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from release_gates.errors import EvidenceError
from release_gates.ledger.measured import read_measured
from release_gates.model.limit import Bound, Limit, LimitRule
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome, Severity
from release_gates.model.release import JudgedLimit, Release
from release_gates.model.verdict import GateJudgement, LimitJudgement, TestProblem
from release_gates.report.bullet import WIDTH, bullet
from release_gates.report.curve import curves, quantile
from release_gates.report.headline import headline
from release_gates.report.page import page
from release_gates.report.rows import Row, rows
from release_gates.report.scale import ticks

from .sample import ACK, EXPECTED, STAGING, Story, held, many, measured, ms, only, promoted

GOLDEN = Path(__file__).parent / "golden"
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def text(html: str) -> str:
    """Return what a reader sees, in one line."""
    body = re.sub(r"<style>.*?</style>|<svg.*?</svg>", " ", html, flags=re.DOTALL)
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", body).split()))


@pytest.mark.parametrize("story", [held, promoted])
def test_golden(story: type, tmp_path: Path) -> None:
    """Written anew by ``GOLDEN=write``: look at the difference, and at the page in a browser."""
    file = GOLDEN / f"{story.__name__}.html"
    made = page(story(tmp_path).release())
    if os.environ.get("GOLDEN") == "write":
        file.write_text(made, encoding="utf-8")
    assert made == file.read_text(encoding="utf-8")


def test_what_a_release_manager_reads_first(tmp_path: Path) -> None:
    seen = text(page(held(tmp_path).release()))
    for sentence in (
        "HOLD (broken): do not promote to staging.",
        "order_ack.p99 is 612 ms; the limit is <= 500 ms, 22 % over.",
        "2 of 13 limits broken, 5 checks not proven, 6 of 9 tests passed.",
        "Holding nothing (advisory or only observed: drill): 1 of 1 limit broken",
        "LOCAL: this ledger is unsigned",
        "42 min (attested)",
        "attested by Jane Doe, not measured",
        "engine: 59296d23d623 → 1f4dc096d58f",
        'staging.toml: + "order_ack.p95" = { limit = "<= 45 ms"',
        "abc1234 Faster matching",
    ):
        assert sentence in seen
    order = [
        seen.index(title)
        for title in ("What to do next", "What is live", "Broken", "Kept", "Against the live")
    ]
    later = [
        seen.index(t)
        for t in ("Percentiles", "What is not proven", "What changed", "Earlier runs", "Where this")
    ]
    assert order + later == sorted(order + later)


# -- never more than the verdict says -------------------------------------------------------------


def shown(release: Release) -> str:
    """Return the top of a page, and assert that it does not invite to promote."""
    top = headline(release, rows(release))
    html = page(release)
    assert not top.go
    assert '<header class="stop">' in html
    assert "release-gates promote --to" not in html
    assert ": <span>may enter" not in html
    return text(html)


def test_only_a_promote_that_stands_invites(tmp_path: Path) -> None:
    release = promoted(tmp_path).release()
    assert headline(release, rows(release)).go
    assert "release-gates promote --to staging" in page(release)
    stale = msgspec.structs.replace(release, stands="`release-gates promote` refuses now: it is 30.0 h old")
    assert "PROMOTE: do not act on this now: staging. " in shown(stale)
    assert "refuses now: it is 30.0 h old" in shown(stale)


def test_a_test_whose_limit_broke_is_not_said_to_have_passed(tmp_path: Path) -> None:
    kept = only(tmp_path / "kept", '"order.time" = "<= 5 ms"', ms("order.time", 3)).release()
    assert "Every expected test ran, and none failed." in text(page(kept))
    story = promoted(tmp_path / "broken")
    story.run("1.6.0", measured(612.0))
    release = story.release()
    assert release.verdict is not None
    assert release.verdict.kind == "broken"
    assert not any(gate.problems for gate in release.verdict.gates)
    said = text(page(release))
    assert "none failed" not in said
    assert "Nothing but the limits above." in said


def test_a_run_without_a_verdict_is_no_promote(tmp_path: Path) -> None:
    story = promoted(tmp_path)
    story.run("1.1.0", measured(), killed=True)
    assert (
        "HOLD (not proven): do not promote to staging. Run 20260130T130000Z-abcdef has no verdict"
        in shown(story.release())
    )


def test_an_observed_entry_says_that_nothing_is_held(tmp_path: Path) -> None:
    story = held(tmp_path)
    release = story.release()
    verdict = msgspec.structs.replace(release.verdict, mode="observe") if release.verdict else None
    seen = shown(msgspec.structs.replace(release, verdict=verdict))
    assert "WOULD HOLD (broken), observed: the entry to staging is only observed." in seen


def test_evidence_that_was_changed_is_not_shown(tmp_path: Path) -> None:
    story = promoted(tmp_path)
    newest = sorted((tmp_path / ".gates/evidence").iterdir())[-1]
    newest.write_bytes(newest.read_bytes().replace(b"0.069", b"0.001"))
    release = story.release()
    assert all(limit.measurement is None for limit in release.limits)
    seen = text(page(release))
    assert "cannot be shown" in seen
    assert "is not what the verdict was decided on" in seen
    assert "0.001" not in seen
    with pytest.raises(EvidenceError, match="is not what the verdict was decided on"):
        read_measured(newest, "0" * 64)


@pytest.mark.parametrize("lost", [".gates/evidence", ".gates/artifacts"])
def test_what_is_lost_is_said(lost: str, tmp_path: Path) -> None:
    story = promoted(tmp_path)
    for file in (tmp_path / lost).rglob("*"):
        if file.is_file():
            file.unlink()
    seen = text(page(story.release()))
    assert "cannot be" in seen
    assert "PROMOTE: may enter staging" in seen


def test_nothing_is_said_as_it_was_written(tmp_path: Path) -> None:
    evil = '"><script>alert(1)</script>'
    story = Story(tmp_path, STAGING, EXPECTED)
    story.run("1.0.0", measured(), problems=[evil])
    html = page(msgspec.structs.replace(story.release(), stands=evil, notes=(evil,)))
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 3


# -- size -----------------------------------------------------------------------------------------


def test_two_hundred_measurements_fit_into_200_kb(tmp_path: Path) -> None:
    made = page(many(tmp_path, 200).release())
    assert len(made.encode()) < 200_000
    assert made.count('<path class="value"') == 200 + 1  # and the legend's


def test_a_hundred_thousand_results_fit_into_5_mb(tmp_path: Path) -> None:
    release = promoted(tmp_path).release()
    assert release.verdict is not None
    problem = TestProblem(test="t", outcome=Outcome.FAIL, because="it is red " * 10)
    limit = LimitJudgement(
        name="a.p99", outcome=Outcome.FAIL, because="no", measured="9 ms", allowed="<= 1 ms"
    )
    gate = GateJudgement(
        name="load",
        owner="me",
        severity=Severity.BLOCKING,
        outcome=Outcome.FAIL,
        because="",
        expected=100_000,
        ran=100_000,
        limits=(limit,) * 50_000,
        problems=(problem,) * 50_000,
    )
    verdict = msgspec.structs.replace(release.verdict, gates=(gate,))
    limits = (JudgedLimit(gate="load", judged=limit),) * 50_000
    made = page(msgspec.structs.replace(release, verdict=verdict, limits=limits))
    assert len(made.encode()) < 5_000_000
    assert "And 49000 FAIL more" in made
    assert "And 49 800 more problems" in made


# -- pictures -------------------------------------------------------------------------------------


def row(value: float, *bounds: Bound, target: float | None = None, baseline: float | None = None) -> Row:
    limit = Limit(text="x", bounds=bounds)
    goal = (
        Limit(text="y", bounds=(Bound(operator="<=", value=target, unit="ms"),))
        if target is not None
        else None
    )
    judged = LimitJudgement(name="a.p99", outcome=Outcome.FAIL, because="", measured="", allowed="")
    return Row(
        limit=JudgedLimit(
            gate="g",
            judged=judged,
            rule=LimitRule(name="a.p99", limit=limit, target=goal),
            measurement=Measurement(name="a.p99", value=value, unit="ms", baseline=baseline),
        ),
        owner="me",
        holds=True,
    )


@given(FINITE, FINITE, st.sampled_from(["<=", "<", ">=", ">", "=="]), st.none() | FINITE, st.none() | FINITE)
@example(0.0, 0.0, "==", None, None)
@example(1e308, 1.0, "<=", -1e308, 0.0)
@example(5e-324, 0.0, ">", None, 5e-324)
def test_a_bar_stays_in_its_picture(
    value: float, edge: float, operator: str, target: float | None, baseline: float | None
) -> None:
    assume(abs(value) < 1e300 and abs(edge) < 1e300)
    drawn = bullet(
        row(value, Bound(operator=operator, value=edge, unit="ms"), target=target, baseline=baseline)
    )  # type: ignore[arg-type]
    assert drawn is not None
    for path in (drawn.zone, drawn.value, drawn.limit, drawn.target, drawn.baseline):
        numbers = [float(number) for number in re.findall(r"M(-?[\d.]+|nan|inf)", path)]
        assert all(math.isfinite(number) and -1 <= number <= WIDTH + 1 for number in numbers)


@pytest.mark.parametrize(
    ("value", "bound", "says"),
    [
        (612, Bound(operator="<=", value=500, unit="ms"), "22 % over"),
        (0.5, Bound(operator="<=", value=500, unit="us"), ""),
        (900, Bound(operator=">=", value=1, unit="s"), "10 % under"),
        (501, Bound(operator="<=", value=500, unit="ms"), "0.2 % over"),
        (90_000, Bound(operator="<=", value=0.5, unit="s"), "180 times over"),
        (1e300, Bound(operator="<=", value=5, unit="ms"), "more than a million times over"),
        (3, Bound(operator="==", value=0, unit="ms"), ""),
        (3, Bound(operator="<=", value=0, unit="ms"), ""),
    ],
)
def test_how_far_beyond_its_limit(value: float, bound: Bound, says: str) -> None:
    assert row(value, bound).excess == says


def test_a_value_far_out_is_cut_and_marked() -> None:
    limit = Bound(operator="<=", value=5, unit="ms")
    far, near = bullet(row(1e6, limit)), bullet(row(7, limit))
    assert far is not None
    assert near is not None
    assert far.cut
    assert not near.cut


@given(FINITE, st.floats(min_value=1e-6, max_value=1e9))
def test_ticks_are_few_and_inside(low: float, span: float) -> None:
    assume(abs(low) < 1e9)
    found = ticks(low, low + span)
    assert 0 < len(found) <= 6
    assert all(low - span * 1e-6 <= tick <= low + span * (1 + 1e-6) for tick in found)


def test_ticks_are_round() -> None:
    assert ticks(0, 612) == [0, 200, 400, 600]
    assert ticks(-3.4, 3.4) == [-2, 0, 2]
    assert ticks(0, 0) == [0]


@pytest.mark.parametrize(
    ("name", "share"),
    [("p50", 0.5), ("p99.9", 0.999), ("p999", 0.999), ("p5", 0.05), ("max", None), ("p0", None)],
)
def test_names_of_quantiles(name: str, share: float | None) -> None:
    assert quantile(name) == share


def test_percentiles_of_one_measurement_make_one_curve(tmp_path: Path) -> None:
    (curve,) = curves(rows(held(tmp_path).release()))
    assert curve.points == (("p50", "1.006 ms"), ("p95", "38.4 ms"), ("p99", "612 ms"), ("p99.9", "1530 ms"))
    assert [mark.label for mark in curve.marks if mark.broken] == ["p99 limit 500 ms"]
    assert curve.logarithmic


def test_two_quantiles_make_no_curve(tmp_path: Path) -> None:
    limits = '"a.p50" = "<= 5 ms"\n"a.p99" = "<= 5 ms"\n'
    assert curves(rows(only(tmp_path, limits, ms("a.p50", 1), ms("a.p99", 2)).release())) == ()


@pytest.mark.parametrize(
    ("limits", "measurement", "says"),
    [
        ('"a" = "<= 5 ms"\n', Measurement(name="a", absent="missing", because="no probe"), "no value"),
        ('"a" = "<= 5 ms"\n', ms("a", 1e300), "1e+300 ms"),
        ('"a" = "<= 5 ms"\n', ms("a", 1, "MiB"), "was measured in 'MiB'"),
        ('"a" = "== 0 count"\n', ms("a", 0, "count"), "0"),
        ('"*" = "<= 5 ms"\n', ms("a", 3), "3 ms"),
    ],
)
def test_single_and_strange_values(limits: str, measurement: Measurement, says: str, tmp_path: Path) -> None:
    assert says in text(page(only(tmp_path, limits, measurement).release()))


def test_an_entry_without_limits_and_past(tmp_path: Path) -> None:
    story = Story(tmp_path, '[gate.smoke]\nowner = "me"\n', {"smoke": [ACK]})
    story.run("1.0.0", {"smoke": {ACK: []}})
    seen = text(page(story.release(commits=None)))
    assert "No limit was judged in this run." in seen
    assert "Nothing is live in staging that this could be compared with." in seen
    assert "Earlier runs" not in seen


def test_a_gap_is_no_line(tmp_path: Path) -> None:
    story = Story(tmp_path, STAGING, EXPECTED)
    story.run("1.0.0", measured(150))
    story.run("1.0.1", measured(rates=False))
    story.run("1.0.2", measured(170))
    html = page(story.release())
    course = html[html.index('<th scope="row">order_entry.throughput') :]
    assert re.search(r'class="line" d="M\S+ \S+M\S+ \S+"', course)
    assert '<td class="none">no value</td>' in course


def test_each_run_is_compared_by_its_own_evidence(tmp_path: Path) -> None:
    story = held(tmp_path)
    oldest = sorted((tmp_path / ".gates/evidence").iterdir())[0]
    oldest.unlink()
    release = story.release()
    assert "cannot be read" in release.past[0].told
    assert release.past[0].values == ()
    assert all(run.values for run in release.past[1:])
    assert release.made - release.past[0].at > timedelta(0)
