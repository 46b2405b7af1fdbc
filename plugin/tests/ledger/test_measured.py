"""Reading only what was measured: the same values as the whole file, and nothing of any other file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from release_gates.errors import EvidenceError
from release_gates.ledger.evidence import EvidenceWriter, read_evidence
from release_gates.ledger.measured import read_measured
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.evidence import HostFacts, RunHeader, TestRecord
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome

NOW = datetime(2026, 1, 31, tzinfo=UTC)
HOST = HostFacts(
    hostname="h",
    cpu_model="c",
    cores=1,
    numa_nodes=1,
    kernel="k",
    governor="g",
    python="3.11",
    fingerprint="f",
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return evidence of a test that measured, and of one that did not but prints what looks like it."""
    path = tmp_path / "run.jsonl"
    candidate = ReleaseCandidate(name="e", version="1", commit="c", artifacts=())
    header = RunHeader(
        run="r",
        environment="staging",
        candidate=candidate,
        rules="d",
        host=HOST,
        actor="a",
        command=(),
        plugins=(),
        started=NOW,
    )
    writer = EvidenceWriter(path, header)
    value = Measurement(name="a", value=1.5, unit="ms")
    for name, measured, because in (("one", (value,), ""), ("two", (), '"measurements":[{')):
        writer.write(
            TestRecord(
                id=name, gate="g", outcome=Outcome.PASS, because=because, measurements=measured, finished=NOW
            )
        )
    writer.end(ended=NOW, problems=())
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_same_values_as_the_whole_file(file: Path) -> None:
    whole, measured = read_evidence(file), read_measured(file, sha256(file))
    assert (measured.header, measured.end, measured.sha256) == (whole.header, whole.end, whole.sha256)
    assert [test for test in measured.tests if test.measurements] == [
        test for test in whole.tests if test.measurements
    ]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda data: data.replace(b'"schema":1', b'"schema":2'), "has schema 2; this version reads 1"),
        (lambda data: data.replace(b'"rules"', b'"sluer"'), "cannot be read as evidence"),
        (lambda _: b"", "cannot be read as evidence"),
        (lambda data: b"\xff\xfe" + data, "cannot be read as evidence"),
        (lambda data: data.replace(b"1.5", b"NaN"), "cannot be read as evidence"),
    ],
)
def test_what_is_no_evidence(file: Path, damage: Callable[[bytes], bytes], says: str) -> None:
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(EvidenceError, match=says):
        read_measured(file, sha256(file))


def test_another_file_is_not_read(file: Path, tmp_path: Path) -> None:
    digest = sha256(file)
    file.write_bytes(file.read_bytes().replace(b"1.5", b"0.5"))
    with pytest.raises(EvidenceError, match="is not what the verdict was decided on"):
        read_measured(file, digest)
    with pytest.raises(EvidenceError, match="cannot be read"):
        read_measured(tmp_path / "absent.jsonl", digest)


def test_a_file_that_stops_in_the_middle_has_no_end(file: Path) -> None:
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:2]))
    assert read_measured(file, sha256(file)).end is None


def test_a_huge_file_is_not_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("release_gates.ledger.measured.LARGEST_BYTES", 10)
    with pytest.raises(EvidenceError, match="a report reads at most 10"):
        read_measured(file, sha256(file))
