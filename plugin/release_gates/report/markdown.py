"""The summary of a CI job, as GitHub shows it: Markdown that loads nothing and stays below 1 MiB."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from release_gates.model.outcome import Outcome
from release_gates.model.release import Release
from release_gates.report.headline import headline
from release_gates.report.rows import Row, rows
from release_gates.report.tally import count
from release_gates.report.text import clipped

LARGEST_BYTES = 1_000_000
MOST_ROWS = 200
MOST_REASONS = 50
LONGEST = 600
"""Characters of one sentence: a test may print anything."""
MARKS = {Outcome.PASS: "✅", Outcome.WARN: "⚠️", Outcome.WAIVED: "⚠️", Outcome.FAIL: "❌"}


def summary(release: Release) -> str:
    """Return the summary of a run."""
    found = rows(release)
    most = MOST_ROWS
    while len((text := _text(release, found, most)).encode()) > LARGEST_BYTES:
        most //= 2
    return text


def plain(text: str) -> str:
    """Return text that Markdown and HTML take as it stands: a sentence may quote what a test printed."""
    text = clipped(" ".join(text.split()), LONGEST)
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, entity)
    for character in "\\`*_[]!|#~":
        text = text.replace(character, f"\\{character}")
    return text.replace("://", ":\N{ZERO WIDTH NON-JOINER}//")  # no link that nobody meant


def _text(release: Release, found: Sequence[Row], most: int) -> str:
    return (
        "\n".join([*_top(release, found), *_limits(found, most), *_reasons(release, most), *_foot(release)])
        + "\n"
    )


def _top(release: Release, found: Sequence[Row]) -> Iterator[str]:
    top = headline(release, found)
    yield f"## {'✅' if top.go else '⛔'} {plain(top.title)}: {plain(top.call)}"
    yield ""
    yield f"**{plain(top.because)}**"
    yield ""
    for sentence in (*top.counts, *(f"**{plain(each)}**" for each in top.warnings)):
        yield f"{sentence}  "
    yield ""
    for sentence in top.steps:
        yield f"Next: {plain(sentence)}"
    for command in top.commands[:10]:
        yield f"- `{command.replace('`', chr(39))}`"
    yield ""


def _limits(found: Sequence[Row], most: int) -> Iterator[str]:
    if not found:
        return
    yield "| | measurement | measured | allowed | gate | owner |"
    yield "|---|---|---|---|---|---|"
    for row in found[:most]:
        measured = " ".join((row.limit.judged.measured, row.excess)).strip()
        cells = (row.name, measured, row.limit.judged.allowed, row.limit.gate, row.owner)
        yield f"| {MARKS.get(row.outcome, '❔')} {row.word} | {' | '.join(map(plain, cells))} |"
    if len(found) > most:
        yield ""
        yield f"And {count(len(found) - most, 'limit')} more."
    yield ""


def _reasons(release: Release, most: int) -> Iterator[str]:
    reasons = release.verdict.reasons if release.verdict else ()
    if not reasons:
        return
    yield f"<details><summary>{count(len(reasons), 'reason')}</summary>"
    yield ""
    for reason in reasons[: min(most, MOST_REASONS)]:
        where = f"{plain(reason.gate)}: " if reason.gate else ""
        yield f"- **{reason.outcome}** {where}{plain(reason.sentence)}"
    if len(reasons) > min(most, MOST_REASONS):
        more = len(reasons) - min(most, MOST_REASONS)
        yield f"- and {more} more: `release-gates explain {release.environment} --all`"
    yield ""
    yield "</details>"
    yield ""


def _foot(release: Release) -> Iterator[str]:
    candidate = release.candidate
    commit = candidate.commit[:12] or "unknown"
    yield (
        f"{plain(candidate.name)} {plain(candidate.version)}, commit {plain(commit)}, "
        f"digest `{candidate.digest[:12]}`, run `{release.run}`, ledger head `{release.head[:12]}`"
    )
