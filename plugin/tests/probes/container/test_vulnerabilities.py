"""What scanners report: read whole, of this image, fresh, and judged by policy's actions."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.errors import MeasurementError
from release_gates.model.rule import Undecided
from release_gates.model.severity import Severity
from release_gates.probes.container.oci_index import read_index
from release_gates.probes.container.report_file import ScanReport, read_scan
from release_gates.probes.container.settings import ContainerSettings
from release_gates.probes.container.vulnerabilities import blocking, check_fresh

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DIGEST = "9e" * 32
SETTINGS = ContainerSettings()


def trivy(*found: dict[str, Any], **changes: Any) -> bytes:
    document = {
        "SchemaVersion": 2,
        "CreatedAt": "2026-11-20T08:00:00.123456789Z",
        "ArtifactType": "container_image",
        "Metadata": {"ImageID": f"sha256:{DIGEST}", "RepoDigests": [f"r/e@sha256:{'c' * 64}"]},
        "Results": [{"Target": "engine", "Class": "os-pkgs", "Vulnerabilities": list(found) or None}],
        **changes,
    }
    return json.dumps(document).encode()


def one(severity: str, published: str = "2026-11-01T00:00:00Z") -> dict[str, Any]:
    return {
        "VulnerabilityID": f"CVE-2026-{severity}",
        "PkgName": "zlib",
        "InstalledVersion": "1.2",
        "FixedVersion": "1.3",
        "Severity": severity,
        "PublishedDate": published,
    }


def grype(severity: str | None = None, **changes: Any) -> bytes:
    match = {
        "vulnerability": {"id": "CVE-2026-1", "severity": severity, "fix": {"versions": []}},
        "artifact": {"name": "zlib", "version": "1.2"},
    }
    document = {
        "matches": [match] if severity else [],
        "source": {"type": "image", "target": {"imageID": f"sha256:{DIGEST}"}},
        "distro": {"name": "debian", "version": "12"},
        "descriptor": {
            "name": "grype",
            "version": "0.80",
            "timestamp": "2026-11-20T08:00:00+00:00",
            "db": {"built": "2026-11-20T01:00:00Z"},
        },
        **changes,
    }
    return json.dumps(document).encode()


def read(data: bytes) -> ScanReport:
    return read_scan(data, "report.json")


def named(data: bytes) -> list[str]:
    return [fault.effective.split()[0] for fault in blocking(read(data), SETTINGS, NOW)]


def test_severities_do_what_policy_says() -> None:
    data = trivy(
        one("LOW"),
        one("CRITICAL"),
        one("MEDIUM"),
        one("HIGH"),
        one("UNKNOWN"),
        one("MEDIUM", "2026-01-01T00:00:00Z"),
    )
    assert named(data) == ["CVE-2026-CRITICAL", "CVE-2026-HIGH", "CVE-2026-UNKNOWN", "CVE-2026-MEDIUM"]
    assert named(trivy()) == []
    assert named(grype("Negligible")) == []
    assert named(grype("High")) == ["CVE-2026-1"]


def test_what_the_scanner_was_told_to_ignore_is_judged_all_the_same() -> None:
    ignored = json.loads(grype("Critical"))
    assert named(grype(ignoredMatches=ignored["matches"])) == ["CVE-2026-1"]
    result = {
        "Target": "engine",
        "Class": "os-pkgs",
        "ExperimentalModifiedFindings": [
            {"Type": "vulnerability", "Status": "ignored", "Finding": one("CRITICAL")}
        ],
    }
    assert named(trivy(Results=[result])) == ["CVE-2026-CRITICAL"]


def test_policy_accepts_one_with_a_reason() -> None:
    accepting = ContainerSettings(accepted={"CVE-2026-HIGH": "zlib is never called"})
    report = read(trivy(one("HIGH"), one("CRITICAL")))
    assert [fault.effective.split()[0] for fault in blocking(report, accepting, NOW)] == ["CVE-2026-CRITICAL"]
    with pytest.raises(ValueError, match=r"accepted\.CVE-1 = 'no'"):
        ContainerSettings(accepted={"CVE-1": "no"})


def test_a_grace_without_a_day_is_undecided() -> None:
    with pytest.raises(Undecided, match="has no day to count 30 days from"):
        named(grype("Medium"))


@pytest.mark.parametrize("data", [trivy(), grype()])
def test_a_fresh_report_of_this_image_counts(data: bytes) -> None:
    check_fresh(read(data), DIGEST, SETTINGS, NOW)


@pytest.mark.parametrize(
    ("data", "now", "says"),
    [
        (trivy(), NOW + timedelta(days=8), "policy wants it at most 7 days old"),
        (trivy(), NOW - timedelta(days=9), "still to come"),
        (trivy(Metadata={"ImageID": "sha256:" + "1" * 64}), NOW, "is about 111111111111"),
        (trivy(Metadata={}), NOW, "is about no digest"),
        (trivy(Results=[]), NOW, "names no package and no system"),
        (
            json.dumps({k: v for k, v in json.loads(trivy()).items() if k != "Results"}).encode(),
            NOW,
            "names no",
        ),
        (trivy(Results=[{"Target": "e", "Class": "secret"}]), NOW, "names no package and no system"),
        (trivy(Results=[{"Target": "e", "Class": "os-pkgs", "Packages": []}]), NOW, "names no package"),
        (grype(distro={"name": "", "version": ""}), NOW, "names no package and no system"),
        (
            trivy(
                Metadata={
                    "ImageID": f"sha256:{DIGEST}",
                    "OS": {"Family": "debian", "Name": "9.13", "EOSL": True},
                }
            ),
            NOW,
            r"debian 9.13 is not maintained any more",
        ),
        (
            grype(
                descriptor={
                    "version": "1",
                    "timestamp": "2026-11-20T08:00:00Z",
                    "db": {"built": "2026-10-01T00:00:00Z"},
                }
            ),
            NOW,
            "the database of Grype 1 is of 2026-10-01",
        ),
    ],
)
def test_an_old_or_foreign_report_is_no_pass(data: bytes, now: datetime, says: str) -> None:
    with pytest.raises(Undecided, match=says):
        check_fresh(read(data), DIGEST, SETTINGS, now)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        trivy(SchemaVersion=1),
        trivy(ArtifactType="filesystem"),
        trivy(Results=None),
        trivy(Results={}),
        trivy(CreatedAt=None),
        trivy({"VulnerabilityID": "CVE-1"}),
        trivy({**one("HIGH"), "Severity": "SEVERE"}),
        grype(matches=None),
        grype(source={"type": "directory", "target": "."}),
        grype(descriptor={"version": "1", "timestamp": "2026-11-20T08:00:00Z", "db": {}}),
    ],
)
def test_a_torn_report_is_an_error(data: bytes) -> None:
    with pytest.raises(MeasurementError, match="container-report"):
        read(data)


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Results", "matches", "source", "Metadata", "SchemaVersion"]), inner, max_size=3
        )
    ),
    max_leaves=10,
)


@given(st.sampled_from(["Results", "Metadata", "CreatedAt", "SchemaVersion", "ArtifactType"]), JSON)
def test_any_document_is_read_or_one_error(key: str, value: Any) -> None:
    try:
        found = read(trivy(one("HIGH"), **{key: value}))
    except MeasurementError:
        return
    assert key == "Metadata" or all(each.severity in Severity for each in found.vulnerabilities)


def test_platforms_of_an_index() -> None:
    entries = [
        {"os": "linux", "architecture": "amd64"},
        {"os": "linux", "architecture": "arm64", "variant": "v8"},
        {"os": "unknown", "architecture": "unknown"},
    ]
    manifests = [{"platform": each, "digest": f"sha256:{DIGEST}"} for each in entries]
    found = read_index(json.dumps({"manifests": manifests}).encode(), "index.json")
    assert found.images == (("linux/amd64", DIGEST), ("linux/arm64/v8", DIGEST))
    for torn in (
        b"{}",
        b'{"manifests": [{}]}',
        b'{"manifests": {}}',
        b'{"manifests": [{"digest": "sha256:1"}]}',
    ):
        with pytest.raises(MeasurementError, match="container-report"):
            read_index(torn, "index.json")
