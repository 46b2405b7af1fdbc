"""What one run of a tool found: severity, place, identity, suppression, without any judgement."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from release_gates.model.foreign import plain
from release_gates.model.severity import Severity
from release_gates.probes.sarif.completeness import check_index
from release_gates.probes.sarif.document import Invocation, Level, Location, Region, Result, Rule, ToolRun
from release_gates.probes.sarif.faults import contradiction
from release_gates.probes.sarif.places import Places
from release_gates.probes.sarif.rules import Rules
from release_gates.probes.sarif.severity import by_level, by_score, score_of, worst

LinesOf = Callable[[str], Sequence[str] | None]
"""The lines of a source of the checkout by its path, None where it cannot be read."""

MESSAGE = 160
CONTEXT_LINES = 50
"""So many lines of a region identify it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong. ``identity`` stays the same while its surroundings move.

    ``undecided`` are those that the tool wants a person to look at. ``suppression`` is "" without one,
    "justified" if each is accepted and says why, else "unjustified". ``detected`` is the day on which the
    tool says it first saw it.
    """

    identity: str
    rule: str
    severity: Severity
    path: str
    line: int
    text: str
    remedy: str = ""
    undecided: bool = False
    suppression: str = ""
    detected: date | None = None

    @property
    def place(self) -> str:
        """Path and line, as editors understand them."""
        return f"{self.path}:{self.line}" if self.line else self.path or "no place"


def findings_of(
    run: ToolRun, tool: str, places: Places, lines_of: LinesOf, *, file: str, place: str
) -> tuple[Finding, ...]:
    """Return everything that the run reports as wrong or undecided.

    Left out is what the tool says is no finding (kind ``pass``, ``notApplicable`` or ``informational``) and
    what it compared with an earlier run of its own and did not see any more. Raises MeasurementError
    (``sarif-contradiction``) for a kind and a level, or a rule's id and index, that do not go together.
    """
    reader = _Reader(run, tool, places, lines_of, file)
    found = (reader.read(result, f"{place}.results[{i}]") for i, result in enumerate(run.results or ()))
    return tuple(finding for finding in found if finding is not None)


class _Reader:
    """What the results of one run are read with."""

    def __init__(self, run: ToolRun, tool: str, places: Places, lines_of: LinesOf, file: str) -> None:
        self.run = run
        self.tool = tool
        self.places = places
        self.lines_of = lines_of
        self.file = file
        self.rules = Rules(run, file)

    def read(self, result: Result, place: str) -> Finding | None:
        """Return one finding, None for a result that is none."""
        if result.kind not in ("fail", "review", "open"):
            self._check_harmless(result, place)
            return None
        if result.baseline_state == "absent" and self.run.baseline_guid is not None:
            return None
        name, rules = self.rules.of(result, place)
        where = result.locations[0] if result.locations else Location()
        region = where.physical_location.region
        path = plain(self.places.path(where.physical_location.artifact_location), 300)
        detected = result.provenance.first_detection_time_utc
        text, remedy = plain(_text(result, rules), MESSAGE), plain(_remedy(result, rules), MESSAGE)
        return Finding(
            identity=self._identity(result, name, path, where),
            rule=name,
            severity=self._severity(result, rules, place),
            path=path,
            line=region.start_line,
            text=text,
            remedy=remedy if remedy.rstrip(".") != text.rstrip(".") else "",
            undecided=result.kind != "fail",
            suppression=_suppression(result),
            detected=None if detected is None else _day(detected),
        )

    def _check_harmless(self, result: Result, place: str) -> None:
        if result.level not in (None, "none"):
            raise contradiction(
                self.file, place, f"kind '{result.kind}' is no finding, and its level is '{result.level}'"
            )
        if score_of(result.properties, file=self.file, place=place):
            raise contradiction(
                self.file, place, f"kind '{result.kind}' is no finding, and it has a security-severity"
            )

    def _severity(self, result: Result, rules: Sequence[Rule], place: str) -> Severity:
        """Return the severity by the worst score of result and rules, else by the level that applies."""
        owners = [
            (result.properties, place),
            *((rule.properties, f"rule {plain(rule.id)}") for rule in rules),
        ]
        said = (score_of(properties, file=self.file, place=where) for properties, where in owners)
        scores = [score for score in said if score is not None]
        if scores:
            return by_score(max(scores))
        if result.level is not None:
            return by_level(result.level)
        overridden = [by_level(level) for level in self._overrides(result, rules, place)]
        defaults = [by_level(rule.default_configuration.level or "warning") for rule in rules]
        return worst(overridden or defaults or [by_level("warning")])

    def _overrides(self, result: Result, rules: Sequence[Rule], place: str) -> Iterator[Level]:
        call = self._call(result, place)
        for override in call.rule_configuration_overrides if call is not None else ():
            level = override.configuration.level
            if level is not None and self.rules.match(override.descriptor, rules):
                yield level

    def _call(self, result: Result, place: str) -> Invocation | None:
        """Return the call that the result comes from: the one it names, or the only one."""
        calls, index = self.run.invocations, result.provenance.invocation_index
        check_index(index, len(calls), "invocationIndex", file=self.file, place=place)
        if index >= 0:
            return calls[index]
        return calls[0] if len(calls) == 1 else None

    def _identity(self, result: Result, rule: str, path: str, where: Location) -> str:
        """Return a digest over tool, rule, path and partial fingerprints, or the text there without any.

        Whole ``fingerprints`` are left alone: Semgrep writes one constant for those who are not logged in.
        """
        prints = result.partial_fingerprints
        what: object = sorted(prints.items()) if prints else self._context(result, path, where)
        data = json.dumps([self.tool, rule, path, what], ensure_ascii=True)
        return hashlib.sha256(data.encode()).hexdigest()[:32]

    def _context(self, result: Result, path: str, where: Location) -> str:
        physical = where.physical_location
        snippet = physical.region.snippet.text or physical.context_region.snippet.text
        text = snippet or "\n".join(self._source(path, physical.region))
        words = " ".join(text.split())
        return words or f"{result.message.text}{result.message.id} {physical.region.start_line}"

    def _source(self, path: str, region: Region) -> Sequence[str]:
        lines = self.lines_of(path) if path and region.start_line else None
        last = min(max(region.end_line, region.start_line), region.start_line + CONTEXT_LINES)
        return () if lines is None else lines[region.start_line - 1 : last]


def _text(result: Result, rules: Sequence[Rule]) -> str:
    message = result.message
    of_rules = (rule.message_strings.get(message.id) for rule in rules)
    strings = (string.text for string in of_rules if string is not None)
    short = (rule.short_description.text for rule in rules)
    return next(filter(None, (message.text, message.markdown, *strings, *short)), "no message")


def _remedy(result: Result, rules: Sequence[Rule]) -> str:
    fixes = (change.description.text for change in result.fixes)
    helps = (text for rule in rules for text in (rule.help.text, rule.help_uri))
    return next(filter(None, (*fixes, *helps)), "")


def _suppression(result: Result) -> str:
    if not result.suppressions:
        return ""
    fine = all(each.status == "accepted" and each.justification.strip() for each in result.suppressions)
    return "justified" if fine else "unjustified"


def _day(moment: datetime) -> date:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).date()
