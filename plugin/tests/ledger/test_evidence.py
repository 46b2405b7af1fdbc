"""Evidence files: what was written is read, and nothing else is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_gates.errors import EvidenceError
from release_gates.ledger.evidence import EvidenceWriter, read_evidence
from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.model.evidence import Evidence, HostFacts, RunHeader, TestRecord
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome

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
    import tempfile

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
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "e.jsonl"
        path.write_bytes(data)
        with pytest.raises(EvidenceError):
            read_evidence(path)
