"""From a candidate's report to the measurements of its gate, with a gate that only records."""

from __future__ import annotations

import os
import shutil
import subprocess

import msgspec
import pytest

from release_gates.errors import CandidateError, MeasurementError
from release_gates.probes.coverage.assessment import GateCoverage
from release_gates.probes.coverage.settings import CoverageSettings


class RecordedBuild:
    def __init__(self, version, commit, artifacts):
        self.version, self.commit, self.artifacts = version, commit, artifacts

    def artifact(self, name):
        if name not in self.artifacts:
            raise CandidateError(
                f"{self.version} has no artifact {name}.", slug="unknown-artifact", hint="Build it."
            )
        return self.artifacts[name]

    def artifact_source(self, name):
        return self.artifacts[name]


class RecordedGate:
    def __init__(self, rootdir, candidate, baseline, **settings):
        self.rootdir, self.candidate, self.baseline = rootdir, candidate, baseline
        self.values, self.absent, self.irrelevant, self.attached = {}, {}, {}, {}
        self.said = {"report": "lcov.info", "components": {"core": ["src/**"]}} | settings

    def settings(self, kind):
        return msgspec.convert(self.said, kind, strict=True)

    def measure(self, name, value, unit, *, samples=None, baseline=None):
        assert unit == "ratio"
        self._once(name)
        self.values[name] = (value, samples, baseline)

    def missing(self, name, because):
        self._once(name)
        self.absent[name] = because

    def not_applicable(self, name, because):
        self._once(name)
        self.irrelevant[name] = because

    def attach(self, name, path):
        self.attached[name] = path

    def _once(self, name):
        assert name not in self.values.keys() | self.absent.keys() | self.irrelevant.keys()


@pytest.fixture
def git(tmp_path):
    def run(*arguments):
        who = ("-c", "user.name=n", "-c", "user.email=e@x", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    return run


@pytest.fixture
def release(tmp_path, tracefile, git):
    """Two commits: the baseline, and a candidate that adds lines 4 and 5 to src/a.cpp."""
    baseline = tracefile({"src/a.cpp": {1: 1, 2: 1, 3: 0}, "lib/z.cpp": {1: 1}}, "baseline.info")
    (tmp_path / ".gitignore").write_text("*.info\n")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "1")
    first = git("rev-parse", "HEAD")
    (tmp_path / "src/a.cpp").write_text("x = 1;\n" * 3 + "y = 2;\nz = 3;\n")
    git("commit", "-qam", "2")
    report = tracefile({"src/a.cpp": {1: 1, 2: 1, 3: 0, 4: 1, 5: 0}, "lib/z.cpp": {1: 1}})

    def gate(**settings):
        before = RecordedBuild("1.0.0", first, {"lcov.info": baseline})
        return RecordedGate(
            tmp_path,
            RecordedBuild("1.1.0", git("rev-parse", "HEAD"), {"lcov.info": report}),
            before,
            **settings,
        )

    return gate


def measured(gate):
    GateCoverage(gate).measure()
    return gate


def test_components_total_and_diff(release):
    gate = measured(release())
    assert gate.values == {
        "core.line_rate": (3 / 5, 5, 2 / 3),
        "total.line_rate": (4 / 6, 6, 3 / 4),
        "diff.line_rate": (1 / 2, 2, None),
    }
    assert set(gate.absent) == {
        f"{part}.{rate}_rate" for part in ("core", "total") for rate in ("branch", "function")
    }
    assert (
        gate.absent["core.branch_rate"] == "lcov.info records no branches for core, and 0 of 0 is not 100 %"
    )
    assert gate.irrelevant == {}
    assert list(gate.attached) == ["lcov.info"]


def test_every_rate_against_the_baseline(recorded, tmp_path):
    report = recorded("cpp/gcovr_8.8.json")
    build = RecordedBuild("1", "", {"gcovr_8.8.json": report})
    gate = RecordedGate(
        tmp_path,
        build,
        build,
        report=report.name,
        source_root="cpp",
        components={"book": ["src/book.*"]},
        diff=False,
    )
    assert measured(gate).values == {
        "book.line_rate": (3 / 8, 8, 3 / 8),
        "book.branch_rate": (2 / 10, 10, 2 / 10),
        "book.function_rate": (1 / 2, 2, 1 / 2),
        "total.line_rate": (17 / 26, 26, 17 / 26),
        "total.branch_rate": (10 / 26, 26, 10 / 26),
        "total.function_rate": (4 / 6, 6, 4 / 6),
    }


@pytest.mark.parametrize(
    ("components", "reason"),
    [
        ({"core": ["src/**"], "risk": ["risk/**"]}, "'risk/**' of component 'risk' names no source"),
        (
            {"core": ["src/**"], "risk": ["lib/**", "risk/**"]},
            "'risk/**' of component 'risk' names no source",
        ),
    ],
)
def test_component_that_the_report_lacks(release, components, reason):
    gate = measured(release(components=components))
    assert reason in gate.absent["risk.line_rate"]
    assert reason in gate.absent["total.line_rate"]
    assert "core.line_rate" in gate.values


