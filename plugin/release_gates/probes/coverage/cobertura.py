"""Read Cobertura XML (coverage-04.dtd), as gcovr, coverage.py and Cobertura itself write it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from release_gates.probes.coverage.facts import ReportDraft, Share, SourceDraft, share_of
from release_gates.probes.coverage.faults import contradiction, shown
from release_gates.probes.coverage.markup import Markup, read_markup

MAX_CONDITIONS = 10_000
"""Most conditions of one line that are believed."""


def read_cobertura(file: Path, draft: ReportDraft) -> None:
    """Read the report into ``draft``, as a stream; rates in attributes are ignored, all is counted again.

    Classes of the same file are merged. Raises MeasurementError with the line of the XML for malformed XML,
    for any entity or internal DTD, for a number that is none, and for totals that contradict the records;
    ProbeUnavailable without defusedxml.
    """
    target = _Cobertura(file, draft)
    read_markup(target)
    target.check()


class _Class:
    """One class element: a source file, or a part of one."""

    def __init__(self, source: SourceDraft, name: str) -> None:
        self.source = source
        self.name = name
        self.draft = SourceDraft()
        self.lines: Counter[int] = Counter()
        self.hits: Counter[int] = Counter()
        self.method_lines: Counter[int] = Counter()
        self.method_hits: set[int] = set()
        self.branches = Share()


class _Method:
    """One method element; its lines stand in the class element again."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[int, bool] = {}


