"""GitHub's annotations: workflow commands on standard output, the verdict first, at most ten.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from collections.abc import Iterator

from release_gates.model.outcome import Outcome
from release_gates.model.release import Release
from release_gates.report.headline import headline
from release_gates.report.places import place_of
from release_gates.report.rows import rows
from release_gates.report.text import clipped

MOST = 10
"""GitHub shows so many of a kind in a step, and drops the rest."""


def commands(release: Release) -> str:
    """Return the commands, a line each."""
    return "".join(f"{line}\n" for line in _lines(release))


def _lines(release: Release) -> Iterator[str]:
    top = headline(release, rows(release))
    kind = "notice" if top.go else "error"
    yield _command(
        kind, f"{top.title}: {top.call}. {top.because} {' '.join(top.warnings)}", title="Release gates"
    )
    reasons = release.verdict.reasons if release.verdict else ()
    room = MOST - 1 if len(reasons) < MOST else MOST - 2
    for reason in reasons[:room]:
        kind = "error" if reason.outcome is Outcome.FAIL else "warning"
        title = f"{reason.outcome} {reason.gate or 'the whole run'}"
        yield _command(kind, reason.sentence, title=title, file=place_of(reason.test))
    if len(reasons) > room:
        text = f"and {len(reasons) - room} more reasons: release-gates explain {release.environment} --all"
        yield _command("warning", text, title="Release gates")


def _command(kind: str, text: str, *, title: str, file: str = "") -> str:
    values = {"file": file, "title": title}
    keys = ",".join(f"{key}={_escaped(value, ':,')}" for key, value in values.items() if value)
    return f"::{kind} {keys}::{_escaped(text)}"


def _escaped(text: str, more: str = "") -> str:
    """Return text that ends no command and begins none, and does nothing to a terminal."""
    for character in f"%\r\n{more}":
        text = text.replace(character, f"%{ord(character):02X}")
    return clipped(text, len(text))
