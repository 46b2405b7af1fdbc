"""Read JaCoCo's XML (report.dtd 1.1): https://www.jacoco.org/jacoco/trunk/coverage/report.dtd."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from release_gates.probes.coverage.facts import ReportDraft, Share, SourceDraft
from release_gates.probes.coverage.faults import contradiction, shown
from release_gates.probes.coverage.markup import Markup, read_markup

MAX_BRANCHES = 10_000
"""Most branches of one line that are believed."""

CONVENTION = ("src/main/java", "src/main/kotlin", "src/main/scala", "src/main/groovy")
"""Where packages lie below ``source_root`` unless policy says ``source_roots``: Maven's layout."""

INSIDE = {
    "report": ("",),
    "sessioninfo": ("report",),
    "group": ("report", "group"),
    "package": ("report", "group"),
    "class": ("package",),
    "method": ("class",),
    "sourcefile": ("package",),
    "line": ("sourcefile",),
    "counter": ("report", "group", "package", "class", "method", "sourcefile"),
}
"""Which element stands inside of which, as the DTD has it."""

KINDS = frozenset({"INSTRUCTION", "BRANCH", "LINE", "COMPLEXITY", "METHOD", "CLASS"})
CHECKED = ("LINE", "BRANCH", "METHOD")
"""Counters that must agree with the records; complexity and classes are not read."""


def read_jacoco(file: Path, draft: ReportDraft) -> None:
    """Read the report into ``draft``, as a stream.

    Lines and branches come from the line elements, functions from the methods; counters are summaries and
    only compared with them. A line is hit when any of its instructions was executed, as in JaCoCo's own LINE
    counter. Raises MeasurementError with the line of the XML for malformed XML, for an entity or internal
    DTD, for elements or numbers that cannot be, for code without line numbers, and for counters of a source,
    package, group or report that contradict the records.
    """
    read_markup(_Jacoco(file, draft))


@dataclass(slots=True, kw_only=True)
class _Element:
    """An open element: what its counters declare, and what was counted inside of it."""

    tag: str
    name: str
    declared: dict[str, Share] = field(default_factory=dict)
    counted: dict[str, Share] = field(default_factory=dict)

    def count(self, kind: str, share: Share) -> None:
        self.counted[kind] = self.counted.get(kind, Share()) + share


@dataclass(slots=True, kw_only=True)
class _Package:
    """What one package says of its sources, and of the methods that belong to them."""

    sources: dict[str, tuple[_Element, SourceDraft]] = field(default_factory=dict)
    methods: dict[str, dict[object, bool]] = field(default_factory=dict)
    source_of_class: str = ""


