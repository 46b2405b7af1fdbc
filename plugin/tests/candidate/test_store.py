"""The artifact store: what comes out is what went in, or an error."""

import hashlib
import os

import pytest

from release_gates.candidate.store import ArtifactStore
from release_gates.errors import CandidateError

CONTENT = b"engine" * 500_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / ".gates" / "artifacts")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "engine"
    path.write_bytes(CONTENT)
    path.chmod(0o755)
    os.utime(path, ns=(10**18, 10**18))
    return path


def refusal(call, *arguments):
    with pytest.raises(CandidateError) as caught:
        call(*arguments)
    return caught.value.slug


def test_put_and_get(store, source):
    assert store.put(source) == DIGEST
    stored = store.get(DIGEST)
    assert stored.read_bytes() == CONTENT
    assert stored == store.root / DIGEST
    assert stored.stat().st_mode & 0o777 == 0o555
    assert stored.stat().st_mtime_ns == 10**18
    assert [each.name for each in store.root.iterdir()] == [DIGEST]


def test_bytes(store):
    assert store.put_bytes(CONTENT) == DIGEST
    assert store.get(DIGEST).stat().st_mode & 0o777 == 0o444


def test_the_executable_bit_is_never_lost(store, source):
    store.put(source)
    store.put_bytes(CONTENT)
    assert os.access(store.get(DIGEST), os.X_OK)


def test_a_source_reached_by_a_link_is_copied(store, source, tmp_path):
    (tmp_path / "link").symlink_to(source)
    store.put(tmp_path / "link")
    assert not store.get(DIGEST).is_symlink()


def damage(path):
    path.chmod(0o644)
    path.write_bytes(b"other")


def to_link(path):
    copy = path.with_name("elsewhere")
    path.rename(copy)
    path.symlink_to(copy)


def to_folder(path):
    path.unlink()
    path.mkdir()


def to_pipe(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("change", [damage, to_link, to_folder, to_pipe])
def test_damage_is_found(store, source, change):
    store.put(source)
    change(store.root / DIGEST)
    assert refusal(store.get, DIGEST) == "artifact-damaged"


def test_a_second_put_mends_a_damaged_copy(store, source):
    store.put(source)
    damage(store.root / DIGEST)
    store.put(source)
    assert store.get(DIGEST).read_bytes() == CONTENT


def test_absent(store):
    assert refusal(store.get, DIGEST) == "artifact-absent"


@pytest.mark.parametrize(
    "digest", ["", "../../etc/passwd", DIGEST.upper(), DIGEST + "\n", DIGEST[1:], f"./{DIGEST}"]
)
def test_only_a_digest_is_asked_for(store, source, digest):
    store.put(source)
    assert refusal(store.get, digest) == "not-a-digest"


def test_what_cannot_be_stored(store, source, tmp_path):
    assert refusal(store.put, tmp_path / "absent") == "artifact-not-stored"
    assert refusal(store.put, tmp_path) == "artifact-not-stored"
    os.mkfifo(tmp_path / "pipe")
    assert refusal(store.put, tmp_path / "pipe") == "artifact-not-stored"
    blocked = ArtifactStore(source)
    assert refusal(blocked.put, source) == "artifact-not-stored"
    assert refusal(blocked.put_bytes, b"") == "artifact-not-stored"


def test_a_failed_put_leaves_nothing(store, source, monkeypatch):
    def fail(handle):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    assert refusal(store.put, source) == "artifact-not-stored"
    assert list(store.root.iterdir()) == []
