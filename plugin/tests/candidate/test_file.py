"""candidate.toml: round trips, and every mistake told at once."""

import string
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.candidate.file import candidate_toml, read_candidate, toml_string, write_candidate
from release_gates.errors import CandidateError
from release_gates.model.candidate import Artifact, ReleaseCandidate

DIGEST = "ab" * 32
VALID = f"""
schema = 1
name = "trading-engine"
version = "1.1.0"
commit = "0123abcd"
dirty = false
authors = ["Ada <ada@example.com>"]

[[artifact]]
name = "trading-engine"
kind = "file"
path = "build/trading-engine"
sha256 = "{DIGEST}"
"""

lines = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=20)
words = lines.filter(bool)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
segments = st.text(string.ascii_letters + ' -_"\\é', min_size=1, max_size=8)
files = st.builds(
    Artifact,
    name=words,
    kind=st.sampled_from(["file", "manifest", "config"]),
    sha256=digests,
    path=st.lists(segments, min_size=1, max_size=3).map("/".join),
    ref=lines,
)
images = st.builds(
    lambda name, sha256: Artifact(name=name, kind="oci", sha256=sha256, ref=f"registry/x@sha256:{sha256}"),
    words,
    digests,
)
candidates = st.builds(
    ReleaseCandidate,
    name=words,
    version=words,
    commit=lines,
    ref=lines,
    dirty=st.booleans(),
    authors=st.lists(words, max_size=3).map(tuple),
    built_by=lines,
    artifacts=st.lists(files | images, min_size=1, max_size=4, unique_by=lambda each: each.name).map(tuple),
)


@given(candidates)
def test_what_is_written_is_read(tmp_path_factory, candidate):
    path = tmp_path_factory.mktemp("round") / "candidate.toml"
    write_candidate(candidate, path)
    assert read_candidate(path) == candidate
    assert [each.name for each in path.parent.iterdir()] == ["candidate.toml"]


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_strings_are_escaped_as_toml_wants(text):
    assert tomllib.loads(f"key = {toml_string(text)}") == {"key": text}


def read(tmp_path: Path, text: str) -> ReleaseCandidate:
    path = tmp_path / "candidate.toml"
    path.write_text(text)
    return read_candidate(path)


def refusal(tmp_path: Path, text: str) -> CandidateError:
    with pytest.raises(CandidateError) as caught:
        read(tmp_path, text)
    return caught.value


def test_a_valid_file(tmp_path):
    assert read(tmp_path, VALID).artifacts[0].path == "build/trading-engine"


def test_all_mistakes_are_told_at_once(tmp_path):
    text = VALID.replace("version", "verison").replace(DIGEST, "AB" * 32).replace("build/", "../")
    error = refusal(tmp_path, text)
    assert error.slug == "invalid-candidate"
    assert error.message.count("\n") == 3
    for part in (
        "verison = '1.1.0': unknown key. Did you mean 'version'?",
        "version: is absent",
        "64 lower-case hex digits",
        '".." may lead out',
    ):
        assert part in str(error)
    assert all(line.startswith(f"{tmp_path}/candidate.toml: ") for line in error.message.splitlines())


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("schema = 1", "schema = 2", "reads schema 1 only"),
        ("schema = 1", "schema = true", "must be an integer"),
        ("dirty = false", "dirty = 0", "dirty = 0: must be true or false"),
        ("dirty = false", "", "dirty: is absent"),
        ('name = "trading-engine"\nv', 'name = ""\nv', "must not be empty"),
        ("1.1.0", "1.1\\n0", "cannot be shown on one line"),
        ("Ada <ada@example.com>", "", "authors, entry 1 = ''"),
        ('["Ada <ada@example.com>"]', "[7]", "authors, entry 1 = 7"),
        ('["Ada <ada@example.com>"]', '"Ada"', "must be an array"),
        ("build/trading-engine", "/bin/true", "must be relative"),
        ("build/trading-engine", "build/../../x", '".." may lead out'),
        ("build/trading-engine", "build/\\u0000", "cannot be shown"),
        ("build/trading-engine", ".", "must name the file"),
        ('path = "build/trading-engine"', "", "must name the file"),
        ('kind = "file"', 'kind = "flie"', "Did you mean 'file'?"),
        ('kind = "file"', "", "kind: is absent"),
        ('kind = "file"', 'kind = "oci"', "an image has a ref and no path"),
        ('kind = "file"', 'kind = "oci"\nref = "engine:latest"', "A tag can be moved"),
        (DIGEST, DIGEST[:-1], "64 lower-case hex digits"),
        (DIGEST, DIGEST + "\\n", "64 lower-case hex digits"),
        ("[[artifact]]", "[artifact]", "must be an array"),
        ("[[artifact]]", "[[artefact]]", "Did you mean 'artifact'?"),
    ],
)
def test_mistakes(tmp_path, old, new, says):
    assert old in VALID
    assert says in str(refusal(tmp_path, VALID.replace(old, new, 1)))


def test_a_candidate_without_artifacts_is_none(tmp_path):
    text = VALID[: VALID.index("[[artifact]]")]
    assert "there is none" in str(refusal(tmp_path, text + "artifact = []"))
    assert "artifact: is absent" in str(refusal(tmp_path, text))


def test_artifact_names_are_unique(tmp_path):
    entry = VALID[VALID.index("[[artifact]]") :]
    assert "two of that name" in str(refusal(tmp_path, VALID + entry))


@pytest.mark.parametrize("text", ["a =", "a = 1\na = 2", "x = " + "[" * 5000])
def test_what_is_no_toml(tmp_path, text):
    assert refusal(tmp_path, text).slug == "candidate-not-toml"


def test_absent_and_unreadable(tmp_path):
    with pytest.raises(CandidateError, match="candidate-absent"):
        read_candidate(tmp_path / "candidate.toml")
    (tmp_path / "candidate.toml").write_bytes(b"\xff")
    with pytest.raises(CandidateError, match="candidate-unreadable"):
        read_candidate(tmp_path / "candidate.toml")
    with pytest.raises(CandidateError, match="candidate-unreadable"):
        read_candidate(tmp_path)


def test_nothing_is_written_that_could_not_be_read(tmp_path):
    path = tmp_path / "candidate.toml"
    path.write_text("before")
    artifact = Artifact(name="x", sha256="no digest", path="x")
    for bad in (
        ReleaseCandidate(name="n", version="1", commit="", artifacts=(artifact,)),
        ReleaseCandidate(name="\ud800", version="1", commit="", artifacts=()),
    ):
        with pytest.raises(CandidateError, match="invalid-candidate"):
            write_candidate(bad, path)
        assert path.read_text() == "before"
    with pytest.raises(CandidateError, match="candidate-not-written"):
        write_candidate(read(tmp_path, VALID), tmp_path / "absent" / "candidate.toml")


def test_the_text(tmp_path):
    assert candidate_toml(read(tmp_path, VALID)) == VALID.lstrip().replace(
        "dirty", 'ref = ""\ndirty'
    ).replace("]\n\n[[", ']\nbuilt_by = ""\n\n[[').replace(
        f'path = "build/trading-engine"\nsha256 = "{DIGEST}"',
        f'sha256 = "{DIGEST}"\npath = "build/trading-engine"',
    )
