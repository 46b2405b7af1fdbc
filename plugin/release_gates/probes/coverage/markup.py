"""Read XML as a stream: no entities, no DTD of its own, nothing fetched; every refusal has its line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from release_gates.errors import MeasurementError, ProbeUnavailable
from release_gates.probes.coverage.facts import ReportDraft
from release_gates.probes.coverage.faults import MAX_LINE, shown, unreadable

CHUNK_BYTES = 1 << 16
_ROOT = re.compile(rb"<([^\s/>!?][^\s/>]*)")


class Markup:
    """Parser target that every XML format extends: where the parser stands, and the numbers that it reads."""

    def __init__(self, file: Path, draft: ReportDraft) -> None:
        self.file = file
        self.draft = draft
        self.expat: Any = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take a start tag."""
        raise NotImplementedError

    def end(self, tag: str) -> None:
        """Take an end tag."""
        raise NotImplementedError

    def data(self, text: str) -> None:
        """Take text; most formats have none that matters."""

    def close(self) -> None:
        """Take the end of the document."""

    def doctype(self, _name: str, _system: str | None, _public: str | None, internal: int) -> None:
        """Refuse an internal DTD: it could supply default hits. An external one is never loaded."""
        if internal:
            raise self.fault("the document carries a DTD of its own")

    def whole(self, text: str, what: str, most: int | None = None) -> int:
        """Return a whole number, refusing signs, fractions, exponents and anything above ``most``."""
        if re.fullmatch("[0-9]{1,19}", text) and (most is None or int(text) <= most):
            return int(text)
        raise self.fault(
            f"{what} {shown(text)} is not a whole number from 0" + (f" to {most}" if most else "")
        )

    def line_number(self, text: str) -> int:
        """Return a line number from 1."""
        number = self.whole(text, "line number", MAX_LINE)
        if number == 0:
            raise self.fault("line number '0': lines count from 1")
        return number

    @property
    def place(self) -> str:
        """Where the parser stands."""
        return f"line {self.expat.CurrentLineNumber}"

    def fault(self, problem: str) -> MeasurementError:
        """Return the error for the current line of the XML."""
        return unreadable(self.file, self.place, problem)


def read_markup(target: Markup) -> None:
    """Feed the target's whole file; whatever the parser refuses becomes one sentence with its line.

    Raises MeasurementError for malformed XML and for any entity, ProbeUnavailable without defusedxml.
    """
    try:
        from defusedxml.ElementTree import DefusedXMLParser
    except ImportError:
        raise ProbeUnavailable(
            f"{target.file}: reading a coverage report in XML needs the package defusedxml.",
            slug="coverage-package-missing",
            hint="Run: pip install 'pytest-release-gates[coverage]'",
        ) from None
    parser = DefusedXMLParser(target=target)
    target.expat = parser.parser
    target.expat.StartDoctypeDeclHandler = target.doctype
    try:
        with target.file.open("rb") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                parser.feed(chunk)
        parser.close()
    except (SyntaxError, ExpatError, ValueError, LookupError) as problem:
        kind = type(problem).__name__
        raise target.fault(f"the XML is refused ({kind}: {problem})") from problem


def root_of(head: bytes) -> bytes:
    """Return the name of the first element in the first bytes of a document, b"" when none begins there."""
    found = _ROOT.search(re.sub(rb"<!--.*?(-->|\Z)", b"", head, flags=re.DOTALL))
    return found[1] if found else b""
