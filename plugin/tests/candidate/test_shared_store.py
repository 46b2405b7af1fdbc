"""Artifacts at a URL that hosts share: fetched by digest, and never believed."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from release_gates.candidate.remote import VARIABLE
from release_gates.candidate.store import ArtifactStore
from release_gates.errors import CandidateError, ProbeUnavailable

CONTENT = b"engine"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(params=["file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    place = tmp_path / "shared"
    url = f"file://{place}" if request.param == "file" else f"memory://{place}"
    monkeypatch.setenv(VARIABLE, url)
    return url


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "shared"
    monkeypatch.setenv(VARIABLE, f"file://{place}")
    return place


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "engine"
    path.write_bytes(CONTENT)
    path.chmod(0o755)
    os.utime(path, ns=(10**18, 10**18))
    return path


def test_another_host_finds_what_this_one_kept(url: str, tmp_path: Path, source: Path) -> None:
    assert ArtifactStore(tmp_path / "here").put(source) == DIGEST, url
    found = ArtifactStore(tmp_path / "there").get(DIGEST)
    assert found == tmp_path / "there" / DIGEST
    assert found.read_bytes() == CONTENT
    status = found.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_mtime_ns) == (0o555, 10**18)


def test_nothing_is_left_but_the_file_and_its_note(shared: Path, tmp_path: Path, source: Path) -> None:
    for host in ("here", "there"):
        ArtifactStore(tmp_path / host).put(source)
    assert sorted(path.name for path in shared.iterdir()) == [DIGEST, f"{DIGEST}.json"]


def test_what_is_another_content_is_refused_and_not_kept(shared: Path, tmp_path: Path, source: Path) -> None:
    ArtifactStore(tmp_path / "here").put(source)
    (shared / DIGEST).write_bytes(b"poison")
    there = ArtifactStore(tmp_path / "there")
    with pytest.raises(CandidateError, match="its content has SHA-256") as refused:
        there.get(DIGEST)
    assert refused.value.slug == "artifact-damaged"
    assert not (tmp_path / "there" / DIGEST).exists()


@pytest.mark.parametrize("note", [None, b"", b"{}", b'{"executable": 1, "mtime_ns": 0}', b"x" * 10_000])
def test_a_file_without_its_note_is_refused(
    shared: Path, tmp_path: Path, source: Path, note: bytes | None
) -> None:
    ArtifactStore(tmp_path / "here").put(source)
    place = shared / f"{DIGEST}.json"
    place.unlink() if note is None else place.write_bytes(note)
    with pytest.raises(CandidateError) as refused:
        ArtifactStore(tmp_path / "there").get(DIGEST)
    assert refused.value.slug == "artifact-not-fetched"


def test_what_is_torn_is_written_anew(shared: Path, tmp_path: Path, source: Path) -> None:
    ArtifactStore(tmp_path / "here").put(source)
    (shared / DIGEST).write_bytes(b"eng")
    ArtifactStore(tmp_path / "here").put(source)
    assert ArtifactStore(tmp_path / "there").get(DIGEST).read_bytes() == CONTENT


def test_what_is_nowhere_is_absent(shared: Path, tmp_path: Path) -> None:
    with pytest.raises(CandidateError) as refused:
        ArtifactStore(tmp_path / "there").get(DIGEST)
    assert refused.value.slug == "artifact-absent", shared


def test_a_store_that_takes_nothing_is_said(shared: Path, tmp_path: Path, source: Path) -> None:
    shared.write_text("a file, where the folder should be")
    with pytest.raises(CandidateError, match=VARIABLE) as refused:
        ArtifactStore(tmp_path / "here").put(source)
    assert refused.value.slug == "artifact-not-stored"


def test_an_unknown_kind_of_store_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, "nowhere://user" + ":word@host/artifacts")
    with pytest.raises(ProbeUnavailable, match="Protocol not known: nowhere") as refused:
        ArtifactStore(tmp_path / "here")
    assert "word@" not in str(refused.value)