def test_source_that_no_report_mentions(release, tmp_path):
    (tmp_path / "src/forgotten.cpp").write_text("int f() { return 1; }\n")
    gate = measured(release())
    for name in ("core.line_rate", "total.line_rate"):
        assert "src/forgotten.cpp is not in" in gate.absent[name]
        assert "`exclude`" in gate.absent[name]


@pytest.mark.parametrize(
    "name", ["src/only.hpp", "src/notes.md", "src/.hidden/a.cpp", "src/skip.cpp", "tools/t.cpp"]
)
def test_files_that_a_report_may_lack(release, tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("text\n")
    assert "core.line_rate" in measured(release(exclude=["src/skip.cpp"])).values


def test_report_of_headers_only_lacks_the_sources(release, tmp_path, tracefile):
    gate = release(components={"core": ["**"]})
    tracefile({"lib/z.hpp": {1: 1}})
    assert "lib/z.cpp, src/a.cpp are not in" in measured(gate).absent["core.line_rate"]


def test_truncated_by_whole_sections_is_missing(release, tmp_path, tracefile):
    tracefile({"lib/z.cpp": {1: 1}})
    gate = measured(release(components={"core": ["src/**", "lib/**"]}))
    assert not gate.values
    assert "core.line_rate" in gate.absent
    assert "'src/**' of component 'core' names no source" in gate.absent["diff.line_rate"]


def test_nothing_changed_is_not_applicable(release):
    gate = release()
    gate.baseline.commit = gate.candidate.commit
    measured(gate)
    assert gate.irrelevant == {
        "diff.line_rate": f"no executable line changed since 1.0.0 ({gate.candidate.commit[:12]})"
    }


def test_first_release(release):
    gate = release()
    gate.baseline = None
    measured(gate)
    assert gate.values["core.line_rate"] == (3 / 5, 5, None)
    assert gate.values["diff.line_rate"] == (4 / 6, 6, None)


def test_diff_switched_off(release, tmp_path):
    gate = release(diff=False)
    shutil.rmtree(tmp_path / ".git")
    measured(gate)
    assert "core.line_rate" in gate.values
    assert "diff.line_rate" not in gate.values


@pytest.mark.parametrize("problem", ["absent", "torn", "data file"])
def test_unusable_report_of_the_baseline_is_said(release, tmp_path, problem):
    gate = release()
    content = {"torn": b"TN:\nSF:src/a.cpp\n", "data file": b"SQLite format 3\0", "absent": b""}[problem]
    (tmp_path / "bad").write_bytes(content)
    gate.baseline.artifacts = {} if problem == "absent" else {"lcov.info": tmp_path / "bad"}
    measured(gate)
    assert "baseline 1.0.0 is no use" in gate.absent["baseline.report"]
    assert gate.values["core.line_rate"] == (3 / 5, 5, None)


def test_baseline_without_the_component_is_said(release, tmp_path, tracefile):
    gate = release()
    gate.baseline.artifacts = {"lcov.info": tracefile({"lib/z.cpp": {1: 1}}, "other.info")}
    measured(gate)
    assert gate.values["core.line_rate"] == (3 / 5, 5, None)
    assert gate.irrelevant["baseline.report.core_line"] == "the baseline's report has no line data for core"


def test_stale_report_is_an_error(release, tmp_path):
    gate = release()
    os.utime(tmp_path / "src/a.cpp", (4_000_000_000, 4_000_000_000))
    with pytest.raises(MeasurementError) as error:
        measured(gate)
    assert error.value.slug == "coverage-report-stale"
    assert not gate.values
    assert gate.attached


def test_artifact_that_the_candidate_lacks(release):
    with pytest.raises(CandidateError):
        measured(release(report="other"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"components": {"total": ["**"]}},
        {"components": {"diff": ["**"]}},
        {"components": {"a.b": ["**"]}},
        {"components": {"": ["**"]}},
        {"components": {"core": []}},
        {"components": {"core": [""]}},
        {"components": {"core": ["/src/**"]}},
        {"components": {"core": ["src/../../**"]}},
        {"components": {}},
        {"components": {"core": "src/**"}},
        {"components": {"core": ["**"]}, "exlude": []},
        {"components": {"core": ["**"]}, "diff": "yes"},
        {},
    ],
)
def test_wrong_settings(wrong):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, CoverageSettings, strict=True)


def test_fixture(pytester):
    pytester.makeconftest(
        """
        import pytest
        from release_gates.probes.coverage.fixtures import gate_coverage
        from release_gates.probes.coverage.settings import CoverageSettings

        class Gate:
            def settings(self, kind):
                assert kind is CoverageSettings
                return kind(components={"core": ["**"]})

        @pytest.fixture
        def gate():
            return Gate()
        """
    )
    pytester.makepyfile("def test_it(gate_coverage): assert gate_coverage.settings.report == 'coverage.json'")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:release_gates")
    result.assert_outcomes(passed=1)
