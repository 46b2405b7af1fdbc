"""Artifacts that changed since the candidate was made."""

import hashlib
import os

import pytest

from release_gates.candidate.verify import verify_artifacts
from release_gates.model.candidate import Artifact, ReleaseCandidate

DIGEST = hashlib.sha256(b"engine").hexdigest()


def candidate(*artifacts):
    return ReleaseCandidate(name="n", version="1", commit="", artifacts=artifacts)


def sentence(root, artifact):
    (only,) = verify_artifacts(candidate(artifact), root)
    return only


@pytest.fixture
def artifact(tmp_path):
    (tmp_path / "engine").write_bytes(b"engine")
    return Artifact(name="engine", sha256=DIGEST, path="engine")


def test_unchanged(artifact, tmp_path):
    assert verify_artifacts(candidate(artifact), tmp_path) == ()


def test_changed(artifact, tmp_path):
    (tmp_path / "engine").write_bytes(b"other")
    assert f"the candidate says {DIGEST}" in sentence(tmp_path, artifact)


def test_absent(artifact, tmp_path):
    (tmp_path / "engine").unlink()
    assert sentence(tmp_path, artifact) == f"artifact 'engine': {tmp_path}/engine is absent"


def test_the_right_content_outside_of_the_folder(artifact, tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "engine").symlink_to(tmp_path / "engine")
    assert "leads out of the folder" in sentence(inner, artifact)
    assert '".."' in sentence(inner, Artifact(name="e", sha256=DIGEST, path="../engine"))


def test_a_pipe_is_not_waited_for(artifact, tmp_path):
    (tmp_path / "engine").unlink()
    os.mkfifo(tmp_path / "engine")
    assert "not a regular file" in sentence(tmp_path, artifact)


def test_nothing_named_is_nothing_proven(tmp_path):
    assert verify_artifacts(candidate(), tmp_path) == ("the candidate n 1 names no artifact",)
    assert "must name the file" in sentence(tmp_path, Artifact(name="e", sha256=DIGEST))


def test_images_are_pinned_by_their_ref(tmp_path):
    pinned = Artifact(name="i", kind="oci", sha256=DIGEST, ref=f"r/i@sha256:{DIGEST}")
    assert verify_artifacts(candidate(pinned), tmp_path) == ()
    assert "A tag can be moved" in sentence(
        tmp_path, Artifact(name="i", kind="oci", sha256=DIGEST, ref="r/i:1")
    )
