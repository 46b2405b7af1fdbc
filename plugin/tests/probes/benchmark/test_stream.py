"""Streams of the runner: a whole one is read as it is, anything else is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.errors import MeasurementError
from release_gates.probes.benchmark.cachegrind import read_summary
from release_gates.probes.benchmark.stream import PairStream, Refused, read_list, read_pair, read_single

TIMES = st.integers(1, 10**7)
PAIRS = st.lists(st.tuples(TIMES, TIMES, st.booleans()), min_size=1, max_size=20)
CACHEGRIND = b"desc: I1\ncmd: x\nevents: Ir\nfl=a.c\nfn=f\n1 5\nsummary: 1234567\n"


def lines_of(pairs: list[tuple[int, int, bool]]) -> list[dict[str, Any]]:
    header: dict[str, Any] = {"type": "header", "benchmark": "b", "seed": 1, "first": "baseline"}
    header |= {
        "pairs": len(pairs),
        "slice_ns": 500_000,
        "iterations": 10,
        "operations": 1,
        "resolution_ns": 1,
    }
    for side in ("baseline", "candidate"):
        header |= {f"{side}_build": "ab", f"{side}_compiler": "gcc 12", f"{side}_flags": ""}
    end = {"type": "end", "kept": sum(kept for _, _, kept in pairs), "cpu_s": 0.1, "same_work": True}
    end |= {"dropped": len(pairs) - end["kept"], "baseline_works": True, "candidate_works": True}
    end |= {"baseline_ns": sum(p[0] for p in pairs), "candidate_ns": sum(p[1] for p in pairs)}
    middle = [{"type": "pair", "baseline_ns": b, "candidate_ns": c, "kept": kept} for b, c, kept in pairs]
    return [header, *middle, end]


def text(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def is_torn(data: bytes) -> bool:
    with pytest.raises(MeasurementError) as error:
        read_pair(data)
    return error.value.slug == "benchmark-stream-torn"


@given(PAIRS)
def test_a_whole_stream_is_read(pairs: list[tuple[int, int, bool]]) -> None:
    stream = read_pair(text(lines_of(pairs)))
    assert isinstance(stream, PairStream)
    assert [(p.baseline_ns, p.candidate_ns, p.kept) for p in stream.pairs] == pairs


@given(PAIRS, st.data())
def test_a_stream_without_a_line_is_torn(pairs: list[tuple[int, int, bool]], data: st.DataObject) -> None:
    lines = lines_of(pairs)
    lines.pop(data.draw(st.integers(0, len(lines) - 1)))
    assert is_torn(text(lines))


@given(PAIRS, st.data())
def test_a_stream_with_a_line_twice_is_torn(pairs: list[tuple[int, int, bool]], data: st.DataObject) -> None:
    lines = lines_of(pairs)
    lines.insert(data.draw(st.integers(0, len(lines))), lines[data.draw(st.integers(0, len(lines) - 1))])
    assert is_torn(text(lines))


@given(PAIRS, st.data())
def test_a_stream_that_is_cut_is_torn(pairs: list[tuple[int, int, bool]], data: st.DataObject) -> None:
    whole = text(lines_of(pairs))
    assert is_torn(whole[: data.draw(st.integers(0, len(whole) - 1))])


@given(PAIRS, st.data(), st.integers(-(10**6), 10**18))
def test_a_time_that_was_changed_is_seen(
    pairs: list[tuple[int, int, bool]], data: st.DataObject, value: int
) -> None:
    lines = lines_of(pairs)
    line = data.draw(st.integers(1, len(lines) - 2))
    side = data.draw(st.sampled_from(["baseline_ns", "candidate_ns"]))
    if lines[line][side] != value:
        lines[line][side] = value
        assert is_torn(text(lines))


@pytest.mark.parametrize(
    ("line", "change"),
    [
        (0, {"more": 1}),
        (0, {"first": "neither"}),
        (0, {"iterations": 0}),
        (0, {"operations": 0}),
        (0, {"pairs": 3}),
        (1, {"kept": "yes"}),
        (1, {"baseline_ns": 1.5}),
        (1, {"baseline_ns": float("nan")}),
        (2, {"cpu_s": float("inf")}),
        (2, {"kept": 0, "dropped": 1}),
        (2, {"same_work": None}),
        (2, {"type": "finish"}),
    ],
)
def test_what_is_not_understood_is_refused(line: int, change: dict[str, Any]) -> None:
    lines = lines_of([(100, 110, True)])
    lines[line] |= change
    assert is_torn(text(lines))


def test_a_clock_that_stands_still_is_refused() -> None:
    assert is_torn(text(lines_of([(0, 110, True)])))
    assert isinstance(read_pair(text(lines_of([(0, 110, False)]))), PairStream)


def test_a_refusal_is_the_last_word() -> None:
    lines = lines_of([(1, 1, True)])
    refused = {"type": "refused", "because": "threw", "side": "candidate", "text": "x"}
    assert read_pair(text([*lines[:2], refused])) == Refused(because="threw", side="candidate", text="x")
    assert is_torn(text([refused, *lines]))


@given(st.binary(max_size=300))
def test_other_bytes_are_no_results(data: bytes) -> None:
    for read in (read_pair, read_list, read_single, lambda each: read_summary(each, Path("out"))):
        with pytest.raises(MeasurementError):
            read(data)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [{"type": "end", "benchmarks": 1, "facts": 0, "release": "", "build": ""}],
        [{"type": "benchmark", "name": "a"}],
        [{"type": "benchmark", "name": "a"}] * 2
        + [{"type": "end", "benchmarks": 2, "facts": 0, "release": "", "build": ""}],
    ],
)
def test_a_list_says_how_long_it_is(lines: list[dict[str, Any]]) -> None:
    with pytest.raises(MeasurementError):
        read_list(text(lines))


def test_a_count_is_one_sum() -> None:
    assert read_summary(CACHEGRIND, Path("out")) == 1234567
    for old, new in ((b"events: Ir", b"events: Ir Dr"), (b"summary: ", b""), (b"1 5\n", b"summary: 7\n")):
        with pytest.raises(MeasurementError):
            read_summary(CACHEGRIND.replace(old, new), Path("out"))
