"""The verdict as plain text: no colour needed, 60 columns and more."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from datetime import date

from msgspec import UNSET, UnsetType

from release_gates.model.outcome import Outcome, Severity
from release_gates.model.route import BREAK_GLASS
from release_gates.model.verdict import (
    GateJudgement,
    LimitJudgement,
    Reason,
    TestProblem,
    Verdict,
    unmeasured,
)

MOST_REASONS = 8
"""So many reasons fit on a screen; ``explain --all`` shows every one."""


MOST_PROBLEMS = 3
"""So many tests of one gate are told of in the block that ends a run."""

ELSEWHERE = {
    "junit:": "release-gates import junit FILE…",
    "sarif:": "release-gates import sarif FILE…",
}
"""How the tests of other tools are named, and the command that brings their results."""

NOTHING = "-"
"""What stands for a value that was not measured."""


def verdict_lines(verdict: Verdict, *, head: str, width: int = 80) -> list[str]:
    """Return the block that ends a run: verdict, reason, gates, what to do next."""
    return [
        rule(f"{verdict.title}: entry to {verdict.environment}", width),
        *wrapped(f"{verdict.because}.", width),
        *wrapped(observed_sentence(verdict), width),
        "",
        *(line for gate in verdict.gates for line in gate_lines(gate, width)),
        *(line for each in verdict.other_waivers for line in wrapped(f"{each.sentence}.", width)),
        "",
        *wrapped(subject(verdict), width),
        *wrapped(f"next: {next_command(verdict)}", width),
        *wrapped(f"ledger head {head}", width),
    ]


def taken_back_lines(verdict: Verdict, *, head: str, width: int = 80) -> list[str]:
    """Return what is said after a verdict that counts no more; ``verdict`` is how it reads now."""
    return [
        rule(f"{verdict.title}: entry to {verdict.environment}", width),
        *wrapped("The verdict of this run counts no more, whatever stands above.", width),
        *wrapped(f"{verdict.because}.", width),
        "",
        *wrapped(subject(verdict), width),
        *wrapped(f"next: {next_command(verdict)}", width),
        *wrapped(f"ledger head {head}", width),
    ]


def observed_sentence(verdict: Verdict) -> str:
    """Return what it means that an entry is only observed; "" where it is enforced."""
    if not verdict.is_observed:
        return ""
    until = _until(verdict.observe_until)
    return f"The entry to {verdict.environment} is only observed{until}: nothing is held."


def _until(day: date | UnsetType) -> str:
    return "" if day is UNSET else f" until the end of {day} (UTC)"


def subject(verdict: Verdict) -> str:
    """Return one line on what was decided, in which run."""
    candidate = verdict.candidate
    local = f", {_local(verdict)}" if verdict.local else ""
    return (
        f"{candidate.name} {candidate.version} "
        f"(commit {candidate.commit[:12] or 'unknown'}, digest {candidate.digest[:12]}), "
        f"run {verdict.run}, attempt {verdict.attempt} of {verdict.attempts_allowed}{local}"
    )


def _local(verdict: Verdict) -> str:
    return f"LOCAL ({verdict.why_local})" if verdict.elsewhere else "LOCAL ledger (unsigned)"


def gate_lines(gate: GateJudgement, width: int) -> Iterator[str]:
    """Return one gate: outcome, owner, tests, then each limit with measured against allowed."""
    severity = "" if gate.severity is Severity.BLOCKING else f" [{gate.severity}, blocks nothing]"
    tests = f"{gate.ran} of {gate.expected} tests"
    outcome = f"{gate.outcome:<12} {gate.name}"
    if gate.is_observed and gate.severity is Severity.BLOCKING:
        would = "would hold nothing" if gate.outcome.promotes else "would hold"
        outcome = f"OBSERVED {gate.outcome} {gate.name}, {would}"
    yield clipped(f"{outcome}{severity}   {tests}   owner {gate.owner}", width)
    if gate.is_observed:
        yield f"    only observed{_until(gate.observe_until)}: this gate holds nothing"
    names = max((len(limit.name) for limit in gate.limits), default=0)
    for limit in gate.limits:
        yield clipped(limit_line(limit, names), width)
        if _tells_more(limit):
            yield from wrapped(limit.because, width, indent="      ")
        if limit.waived:
            yield from wrapped(limit.waived.sentence, width, indent="      ")
        if limit.attested:
            yield from wrapped(f"attested by {limit.attested}, not measured", width, indent="      ")
    for problem in gate.problems[:MOST_PROBLEMS]:
        yield from wrapped(f"{problem.outcome}: {problem.because}", width, indent="    ")
    if len(gate.problems) > MOST_PROBLEMS:
        yield f"    and {len(gate.problems) - MOST_PROBLEMS} more"


def limit_line(limit: LimitJudgement, names: int) -> str:
    """Return one limit on a line; a mark in front tells what does not hold."""
    mark = {Outcome.PASS: " ", Outcome.WARN: "~", Outcome.WAIVED: "w"}.get(limit.outcome, "!")
    measured = str(limit.outcome) if limit.measured == NOTHING else limit.measured
    return f"  {mark} {limit.name:<{names}}  {measured:>12}   {limit.allowed}"


def _tells_more(limit: LimitJudgement) -> bool:
    """Whether the reason says more than that there is no value, which the line itself does."""
    said = ("", unmeasured(limit.name, limit.allowed))
    return limit.measured == NOTHING and limit.outcome is not Outcome.PASS and limit.because not in said


def reason_lines(reasons: Sequence[Reason], width: int, most: int = MOST_REASONS) -> Iterator[str]:
    """Return the reasons against promotion, the worst first, numbered."""
    for number, reason in enumerate(reasons[:most], start=1):
        where = f"{reason.gate}: " if reason.gate else ""
        yield from wrapped(f"{number}. {reason.outcome} {where}{reason.sentence}", width, indent="  ")
    if len(reasons) > most:
        yield f"  and {len(reasons) - most} more (--all)"


def next_command(verdict: Verdict) -> str:
    """Return the one command that a reader wants now."""
    if verdict.promotes:
        return promote_command(verdict)
    return f"release-gates explain {verdict.environment}"


def promote_command(verdict: Verdict) -> str:
    """Return the command that acts on a PROMOTE: on its own route, as no other takes it."""
    command = f"release-gates promote --to {verdict.environment}"
    if verdict.route_name == BREAK_GLASS:
        return f"{command} --break-glass --ticket TICKET --reason TEXT"
    return f"{command}{_on(verdict)}"


def run_command(verdict: Verdict) -> str:
    """Return the command that decides again, on the same route."""
    return f"release-gates run {verdict.environment}{_on(verdict)}"


def _on(verdict: Verdict) -> str:
    return "" if verdict.route is UNSET else f" --route {verdict.route}"


def rerun_command(verdict: Verdict, gate: str) -> str:
    """Return the command that runs just one gate again."""
    return f"pytest -m 'gate_{verdict.environment}(gate=\"{gate}\")'"


def again(verdict: Verdict, gate: GateJudgement) -> str:
    """Return the command that gets a gate its results again: from where those that block it came."""
    parts: list[TestProblem | LimitJudgement] = [*gate.problems, *gate.limits]
    blocking = [part.test for part in parts if not part.outcome.promotes]
    for start, command in ELSEWHERE.items():
        if blocking and all(test.startswith(start) for test in blocking):
            return f"{command} --gate {gate.name} --output PART.jsonl"
    return rerun_command(verdict, gate.name)


def explanation_lines(verdict: Verdict, owners: dict[str, str], *, width: int, most: int) -> Iterator[str]:
    """Return why a verdict is as it is: blockers ranked, owners, and how to run each blocked gate again."""
    yield rule(f"{verdict.title}: entry to {verdict.environment}", width)
    yield from wrapped(f"{verdict.because}.", width)
    yield from wrapped(observed_sentence(verdict), width)
    yield ""
    if verdict.reasons:
        yield "Why, the worst first:"
        yield from reason_lines(verdict.reasons, width, most)
        yield ""
    if verdict.observed:
        yield "Only observed, would hold:"
        yield from reason_lines(verdict.observed, width, most)
        yield ""
    yield from waiver_lines(verdict, width, most)
    for gate in verdict.gates:
        if gate.severity is Severity.BLOCKING and not gate.outcome.promotes:
            yield from wrapped(
                f"{gate.name}: owner {owners.get(gate.name, gate.owner)}; run it again:", width
            )
            yield f"  {again(verdict, gate)}"
            yield ""
    yield from wrapped(subject(verdict), width)


def waiver_lines(verdict: Verdict, width: int, most: int) -> Iterator[str]:
    """Return what is waived, what became of the other waivers, and what a waiver of a failure would name."""
    waived = [(gate.name, part) for gate in verdict.gates for part in gate.waived]
    if waived:
        yield "Waived:"
        for gate, part in waived:
            yield from wrapped(f"{gate}: {part.because}", width, indent="  ")
        yield ""
    for each in verdict.other_waivers:
        yield from wrapped(f"{each.sentence}.", width)
    known = [
        f"fingerprint of {problem.test} ({judged.name}): {problem.fingerprint}"
        for judged in verdict.gates
        for problem in judged.problems
        if problem.fingerprint and not problem.outcome.promotes
    ]
    for text in known[:most]:
        yield from wrapped(text, width)
    if known or verdict.other_waivers:
        yield ""


def rule(title: str, width: int) -> str:
    """Return a title between rules."""
    return f" {title} ".center(width, "=")


def lasting(seconds: float) -> str:
    """Return a span of time as people say it: 45 s, 12 min, 3.2 h, 4.5 days."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if seconds < 99.5 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Return a text in lines of at most ``width``; control characters cannot move a terminal's cursor."""
    clean = "".join(character if character.isprintable() else " " for character in text)
    return textwrap.wrap(
        clean, width, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False
    )


def clipped(text: str, width: int) -> str:
    """Return a text in one line of at most ``width``; control characters cannot move a cursor."""
    clean = "".join(character if character.isprintable() else " " for character in text)
    return clean if len(clean) <= width else clean[: width - 1] + "…"
