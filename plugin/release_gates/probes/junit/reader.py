"""JUnit XML of pytest, GoogleTest, Surefire, Gradle, gotestsum, Jest, CTest and node: bytes to a Report."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import datetime
from xml.etree.ElementTree import Element

from release_gates.probes.junit.cases import moment, read_case, seconds
from release_gates.probes.junit.counts import check_counts
from release_gates.probes.junit.document import parse
from release_gates.probes.junit.facts import Case, Report
from release_gates.probes.junit.faults import empty, foreign

_TOOLS = {"pytest tests": "pytest", "AllTests": "GoogleTest", "jest tests": "jest-junit"}
"""What the root's name tells of the tool, where the tool fixes it."""

_HEX = re.compile(r"[0-9a-f]+")
SUITES = frozenset({"testsuites", "testsuite"})
_SCHEMA = "{http://www.w3.org/2001/XMLSchema-instance}noNamespaceSchemaLocation"


def read_junit(
    file: str, data: bytes, *, written: datetime, commit_keys: Collection[str], suite: str | None = None
) -> Report:
    """Return what a JUnit file says. Pure: ``file`` is how messages name it.

    ``written`` is when the tests ran if the file does not say; ``suite`` replaces the names of its suites;
    ``commit_keys`` are the properties that name a commit.
    Raises MeasurementError (``junit-unreadable``, ``junit-contradiction``, ``junit-empty``) and
    ProbeUnavailable; never returns a report without a test case.
    """
    root = parse(file, data)
    cases = tuple(_cases(file, root, name=suite, fixed=suite is not None, taken=None))
    if not cases:
        raise empty(file)
    properties = [(each.get("name", ""), each.get("value") or _text(each)) for each in root.iter("property")]
    tool, version = _tool(root, dict(properties))
    stamps = [stamp for each in root.iter() if each.tag in SUITES and (stamp := moment(file, each))]
    return Report(
        file=file,
        cases=cases,
        tool=tool,
        version=version,
        commits=tuple((key, value) for key, value in properties if key in commit_keys),
        taken=min(stamps, default=written),
        dated=bool(stamps),
        repeats=tool == "pytest",
    )


def check_commit(report: Report, commit: str, *, required: bool) -> None:
    """Refuse results that name another commit than the candidate's, by MeasurementError.

    An abbreviated id of at least 7 digits is the same commit. ``required`` refuses a file that names none.
    """
    for key, value in report.commits:
        if not _same_commit(value.strip(), commit):
            raise foreign(report.file, key, value, commit or "an unknown commit")
    if required and not report.commits:
        raise foreign(report.file, "commit", "absent", commit or "an unknown commit")


def _same_commit(one: str, other: str) -> bool:
    one, other = one.lower(), other.lower()
    if one == other:
        return one != ""
    short, long = sorted((one, other), key=len)
    return len(short) >= 7 and _HEX.fullmatch(long) is not None and long.startswith(short)


def _cases(
    file: str, element: Element, *, name: str | None, fixed: bool, taken: datetime | None
) -> Iterator[Case]:
    """Yield the cases of a suite and of the suites in it, and compare their number with its header."""
    taken = moment(file, element) or taken
    suite = (name or "") if fixed else element.get("name", "") if element.tag == "testsuite" else ""
    seconds(file, element)
    found: list[Case] = []
    for child in element:
        if child.tag == "testcase":
            found.append(read_case(file, child, suite=suite, taken=taken))
        elif child.tag == "testsuite":
            found.extend(_cases(file, child, name=name, fixed=fixed, taken=taken))
    check_counts(file, element, found)
    yield from found


def _tool(root: Element, properties: dict[str, str]) -> tuple[str, str]:
    first = root if root.tag == "testsuite" else root.find("testsuite")
    schema = root.get(_SCHEMA, "")
    if "surefire" in schema:
        return "maven-surefire", ""
    if "go.version" in properties:
        return "gotestsum", properties["go.version"]
    if root.get("name", "") in _TOOLS:
        return _TOOLS[root.get("name", "")], ""
    if first is not None and first.get("name") == "pytest":
        return "pytest", ""
    return "", ""


def _text(element: Element) -> str:
    return "".join(element.itertext()).strip()