class _Cobertura(Markup):
    """Parser target: what is open, and the totals met so far."""

    def __init__(self, file: Path, draft: ReportDraft) -> None:
        super().__init__(file, draft)
        self.open: list[str] = []
        self.text: list[str] = []
        self.bases: list[str] = []
        self.declared: dict[str, int] = {}
        self.cls: _Class | None = None
        self.method: _Method | None = None
        self.lines = Share()
        self.branches = Share()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take a start tag."""
        if not self.open and tag != "coverage":
            raise self.fault(f"the root element is {shown(tag)}, not 'coverage'")
        self.open.append(tag)
        match tag:
            case "coverage":
                self._take_totals(attributes)
            case "source":
                self.text = []
            case "class":
                self._open_class(attributes)
            case "method":
                self._open_method(attributes)
            case "line":
                self._take_line(attributes)

    def data(self, text: str) -> None:
        """Take text; only that of a source element matters."""
        if self.open and self.open[-1] == "source":
            self.text.append(text)

    def end(self, tag: str) -> None:
        """Take an end tag."""
        self.open.pop()
        match tag:
            case "source":
                self.bases.append("".join(self.text).strip())
            case "class":
                self._close_class()
            case "method":
                self._close_method()

    def check(self) -> None:
        """Compare the declared totals with the records: as they stand, or merged by file."""
        drafts = [*self.draft.sources.values(), *self.draft.excluded.values()]
        lines = sum((share_of(draft.lines) for draft in drafts), Share())
        branches = sum((share_of(draft.branches) for draft in drafts), Share())
        for kind, raw, merged in (("lines", self.lines, lines), ("branches", self.branches, branches)):
            valid, covered = self.declared.get(f"{kind}-valid"), self.declared.get(f"{kind}-covered")
            if (valid, covered) in ((raw.found, raw.hit), (merged.found, merged.hit)):
                continue
            if valid is not None and valid not in (raw.found, merged.found):
                raise contradiction(
                    self.file, "element coverage", f"{kind}-valid", declared=valid, counted=raw.found
                )
            if covered is not None:
                raise contradiction(
                    self.file, "element coverage", f"{kind}-covered", declared=covered, counted=raw.hit
                )

    def _take_totals(self, attributes: dict[str, str]) -> None:
        if len(self.open) != 1:
            raise self.fault("an element coverage inside of another element")
        if "lines-valid" not in attributes or "lines-covered" not in attributes:
            raise self.fault(
                "the element coverage lacks lines-valid or lines-covered, so it is not Cobertura"
            )
        for name in ("lines-valid", "lines-covered", "branches-valid", "branches-covered"):
            if name in attributes:
                self.declared[name] = self.whole(attributes[name], name)

    def _open_class(self, attributes: dict[str, str]) -> None:
        if self.cls is not None:
            raise self.fault("a class inside of a class")
        name = attributes.get("filename", "")
        source = self.draft.source(name, file=self.file, place=self.place, bases=tuple(self.bases))
        self.cls = _Class(source, attributes.get("name", ""))

    def _open_method(self, attributes: dict[str, str]) -> None:
        if self.cls is None or self.method is not None:
            raise self.fault("a method outside of a class")
        self.method = _Method(attributes.get("name", "") + attributes.get("signature", ""))

    def _take_line(self, attributes: dict[str, str]) -> None:
        if self.cls is None:
            raise self.fault("a line outside of a class")
        number = self.line_number(attributes.get("number", ""))
        hit = self.whole(attributes.get("hits", ""), "hits") > 0
        if self.method is not None:
            self.method.lines[number] = hit or self.method.lines.get(number, False)
            return
        self.cls.lines[number] += 1
        self.cls.hits[number] += hit
        self._take_conditions(self.cls, number, attributes)

    def _take_conditions(self, cls: _Class, number: int, attributes: dict[str, str]) -> None:
        branch, text = attributes.get("branch", "false").lower(), attributes.get("condition-coverage")
        if branch not in ("true", "false") or (branch == "true") != (text is not None):
            raise self.fault(f"line number {number}: branch={shown(branch)} with condition-coverage {text!r}")
        if text is None:
            return
        share = self._conditions(text)
        cls.branches += share
        for index in range(share.found):
            key = (number, index)
            cls.draft.branches[key] = index < share.hit or cls.draft.branches.get(key, False)

    def _conditions(self, text: str) -> Share:
        """Read "50% (1/2)"; the percentage is ignored."""
        fraction = re.fullmatch(r"[^()]*\(([0-9]{1,6})/([0-9]{1,6})\)", text)
        if fraction is None:
            raise self.fault(f"condition-coverage {shown(text)} is not like '50% (1/2)'")
        hit, found = int(fraction[1]), int(fraction[2])
        if not 0 < found <= MAX_CONDITIONS or hit > found:
            raise self.fault(f"condition-coverage {shown(text)}: {hit} of {found} cannot be")
        return Share(hit=hit, found=found)

    def _close_method(self) -> None:
        if self.cls is None or self.method is None:
            raise self.fault("the end of a method that did not start")
        method, self.method = self.method, None
        self.cls.method_lines.update(method.lines.keys())
        self.cls.method_hits.update(number for number, hit in method.lines.items() if hit)
        if method.lines:
            key = (self.cls.name, method.name, min(method.lines))
            hit = any(method.lines.values())
            self.cls.draft.functions[key] = hit or self.cls.draft.functions.get(key, False)

    def _close_class(self) -> None:
        if self.cls is None:
            raise self.fault("the end of a class that did not start")
        cls, self.cls = self.cls, None
        self._check_lines(cls)
        cls.draft.lines = {number: cls.hits[number] > 0 for number in cls.lines}
        cls.source.merge(cls.draft)
        self.lines += Share(hit=cls.hits.total(), found=cls.lines.total())
        self.branches += cls.branches

    def _check_lines(self, cls: _Class) -> None:
        """Refuse lines that only a method has, and doubled lines that no template instance explains."""
        for number in cls.method_lines.keys() - cls.lines.keys():
            raise self.fault(
                f"line number {number} stands in a method, but not in its class {shown(cls.name)}"
            )
        for number in cls.method_hits:
            if not cls.hits[number]:
                raise self.fault(
                    f"line number {number} is hit in a method, but not in class {shown(cls.name)}"
                )
        for number, times in cls.lines.items():
            if times > 1 and times != cls.method_lines[number]:
                raise self.fault(
                    f"line number {number} stands {times} times in class {shown(cls.name)}, "
                    f"but {cls.method_lines[number]} of its methods have it"
                )