class _Jacoco(Markup):
    """Parser target: the elements that are open."""

    def __init__(self, file: Path, draft: ReportDraft) -> None:
        super().__init__(file, draft)
        self.open: list[_Element] = []
        self.package = _Package()
        self.lines = SourceDraft()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take a start tag."""
        outer = self.open[-1].tag if self.open else ""
        if outer not in INSIDE.get(tag, ()):
            raise self.fault(f"the element {shown(tag)} has no place in {shown(outer or 'the document')}")
        named = tag not in ("line", "counter", "sessioninfo")
        if named and "name" not in attributes:
            raise self.fault(f"the element {shown(tag)} has no name, so it is not JaCoCo's")
        match tag:
            case "package":
                self.package = _Package()
            case "class":
                self._open_class(attributes)
            case "sourcefile":
                self._open_source(attributes["name"])
            case "line":
                self._take_line(attributes)
            case "counter":
                self._take_counter(attributes)
        self.open.append(_Element(tag=tag, name=attributes.get("name", "") + attributes.get("desc", "")))

    def end(self, tag: str) -> None:
        """Take an end tag."""
        element = self.open.pop()
        match tag:
            case "method":
                self._close_method(element)
            case "sourcefile":
                self.package.sources[element.name] = (element, self.lines)
            case "package":
                self._close_package(element)
            case "group" | "report":
                self._check(element)
                self._hand_up(element)

    def _open_class(self, attributes: dict[str, str]) -> None:
        self.package.source_of_class = attributes.get("sourcefilename", "")

    def _open_source(self, name: str) -> None:
        if not name or "/" in name:
            raise self.fault(f"the sourcefile {shown(name)} is no file name")
        if name in self.package.sources:
            raise self.fault(f"the sourcefile {shown(name)} stands twice in {self._path(self.open[-1].name)}")
        self.lines = SourceDraft()

    def _take_line(self, attributes: dict[str, str]) -> None:
        number = self.line_number(attributes.get("nr", ""))
        missed, covered = (self.whole(attributes.get(name, "0"), name) for name in ("mi", "ci"))
        if number in self.lines.lines:
            raise self.fault(f"line nr {number} stands twice in {shown(self.open[-1].name)}")
        if missed + covered == 0:
            raise self.fault(f"line nr {number} has neither missed nor covered instructions (mi, ci)")
        self.lines.lines[number] = covered > 0
        branches = Share(
            hit=(hit := self.whole(attributes.get("cb", "0"), "cb", MAX_BRANCHES)),
            found=hit + self.whole(attributes.get("mb", "0"), "mb", MAX_BRANCHES),
        )
        if hit and not covered:
            raise self.fault(f"line nr {number} has covered branches (cb), but no covered instruction (ci)")
        for index in range(branches.found):
            self.lines.branches[number, index] = index < branches.hit
        self.open[-1].count("LINE", Share(hit=int(covered > 0), found=1))
        self.open[-1].count("BRANCH", branches)

    def _take_counter(self, attributes: dict[str, str]) -> None:
        kind, owner = attributes.get("type", ""), self.open[-1]
        if kind not in KINDS or kind in owner.declared:
            raise self.fault(f"counter type {shown(kind)} is unknown, or stands twice in {shown(owner.tag)}")
        missed, covered = (self.whole(attributes.get(name, ""), name) for name in ("missed", "covered"))
        owner.declared[kind] = Share(hit=covered, found=missed + covered)

    def _close_method(self, method: _Element) -> None:
        cls, source = self.open[-1], self.package.source_of_class
        share = method.declared.get("METHOD", Share())
        executed = method.declared.get("INSTRUCTION", Share()).hit > 0
        if share.found != 1 or (share.hit == 1) != executed:
            raise self.fault(
                f"method {shown(method.name)} of class {shown(cls.name)} declares METHOD {share.hit} of "
                f"{share.found}, which is not one method, hit exactly if an instruction was executed"
            )
        if not source:
            raise self.fault(
                f"class {shown(cls.name)} names no source file, so nobody knows its lines: compile with -g"
            )
        methods = self.package.methods.setdefault(source, {})
        if (cls.name, method.name) in methods:
            raise self.fault(f"method {shown(method.name)} stands twice in class {shown(cls.name)}")
        methods[cls.name, method.name] = executed

    def _close_package(self, package: _Element) -> None:
        for source in self.package.methods.keys() - self.package.sources.keys():
            raise self.fault(f"{self._path(package.name, source)} has methods, but no sourcefile element")
        for name, (element, lines) in self.package.sources.items():
            lines.functions = self.package.methods.get(name, {})
            functions = Share(hit=sum(lines.functions.values()), found=len(lines.functions))
            element.count("METHOD", functions)
            element.name = path = self._path(package.name, name)
            self._check(element)
            for kind, share in element.counted.items():
                package.count(kind, share)
            bases = self.draft.root.roots or CONVENTION
            if lines.lines or lines.functions:
                self.draft.source(path, file=self.file, place=self.place, bases=bases).merge(lines)
        self._check(package)
        self._hand_up(package)

    def _hand_up(self, element: _Element) -> None:
        for kind, share in element.counted.items() if self.open else ():
            self.open[-1].count(kind, share)

    def _check(self, element: _Element) -> None:
        """Compare the counters of an element with what was counted; one that is absent declares 0."""
        for kind in CHECKED:
            declared, counted = (side.get(kind, Share()) for side in (element.declared, element.counted))
            place = f"{self.place}: {element.tag} {shown(element.name)}"
            for what, said, seen in (
                (f"{kind} missed + covered", declared.found, counted.found),
                (f"{kind} covered", declared.hit, counted.hit),
            ):
                if said != seen:
                    raise contradiction(self.file, place, what, declared=said, counted=seen)

    def _path(self, package: str, source: str = "") -> str:
        return "/".join(part for part in (package, source) if part)
