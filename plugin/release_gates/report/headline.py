"""What a release manager reads first: the verdict in a sentence, the counts, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from release_gates.model.outcome import Outcome
from release_gates.model.release import Release
from release_gates.model.verdict import Reason, Verdict
from release_gates.report.rows import Row
from release_gates.report.tally import holding, tally, telling
from release_gates.report.text import again, observed_sentence, promote_command, run_command


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The top of a page. ``go`` only where the candidate may enter, or did, and nothing speaks against it."""

    title: str
    call: str
    go: bool
    because: str
    counts: tuple[str, ...]
    warnings: tuple[str, ...]
    steps: tuple[str, ...]
    commands: tuple[str, ...]


def headline(release: Release, rows: Sequence[Row]) -> Headline:
    """Return the top of a page about a run."""
    verdict = release.verdict
    if verdict is None:
        return _without_verdict(release)
    go = verdict.promotes and not release.stands
    return Headline(
        title=verdict.title,
        call=_call(release, verdict),
        go=go,
        because=_because(verdict, rows),
        counts=tuple(_counts(verdict)),
        warnings=tuple(_warnings(release, verdict)),
        steps=tuple(_steps(release, verdict)),
        commands=tuple(_commands(release, verdict)),
    )


def _without_verdict(release: Release) -> Headline:
    return Headline(
        title="HOLD (not proven)",
        call=f"do not promote to {release.environment}",
        go=False,
        because=f"Run {release.run} has no verdict: it is in progress, or it was killed.",
        counts=(),
        warnings=(release.stands,) if release.stands else (),
        steps=("Wait for it, or run it again.",),
        commands=(f"release-gates run {release.environment}",),
    )


def _call(release: Release, verdict: Verdict) -> str:
    if verdict.is_observed:
        return f"the entry to {release.environment} is only observed"
    if not verdict.promotes:
        return f"do not promote to {release.environment}"
    if release.stands:
        return f"do not act on this now: {release.environment}"
    if release.is_live:
        return f"is live in {release.environment}"
    if verdict.unproven:
        return f"may enter {release.environment} on that route alone, {verdict.unproven}"
    return f"may enter {release.environment}"


def _because(verdict: Verdict, rows: Sequence[Row]) -> str:
    if not verdict.reasons:
        return f"{verdict.because}."
    first = verdict.reasons[0]
    excess = next((row.excess for row in rows if row.limit.judged.because == first.sentence), "")
    where = f"{first.gate}: " if first.gate else ""
    return f"{where}{first.sentence}{f', {excess}' if excess else ''}."


def _counts(verdict: Verdict) -> Iterator[str]:
    yield f"{_capital(tally(holding(verdict)).sentence)}."
    if others := telling(verdict):
        names = ", ".join(gate.name for gate in others)
        yield f"Holding nothing (advisory or only observed: {names}): {tally(others).sentence}."


def _warnings(release: Release, verdict: Verdict) -> Iterator[str]:
    if release.stands:
        yield release.stands
    if verdict.unproven:
        yield f"{_capital(verdict.unproven)}."
    if release.is_live and not verdict.promotes:
        yield f"Exactly this build is live in {release.environment}."
    if sentence := observed_sentence(verdict):
        yield sentence
    for gate in verdict.gates:
        for part in gate.waived:
            yield f"WAIVED: {gate.name}: {part.because}"
    for each in verdict.other_waivers:
        yield f"{each.sentence[:1].upper()}{each.sentence[1:]}."
    if verdict.observed:
        yield f"Only observed, would hold: {verdict.observed[0].sentence}"
    if verdict.elsewhere:
        yield f"LOCAL: {verdict.why_local}, and not the project's own gates/."
    elif verdict.local:
        yield "LOCAL: this ledger is unsigned; whoever may write the file could have changed it."
    yield from release.notes


def _steps(release: Release, verdict: Verdict) -> Iterator[str]:
    if verdict.promotes and not release.stands:
        yield "Nothing: it is live already." if release.is_live else "Promote it."
    elif verdict.promotes:
        yield "See above why not. Where it waits for its hour or for people, wait; else run the gate again."
    elif verdict.kind == "broken":
        owners = _owners(verdict, [each for each in verdict.reasons if each.outcome is Outcome.FAIL])
        yield (
            f"Mend it{owners} and build a new candidate: a FAIL sticks to these digests, "
            "and another run of the same build cannot replace it."
        )
    else:
        left = max(0, verdict.attempts_allowed - verdict.attempt)
        attempts = f"{left} of {verdict.attempts_allowed} attempts left"
        yield f"Get what is missing{_owners(verdict, verdict.reasons)}, and run again: {attempts}."


def _commands(release: Release, verdict: Verdict) -> Iterator[str]:
    if verdict.promotes and not release.stands:
        if not release.is_live:
            yield promote_command(verdict)
    elif verdict.kind == "not proven" or verdict.promotes:
        yield f"release-gates run {verdict.environment}" if release.is_live else run_command(verdict)
    for gate in verdict.gates:
        if gate in holding(verdict) and not gate.outcome.promotes:
            yield again(verdict, gate)


def _owners(verdict: Verdict, reasons: Sequence[Reason]) -> str:
    owners = {gate.name: gate.owner for gate in verdict.gates}
    found = dict.fromkeys(f"{owners[each.gate]} ({each.gate})" for each in reasons if each.gate in owners)
    return f" (owner: {', '.join(found)})" if found else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
