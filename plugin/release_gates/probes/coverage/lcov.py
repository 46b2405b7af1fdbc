"""Read LCOV tracefiles (geninfo(1), "FILES") of LCOV 1.x and 2.x, gcovr and coverage.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from release_gates.errors import MeasurementError
from release_gates.probes.coverage.facts import ReportDraft, SourceDraft, share_of
from release_gates.probes.coverage.faults import MAX_LINE, contradiction, shown, unreadable

GCOVR_HINT = (
    "gcovr counts each template instance in LF and LH: write it with `gcovr --lcov --merge-lines`. "
    "From any other tool: records were lost, doubled or edited, write the report again."
)


def read_lcov(file: Path, draft: ReportDraft) -> None:
    """Read the tracefile into ``draft``, line by line, in constant memory besides the facts.

    Sections of the same source (several test names) are merged. Raises MeasurementError with the line number
    for a torn section, an unknown record, a number that is none, and for totals (LF, LH, BRF, BRH, FNF, FNH)
    that contradict the records.
    """
    tracefile = _Tracefile(file, draft)
    with file.open("rb") as stream:
        for line in stream:
            tracefile.take(line.rstrip(b"\r\n"))
    tracefile.finish()


class _Tracefile:
    """The state between two records: which section is open, and what it said."""

    def __init__(self, file: Path, draft: ReportDraft) -> None:
        self.file = file
        self.draft = draft
        self.number = 0
        self.name = ""
        self.section: _Section | None = None

    def take(self, line: bytes) -> None:
        """Take one record."""
        self.number += 1
        tag, _, value = line.partition(b":")
        if tag in _RECORDS:
            if self.section is None:
                raise self.fault(f"{shown(line)} stands before any SF record")
            _RECORDS[tag](self, self.section, tag, value)
        elif tag == b"SF":
            self.open(value)
        elif line == b"end_of_record":
            self.close()
        elif tag not in _IGNORED and line.strip() and not line.startswith(b"#"):
            raise self.fault(f"unknown record {shown(line)}")

    def open(self, value: bytes) -> None:
        """Start the section of one source."""
        if self.section is not None:
            raise self.fault(f"a new section starts, but {shown(self.name)} has no end_of_record")
        try:
            self.name = value.decode()
        except UnicodeDecodeError:
            raise self.fault(f"the source path {shown(value)} is not UTF-8") from None
        self.section = _Section(self.draft.source(self.name, file=self.file, place=self.place))

    def close(self) -> None:
        """End the section: check what it declared, then merge it."""
        if self.section is None:
            raise self.fault("end_of_record without a section")
        self.check(self.section)
        self.section.target.merge(self.section.draft)
        self.section = None

    def check(self, section: _Section) -> None:
        """Compare the declared totals with the records."""
        if section.draft.lines and not {b"LF", b"LH"} <= section.declared.keys():
            raise self.fault(
                f"the section of {shown(self.name)} has lines, but no LF and LH to check them against"
            )
        counted = section.counted()
        for tag, declared in section.declared.items():
            if declared not in counted[tag]:
                place = f"{self.place} ({shown(self.name)})"
                seen = counted[tag][0]
                raise contradiction(
                    self.file, place, tag.decode(), declared=declared, counted=seen, hint=GCOVR_HINT
                )

    def finish(self) -> None:
        """Refuse a file that ends inside of a section."""
        if self.section is not None:
            raise self.fault(
                f"the file ends inside of the section of {shown(self.name)}, without end_of_record"
            )

    def whole(self, value: bytes, what: str, most: int | None = None) -> int:
        """Return a whole number, refusing signs, fractions, exponents and anything above ``most``."""
        if value.isdigit() and len(value) < 20:
            number = int(value)
            if most is None or number <= most:
                return number
        raise self.fault(
            f"{what} {shown(value)} is not a whole number from 0" + (f" to {most}" if most else "")
        )

    def line_number(self, value: bytes) -> int:
        """Return a line number from 1."""
        number = self.whole(value, "line number", MAX_LINE)
        if number == 0:
            raise self.fault("line number '0': lines count from 1")
        return number

    @property
    def place(self) -> str:
        """Where the reader stands."""
        return f"line {self.number}"

    def fault(self, problem: str) -> MeasurementError:
        """Return the error for the current line."""
        return unreadable(self.file, self.place, problem)


class _Section:
    """What one section says, until its totals are checked."""

    __slots__ = ("declared", "draft", "named", "places", "target")

    def __init__(self, target: SourceDraft) -> None:
        self.target = target
        self.draft = SourceDraft()
        self.declared: dict[bytes, int] = {}
        self.places: dict[bytes, set[bytes]] = {}
        self.named: set[bytes] = set()

    def counted(self) -> dict[bytes, tuple[int, ...]]:
        """Return for each total the numbers that it may declare.

        LCOV 2.x groups the aliases (instances) of one function: a group or each alias may have been counted.
        """
        lines, branches = share_of(self.draft.lines), share_of(self.draft.branches)
        functions = share_of(self.draft.functions)
        hit = self.draft.functions
        groups = [any(hit.get(name, False) for name in names) for names in self.places.values()]
        return {
            b"LF": (lines.found,), b"LH": (lines.hit,),
            b"BRF": (branches.found,), b"BRH": (branches.hit,),
            b"FNF": (functions.found, len(groups)) if groups else (functions.found,),
            b"FNH": (functions.hit, sum(groups)) if groups else (functions.hit,),
        }  # fmt: skip


def _take_line(trace: _Tracefile, section: _Section, _tag: bytes, value: bytes) -> None:
    """Take DA:<line number>,<execution count>[,<checksum>]."""
    number, _, rest = value.partition(b",")
    line = trace.line_number(number)
    hit = trace.whole(rest.partition(b",")[0], "execution count") > 0
    section.draft.lines[line] = hit or section.draft.lines.get(line, False)


def _take_branch(trace: _Tracefile, section: _Section, _tag: bytes, value: bytes) -> None:
    """Take BRDA:<line number>,[e]<block>,<branch>,<taken>; "-" means that the block was never executed."""
    branch, comma, taken = value.rpartition(b",")
    number, _, rest = branch.partition(b",")
    if not comma or b"," not in rest:
        raise trace.fault(f"BRDA {shown(value)} is not line,block,branch,taken")
    trace.line_number(number)
    hit = taken != b"-" and trace.whole(taken, "taken count") > 0
    section.draft.branches[branch] = hit or section.draft.branches.get(branch, False)


def _take_function(trace: _Tracefile, section: _Section, _tag: bytes, value: bytes) -> None:
    """Take FN:<line number>,[<end line>,]<name>; not hit until FNDA says so."""
    number, comma, name = value.partition(b",")
    trace.line_number(number)
    end, _, rest = name.partition(b",")
    if rest and end.isdigit():
        name = rest
    if not comma or not name:
        raise trace.fault(f"FN {shown(value)} has no function name")
    section.named.add(name)
    section.draft.functions.setdefault(name, False)


def _take_calls(trace: _Tracefile, section: _Section, _tag: bytes, value: bytes) -> None:
    """Take FNDA:<execution count>,<name>."""
    count, _, name = value.partition(b",")
    hit = trace.whole(count, "execution count") > 0
    if name not in section.named:
        raise trace.fault(f"FNDA counts {shown(name)}, which no FN record declares")
    section.draft.functions[name] = hit or section.draft.functions[name]


def _take_place(trace: _Tracefile, section: _Section, _tag: bytes, value: bytes) -> None:
    """Take FNL:<index>,<line number>[,<end line>] of LCOV 2.x."""
    index, _, rest = value.partition(b",")
    trace.whole(index, "function index")
    trace.line_number(rest.partition(b",")[0])
    if index in section.places:
        raise trace.fault(f"FNL declares function index {shown(index)} twice")
    section.places[index] = set()


def _take_alias(trace: _Tracefile, section: _Section, _tag: bytes, value: bytes) -> None:
    """Take FNA:<index>,<execution count>,<name> of LCOV 2.x."""
    index, _, rest = value.partition(b",")
    count, _, name = rest.partition(b",")
    if index not in section.places or not name:
        raise trace.fault(f"FNA {shown(value)} has no name, or an index that no FNL record declares")
    hit = trace.whole(count, "execution count") > 0
    section.places[index].add(name)
    section.draft.functions[name] = hit or section.draft.functions.get(name, False)


def _take_total(trace: _Tracefile, section: _Section, tag: bytes, value: bytes) -> None:
    """Take one of LF, LH, BRF, BRH, FNF, FNH; checked when the section ends."""
    if tag in section.declared:
        raise trace.fault(f"{tag.decode()} stands twice in one section")
    section.declared[tag] = trace.whole(value, tag.decode())


_IGNORED = frozenset({b"TN", b"VER", b"MCDC", b"MCF", b"MCH"})
_RECORDS: dict[bytes, Callable[[_Tracefile, _Section, bytes, bytes], None]] = {
    b"DA": _take_line,
    b"BRDA": _take_branch,
    b"FN": _take_function,
    b"FNDA": _take_calls,
    b"FNL": _take_place,
    b"FNA": _take_alias,
    **dict.fromkeys((b"LF", b"LH", b"BRF", b"BRH", b"FNF", b"FNH"), _take_total),
}
