"""From bytes to an XML tree that has the shape of JUnit XML and nothing besides."""

from __future__ import annotations

from xml.etree.ElementTree import Element
from xml.parsers.expat import ExpatError

from release_gates.errors import MeasurementError, ProbeUnavailable
from release_gates.probes.junit.faults import empty, shown, unreadable

DEEPEST = 32
"""Suites within suites; deeper is no report, and would overflow those who read it by recursion."""

LONGEST = 2000
"""Characters of a name that is believed."""

ENCODINGS = frozenset({"utf-8", "utf8", "utf-16", "us-ascii", "ascii"})
TEXT: frozenset[str] = frozenset()
_OUTPUT = frozenset({"system-out", "system-err"})
_RERUN = frozenset({"stackTrace", *_OUTPUT})
CHILDREN = {
    "testsuites": frozenset({"testsuite", "testcase", "properties", *_OUTPUT}),
    "testsuite": frozenset({"testsuite", "testcase", "properties", *_OUTPUT}),
    "testcase": frozenset(
        {"failure", "error", "skipped", "properties", *_OUTPUT}
        | {"rerunFailure", "rerunError", "flakyFailure", "flakyError"}
    ),
    "properties": frozenset({"property"}),
    "rerunFailure": _RERUN,
    "rerunError": _RERUN,
    "flakyFailure": _RERUN,
    "flakyError": _RERUN,
}
"""Which element may stand in which. An element that nobody knows could be a failure, so it is refused."""

ATTRIBUTES = frozenset(
    {"name", "classname", "tests", "failures", "errors", "skipped", "disabled", "time", "timestamp"}
    | {
        "status",
        "result",
        "outcome",
        "state",
        "verdict",
        "success",
        "passed",
        "failed",
        "executed",
        "ignored",
        "failure",
        "error",
        "value",
    }
    | {"message", "type"}
)
"""Attributes that mean something: written in other letters they would be overlooked, so that is refused."""

_COUNTS = frozenset({"failures", "errors"})


def parse(file: str, data: bytes) -> Element:
    """Return the root of a JUnit document.

    Raises MeasurementError for what is no XML, is not closed, has a DTD or entities, or holds an element that
    does not belong where it stands; ProbeUnavailable without defusedxml.
    """
    if not data.strip(b"\x00 \t\r\n\xef\xbb\xbf\xfe\xff"):
        raise empty(file)
    root = _tree(file, data)
    if root.tag not in ("testsuites", "testsuite"):
        raise unreadable(file, "", f"the root element is {shown(root.tag)}, not 'testsuites' or 'testsuite'")
    _check_shape(file, root)
    return root


def _tree(file: str, data: bytes) -> Element:
    try:
        from defusedxml.common import DefusedXmlException
        from defusedxml.ElementTree import DefusedXMLParser
    except ImportError:
        raise missing_package(file, "defusedxml") from None
    parser = DefusedXMLParser(forbid_dtd=True)
    declared: list[str] = []
    parser.parser.XmlDeclHandler = lambda _version, encoding, _alone: declared.append(encoding or "utf-8")
    try:
        parser.feed(data)
        root: Element = parser.close()
    except DefusedXmlException as problem:
        kind = type(problem).__name__
        raise unreadable(file, "", f"carries a DTD or entities of its own ({kind})") from None
    except (SyntaxError, ExpatError, ValueError, LookupError) as problem:
        raise unreadable(file, "", f"the XML is refused ({problem})") from None
    if declared and declared[0].lower() not in ENCODINGS:
        raise unreadable(file, "", f"is declared as {shown(declared[0])}; UTF-8 and UTF-16 are read")
    return root


def missing_package(file: str, name: str) -> ProbeUnavailable:
    """Return the error for a package that reading JUnit XML needs."""
    return ProbeUnavailable(
        f"{file}: reading JUnit XML needs the package {name}.",
        slug="junit-package-missing",
        hint="Run: pip install 'pytest-release-gates[import]'",
    )


def place_of(element: Element) -> str:
    """Return how messages name an element."""
    return f"{element.tag} {shown(element.get('name') or '')}"


def _check_shape(file: str, root: Element) -> None:
    todo = [(root, 1)]
    while todo:
        element, depth = todo.pop()
        if depth > DEEPEST:
            raise unreadable(file, place_of(element), f"stands in more than {DEEPEST} others")
        _check_attributes(file, element)
        allowed = CHILDREN.get(element.tag, TEXT)
        for child in element:
            if child.tag not in allowed and not (element.tag == "property" and child.tag == "text"):
                raise _misplaced(file, element, child)
            todo.append((child, depth + 1))


def _misplaced(file: str, element: Element, child: Element) -> MeasurementError:
    problem = f"holds an element {shown(child.tag)}, of which this reader does not know what it means there"
    return unreadable(file, place_of(element), problem)


def _check_attributes(file: str, element: Element) -> None:
    for name, value in element.attrib.items():
        if name not in ATTRIBUTES and name.lower() in ATTRIBUTES:
            problem = f"the attribute {shown(name)} has to be written '{name.lower()}'"
            raise unreadable(file, place_of(element), problem)
        if element.tag == "testcase" and name in _COUNTS and value.strip() not in ("", "0"):
            problem = f"{name}={shown(value)} at a test case: this reader does not know what that means"
            raise unreadable(file, place_of(element), problem)
        if name in ("name", "classname") and len(value) > LONGEST:
            raise unreadable(file, element.tag, f"its {name} has {len(value)} characters")
