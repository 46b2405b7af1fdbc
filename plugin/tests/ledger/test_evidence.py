"""Evidence files: what was written is read, and nothing else is."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_gates.errors import EvidenceError
from release_gates.ledger.evidence import EvidenceWriter, read_evidence
from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.model.evidence import Evidence, HostFacts, RunHeader, TestRecord
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome
from release_gates.model.series import Series
from release_gates.model.share import Share
from release_gates.model.tail import Blocks, Tail
from release_gates.model.windows import Windows

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
HOST = HostFacts(
    hostname="h",
    cpu_model="c",
    cores=2,
    numa_nodes=1,
    kernel="k",
    governor="g",
    python="3.11",
    fingerprint="f",
)
CANDIDATE = ReleaseCandidate(
    name="x", version="1", commit="abc", artifacts=(Artifact(name="a", sha256="0" * 64, path="a"),)
)
HEADER = RunHeader(
    run="r",
    environment="staging",
    candidate=CANDIDATE,
    rules="0",
    host=HOST,
    actor="me",
    command=(),
    plugins=(),
    started=NOW,
)


def record(number: int) -> TestRecord:
    return TestRecord(
        id=f"t.py::test[{number}]",
        gate="smoke",
        outcome=Outcome.PASS,
        phases=("setup", "call", "teardown"),
        measurements=(Measurement(name="a.b", value=number / 3, unit="ms", samples=number),),
        finished=NOW,
    )


def written(path: Path, count: int, *, ended: bool = True) -> bytes:
    writer = EvidenceWriter(path, HEADER)
    for number in range(count):
        writer.write(record(number))
    if ended:
        writer.end(ended=NOW, problems=("one",))
    else:
        writer._file.close()
    return path.read_bytes()


def test_round_trip(tmp_path: Path) -> None:
    written(tmp_path / "e.jsonl", 3)
    evidence = read_evidence(tmp_path / "e.jsonl")
    assert evidence.header == HEADER
    assert evidence.tests == tuple(record(number) for number in range(3))
    assert evidence.end is not None
    assert evidence.end.problems == ("one",)


@pytest.mark.parametrize("cut", [1, 40, 300])
def test_killed_run_keeps_its_whole_lines_and_has_no_end(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "e.jsonl"
    data = written(path, 3, ended=False)
    path.write_bytes(data[: len(data) - cut])
    evidence = read_evidence(path)
    assert evidence.end is None
    assert evidence.tests == tuple(record(number) for number in range(len(evidence.tests)))


def test_never_overwrites(tmp_path: Path) -> None:
    written(tmp_path / "e.jsonl", 1)
    with pytest.raises(EvidenceError, match="evidence-exists"):
        EvidenceWriter(tmp_path / "e.jsonl", HEADER)


def test_absent(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="evidence-absent"):
        read_evidence(tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda lines: [], "first line has to be the run's header"),
        (lambda lines: lines[1:], "first line has to be the run's header"),
        (lambda lines: [lines[0], *lines], "second header"),
        (lambda lines: [*lines, lines[1]], "after the end"),
        (lambda lines: [lines[0], lines[1], *lines[3:]], "says 3 tests; there are 2"),
        (lambda lines: [lines[0], b'{"record":"test"}', *lines[2:]], "line 2"),
        (lambda lines: [lines[0].replace(b'"schema":1', b'"schema":9'), *lines[1:]], "schema 9"),
    ],
)
def test_anything_else_is_refused_by_line(tmp_path: Path, change: object, says: str) -> None:
    path = tmp_path / "e.jsonl"
    lines = written(path, 3).splitlines()
    path.write_bytes(b"".join(line + b"\n" for line in change(lines)))  # type: ignore[operator]
    with pytest.raises(EvidenceError, match=says):
        read_evidence(path)


@settings(max_examples=200)
@given(st.data())
def test_damage_is_an_error_or_a_prefix_never_another_record(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "e.jsonl"
        original = written(path, 2)
        whole = read_evidence(path)
        cut = data.draw(st.integers(0, len(original)))
        path.write_bytes(original[:cut])
        assert_prefix(path, whole)


def assert_prefix(path: Path, whole: Evidence) -> None:
    try:
        found = read_evidence(path)
    except EvidenceError:
        return
    assert found.tests == whole.tests[: len(found.tests)]
    assert found.end is None or found.sha256 == whole.sha256


@given(st.binary(max_size=400))
def test_any_bytes_are_evidence_or_an_evidence_error(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "e.jsonl"
        path.write_bytes(data)
        with pytest.raises(EvidenceError):
            read_evidence(path)


def test_end_names_the_digest_of_the_lines_before_it(tmp_path: Path) -> None:
    """An edited fact is found in the file itself: evidence from another machine has no ledger beside it."""
    path = tmp_path / "e.jsonl"
    data = written(path, 3)
    path.write_bytes(data.replace(b'"samples":2', b'"samples":9'))
    with pytest.raises(EvidenceError, match=r"line 5 has another digest.*evidence-damaged"):
        read_evidence(path)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_flipped_bits_are_an_error_or_change_no_fact(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "e.jsonl"
        original = written(path, 2)
        changed = bytearray(original)
        for _ in range(data.draw(st.integers(1, 3))):
            changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        last = original.rstrip(b"\n").rfind(b"\n") + 1
        before, whole = bytes(changed[:last]) == original[:last], read_evidence(path)
        path.write_bytes(bytes(changed))
        try:
            found = read_evidence(path)
        except EvidenceError:
            return
        # Only the last line may have passed: the facts before it are under its digest.
        assert before
        assert (found.header, found.tests) == (whole.header, whole.tests)


@pytest.mark.parametrize("count", [0, 1])
def test_every_prefix_is_a_killed_run_or_an_error(tmp_path: Path, count: int) -> None:
    path = tmp_path / "e.jsonl"
    data = written(path, count)
    whole = read_evidence(path)
    first = data.index(b"\n") + 1
    for size in range(len(data)):
        path.write_bytes(data[:size])
        if size < first:
            with pytest.raises(EvidenceError, match="evidence-damaged"):
                read_evidence(path)
        else:
            found = read_evidence(path)
            assert found.end is None
            assert found.tests == whole.tests[: len(found.tests)]


def test_garbage_after_the_last_whole_line_is_no_tear(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    data = written(path, 2)
    for rest in (data.removesuffix(b"\n") + b"X", data + b"\x00" * 100, data + data[:10]):
        path.write_bytes(rest)
        with pytest.raises(EvidenceError, match="evidence-damaged"):
            read_evidence(path)


def facts_with(number: float) -> tuple[dict[str, Any], ...]:
    """What may stand behind a value, with one such number in it."""
    return (
        {"interval": (1.0, number)},
        {"series": Series(at_s=(1.0,), values=(number,))},
        {"series": Series(at_s=(number,), values=(1.0,))},
        {"windows": Windows(length_s=1.0, ratios=(number,))},
        {"share": Share(length_s=number, of=(1,), hits=(0,))},
        {"tail": Tail(quantile=number, samples=1, over={})},
        {
            "tail": Tail(
                quantile=0.5, samples=1, over={}, blocks=Blocks(length_s=number, samples=(1,), over={})
            )
        },
    )


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_number_that_json_cannot_keep_is_refused_when_written(tmp_path: Path, number: float) -> None:
    writer = EvidenceWriter(tmp_path / "e.jsonl", HEADER)
    bad = (
        {"measurements": (Measurement(name="m", value=number),)},
        {"measurements": (Measurement(name="m", value=1.0, baseline=number),)},
        {"measurements": (Measurement(name="m", value=1.0, distribution={"p50": number}),)},
        {"duration_s": number},
        *({"measurements": (Measurement(name="m", value=1.0, **facts),)} for facts in facts_with(number)),
    )
    for change in bad:
        with pytest.raises(EvidenceError, match="evidence-not-finite"):
            writer.write(msgspec.structs.replace(record(1), **change))
    writer.end(ended=NOW, problems=())
    assert read_evidence(tmp_path / "e.jsonl").tests == ()


def test_nothing_is_written_after_the_end(tmp_path: Path) -> None:
    writer = EvidenceWriter(tmp_path / "e.jsonl", HEADER)
    writer.end(ended=NOW, problems=())
    with pytest.raises(EvidenceError, match="evidence-not-written"):
        writer.write(record(1))


FILE_LIMIT = """
import resource, signal, sys
from pathlib import Path
from typing import Any
sys.path[:0] = [sys.argv[2]]
from test_evidence import HEADER, EvidenceError, EvidenceWriter, record

writer = EvidenceWriter(Path(sys.argv[1]), HEADER)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for number in range(100):
    try:
        writer.write(record(number))
    except EvidenceError as error:
        print(number, error.slug)
"""


def test_full_disk_is_told_at_once_and_leaves_a_killed_runs_file(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    command = [sys.executable, "-c", FILE_LIMIT, str(path), str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    refused = [line.split() for line in done.stdout.splitlines()]
    assert {slug for _, slug in refused} == {"evidence-not-written"}
    evidence = read_evidence(path)
    assert evidence.end is None
    assert len(evidence.tests) == int(refused[0][0])
