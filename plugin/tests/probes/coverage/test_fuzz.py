"""Any bytes give a report or a GateError with a sentence; damage never raises a rate in silence."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from release_gates.errors import GateError
from release_gates.probes.coverage.components import total_of
from release_gates.probes.coverage.diff import parse_diff
from release_gates.probes.coverage.paths import SourceRoot
from release_gates.probes.coverage.patterns import matches
from release_gates.probes.coverage.reader import read_report

DATA = Path(__file__).parent / "data"
CHECKED = ["cpp/gcovr_merged.info", "py/coveragepy.info", "py/coveragepy.json", "py/coveragepy.xml",
           "cpp/gcovr_cobertura_merged.xml", "cpp/gcovr_cobertura.xml", "java/jacoco_0.8.6.xml"]  # fmt: skip
"""Reports that carry totals for each source once, so that damage shows.

gcovr's JSON has none; with several test names a line number may differ in one of them only.
"""
SAMPLES = {
    name: (DATA / name).read_bytes().replace(b"@ROOT@/", b"")
    for name in [*CHECKED, "cpp/lcov.info", "cpp/gcovr_8.8.json", "cpp/gcovr_7.2.json"]
}
SAMPLES["go/cover.out"] = (DATA / "go/cover.out").read_bytes().replace(b"example.com/exchange/", b"./")
SLOW = settings(deadline=None, suppress_health_check=list(HealthCheck))
STARTS = [
    b"",
    b"TN:\n",
    b"SF:a\n",
    b"<coverage ",
    b'{"gcovr/format_version": "0.15", ',
    b'{"meta": {',
    b"<?xml ",
    b"<report name='r'>",
    b"mode: set\n",
]


def read(content: bytes):
    """Return the report, or None if it was refused with a sentence."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "report")
        file.write_bytes(content)
        try:
            return read_report(file, SourceRoot(Path(directory)))
        except GateError as error:
            refusal = error
    assert refusal.message.endswith(".")
    assert refusal.hint
    assert refusal.slug.startswith("coverage-")
    return None


def shares(report):
    total = total_of("total", report.sources.values())
    return total.line, total.branch, total.function


WHOLE = {name: read(content) for name, content in SAMPLES.items()}


@SLOW
@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=300))
@example(start=b"", rest=b"SQLite format 3\0" + b"\0" * 100)
def test_any_bytes(start, rest):
    report = read(start + rest)
    assert report is None or shares(report)[0].found > 0


RECORD = st.sampled_from(
    ["TN:", "SF:a", "SF:b", "DA:1,1", "DA:2,0", "DA:-1,1", "LF:1", "LH:1", "LF:2", "FN:1,f", "FNDA:1,f",
     "FNL:0,1", "FNA:0,1,f", "FNF:1", "FNH:1", "BRDA:1,0,0,1", "BRDA:1,0,1,-", "BRF:2", "BRH:1",
     "end_of_record", "#", "", ":", ","]
)  # fmt: skip


@SLOW
@given(records=st.lists(RECORD, max_size=14))
def test_any_lcov_records(records):
    report = read("\n".join(["TN:", *records]).encode())
    assert report is None or shares(report)[0].found > 0


@SLOW
@given(name=st.sampled_from(sorted(SAMPLES)), where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_flipped_bit(name, where, bit):
    content = bytearray(SAMPLES[name])
    content[int(where * len(content))] ^= 1 << bit
    report = read(bytes(content))
    if report is not None and name in CHECKED and report.sources.keys() == WHOLE[name].sources.keys():
        for before, after in zip(shares(WHOLE[name]), shares(report), strict=True):
            assert after.hit <= before.hit
            assert after.found >= before.found or after.found == 0


@SLOW
@given(name=st.sampled_from(sorted(SAMPLES)), where=st.floats(0, 1, exclude_max=True))
def test_truncation(name, where):
    cut = SAMPLES[name][: int(where * len(SAMPLES[name]))]
    report = read(cut if name == "go/cover.out" else cut.rstrip())
    if report is None:
        return
    whole = WHOLE[name].sources
    if name == "go/cover.out":  # whole lines only; the format has no totals
        assert cut.endswith(b"\n")
    elif name.endswith(".info"):  # whole sections only; that sources are lacking is seen by their component
        assert report.sources.keys() <= whole.keys()
        assert all(set(source.lines) == set(whole[path].lines) for path, source in report.sources.items())
    else:
        assert cut.rstrip() == SAMPLES[name].rstrip()


@SLOW
@given(
    name=st.sampled_from(CHECKED),
    where=st.floats(0, 1),
    noise=st.binary(min_size=1, max_size=20),
    cut=st.integers(0, 60),
)
def test_replaced_part(name, where, noise, cut):
    content, at = SAMPLES[name], int(where * len(SAMPLES[name]))
    read(content[:at] + noise + content[at + cut :])


@SLOW
@given(patch=st.binary(max_size=200) | st.lists(
    st.sampled_from([b"diff --git a/x b/x", b"+++ b/x", b'+++ "b/\\303\\274\\"x"', b"@@ -1 +1 @@",
                     b"@@ -0,0 +1,2 @@", b"+a", b"-b", b"\\ No newline at end of file",
                     b"new file mode 160000", b"+++ /dev/null"])
).map(b"\n".join))  # fmt: skip
def test_any_patch(patch):
    with suppress(GateError):
        parse_diff(patch)


@SLOW
@given(path=st.text("ab/.*", max_size=12), pattern=st.text("ab/.*?[(", max_size=8))
def test_patterns_never_raise(path, pattern):
    matches(path, [pattern])
    assert matches(path, ["**"])


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("src/**", "src/a.cpp", True),
        ("src/**", "src/deep/er/a.cpp", True),
        ("src/**", "src2/a.cpp", False),
        ("./src/**", "src/a.cpp", True),
        ("src/*", "src/deep/a.cpp", False),
        ("src/*.cpp", "src/a.cpp", True),
        ("src/*.cpp", "src/a.cpp.orig", False),
        ("src/**/*.cpp", "src/a.cpp", True),
        ("src/**/*.cpp", "src/x/y/a.cpp", True),
        ("**/test_*.py", "test_a.py", True),
        ("**/test_*.py", "x/test_a.py", True),
        ("**/test_*.py", "x/latest_a.py", False),
        ("src/a.cpp", "src/aXcpp", False),
        ("a?.cpp", "ab.cpp", True),
        ("a?.cpp", "a/.cpp", False),
        ("a[1].cpp", "a[1].cpp", True),
        ("src", "src/a.cpp", False),
    ],
)
def test_pattern(pattern, path, expected):
    assert matches(path, [pattern]) is expected
