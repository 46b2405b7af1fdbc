"""What a pipeline made of an image, in JSON: known vulnerabilities by Trivy or Grype."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from release_gates.errors import MeasurementError
from release_gates.model.severity import Severity

LARGEST = 256 << 20
_SEVERITIES = {
    "negligible": Severity.LOW,
    "unknown": Severity.HIGH,
    **{each.value: each for each in Severity},
}
"""A severity that nobody assessed yet is taken for a high one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vulnerability:
    """One known vulnerability of one package; ``published`` is None where the report does not say."""

    identity: str
    package: str
    version: str
    fixed: str
    severity: Severity
    published: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanReport:
    """What a scanner found in one image. ``digests`` are all by which it calls the image.

    ``looked_at`` is where it looked for packages: without any, no finding proves nothing. ``ended`` is the
    distribution if nobody mends it any more, and so nobody reports what is wrong with it.
    ``vulnerabilities`` are also those that the scanner was told to ignore: what is accepted, policy says.
    """

    tool: str
    digests: frozenset[str]
    created: datetime
    database: datetime | None
    looked_at: tuple[str, ...]
    ended: str
    vulnerabilities: tuple[Vulnerability, ...]


def read_scan(data: bytes, place: str) -> ScanReport:
    """Return the JSON of Trivy or Grype; ``MeasurementError`` (``container-report``) for another."""
    found = document(data, place)
    try:
        if "Results" in found or "SchemaVersion" in found:
            return _trivy(found)
        if "matches" in found:
            return _grype(found)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise unreadable(place, f"{type(error).__name__}: {error}") from None
    raise unreadable(place, "is neither Trivy's nor Grype's JSON")


def _trivy(document: Mapping[str, Any]) -> ScanReport:
    if document["SchemaVersion"] != 2:
        raise ValueError(f"SchemaVersion {document['SchemaVersion']}; 2 is read")
    if document.get("ArtifactType") != "container_image":
        raise ValueError(f"it is about a {document.get('ArtifactType')}, not about an image")
    metadata, results = document["Metadata"], listed(document.get("Results", []))
    system = metadata.get("OS") or {}
    return ScanReport(
        tool="Trivy",
        digests=_digests(metadata.get("ImageID"), *(metadata.get("RepoDigests") or ())),
        created=_time(document["CreatedAt"]),
        database=None,
        looked_at=tuple(str(each["Target"]) for each in results if _has_packages(each)),
        ended=f"{system.get('Family')} {system.get('Name')}" if system.get("EOSL") else "",
        vulnerabilities=tuple(_of_trivy(results)),
    )


def _has_packages(result: Mapping[str, Any]) -> bool:
    """Tell whether a result of Trivy is about packages; with a list of them, it has to have some."""
    if result.get("Vulnerabilities") or result.get("Packages"):
        return True
    return result.get("Class") in ("os-pkgs", "lang-pkgs") and "Packages" not in result


def _of_trivy(results: list[Any]) -> Iterator[Vulnerability]:
    for result in results:
        ignored = listed(result.get("ExperimentalModifiedFindings") or [])
        suppressed = (each["Finding"] for each in ignored if each["Type"] == "vulnerability")
        for each in (*(result.get("Vulnerabilities") or ()), *suppressed):
            yield Vulnerability(
                identity=str(each["VulnerabilityID"]),
                package=str(each["PkgName"]),
                version=str(each["InstalledVersion"]),
                fixed=str(each.get("FixedVersion") or ""),
                severity=_severity(each["Severity"]),
                published=_time(each["PublishedDate"]).date() if each.get("PublishedDate") else None,
            )


def _grype(document: Mapping[str, Any]) -> ScanReport:
    source, descriptor = document["source"], document["descriptor"]
    if source["type"] != "image":
        raise ValueError(f"it is about a {source['type']}, not about an image")
    target, database = source["target"], descriptor["db"]
    matches = [*listed(document["matches"]), *listed(document.get("ignoredMatches") or [])]
    built = database.get("built") or (database.get("status") or {}).get("built")
    return ScanReport(
        tool=f"Grype {descriptor['version']}",
        digests=_digests(
            target.get("imageID"), target.get("manifestDigest"), *(target.get("repoDigests") or ())
        ),
        created=_time(descriptor["timestamp"]),
        database=_time(built),
        looked_at=tuple(
            filter(None, (_distribution(document), *(str(m["artifact"]["name"]) for m in matches)))
        ),
        ended="",
        vulnerabilities=tuple(
            Vulnerability(
                identity=str(each["vulnerability"]["id"]),
                package=str(each["artifact"]["name"]),
                version=str(each["artifact"]["version"]),
                fixed=", ".join((each["vulnerability"].get("fix") or {}).get("versions") or ()),
                severity=_severity(each["vulnerability"]["severity"]),
                published=None,
            )
            for each in matches
        ),
    )


def _distribution(document: Mapping[str, Any]) -> str:
    """Return the distribution that Grype knew, whose packages it looked at; "" for none."""
    said = document.get("distro") or {}
    return " ".join(filter(None, (said.get("name"), said.get("version"))))


def _digests(*names: object) -> frozenset[str]:
    return frozenset(str(name).rpartition("sha256:")[2] for name in names if name)


def _severity(said: object) -> Severity:
    found = _SEVERITIES.get(str(said).lower())
    if found is None:
        raise ValueError(f"{said!r} is no severity")
    return found


def _time(said: object) -> datetime:
    if not isinstance(said, str):
        raise TypeError(f"{said!r} is no time")
    found = datetime.fromisoformat(f"{said[:19]}+00:00" if len(said) > 19 else said)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def listed(value: object) -> list[Any]:
    """Return a value that has to be a list; ``TypeError`` for another."""
    if not isinstance(value, list):
        raise TypeError(f"{type(value).__name__} where a list belongs")
    return value


def document(data: bytes, place: str) -> dict[str, Any]:
    """Return the JSON object that a file holds; ``MeasurementError`` (``container-report``) for another."""
    if len(data) > LARGEST:
        raise unreadable(place, f"is larger than {LARGEST} bytes")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise unreadable(place, f"is no JSON: {error}") from None
    if not isinstance(document, dict):
        raise unreadable(place, "is no JSON object")
    return document


def unreadable(place: str, problem: str) -> MeasurementError:
    """Return the error for a report that is torn, or of another form."""
    return MeasurementError(
        f"{place}: {problem}.",
        slug="container-report",
        hint="Let the tool write it again (trivy image -f json, grype -o json).",
    )
