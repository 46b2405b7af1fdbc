"""``waive``: one complete entry for ``gates/waivers.toml``, or a refusal."""

from __future__ import annotations

import json
import os
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import click

from release_gates.cli.project import Project, environment_of, refusing, width
from release_gates.errors import PolicyError
from release_gates.judge.waivers import unfit_because
from release_gates.model.gate import EnvironmentPolicy, Policy
from release_gates.model.waiver import Waiver, near_expiry
from release_gates.policy.load import policy_from_snapshot
from release_gates.policy.waivers import FILE
from release_gates.report.text import wrapped

BEGIN = """\
# What is accepted for a while: reviewed like code, and part of the rules. See docs/waivers.md.
schema = 1
"""


@click.command()
@click.argument("name")
@click.option("--environment", required=True, help="The entry that it is for, and no other.")
@click.option("--gate", required=True)
@click.option("--limit", help="The measurement whose limit is waived; with --bound, --baseline or both.")
@click.option("--test", help="Or the test whose failure is waived; with --fingerprint.")
@click.option("--bound", help="How far the value may go: '<= 620 ms'.")
@click.option("--baseline", help="How far the change against the live build may go: '<= 4 %'.")
@click.option("--fingerprint", help="The one failure that is known; `release-gates explain` names it.")
@click.option("--candidate", "digest", help="SHA-256 of the candidate. Default: that of candidate.toml.")
@click.option("--versions", help="Or one version, or both ends of a range: '1.4.0 .. 1.4.3'.")
@click.option("--reason", required=True)
@click.option("--ticket", required=True, help="Where its end is worked on: a number or a link.")
@click.option("--owner", required=True, help="Who answers for what does not hold.")
@click.option("--approver", required=True, help="Who accepts it; not the owner.")
@click.option("--expires", required=True, help="The last day, in UTC: 2026-12-08.")
@click.pass_obj
@refusing
def waive(project: Project, /, name: str, digest: str | None, expires: str, **stated: str | None) -> None:
    """Write the waiver NAME into gates/waivers.toml, if it is complete and would count today.

    It changes the rules: the gate has to run again, and a reviewer sees the entry in the diff.
    """
    now = datetime.now(UTC)
    if digest is None and stated["versions"] is None:
        digest = project.candidate().digest
    texts = {**stated, "candidate": digest}
    days = {"created": now.date(), "expires": _day(expires)}
    snapshot = project.snapshot()
    before = policy_from_snapshot(snapshot, folder=project.policy_dir.name)
    text = _with_entry(snapshot.get(FILE, BEGIN), name, texts, days)
    after = policy_from_snapshot({**snapshot, FILE: text}, folder=project.policy_dir.name)
    waiver = _added(before, after, name, now)
    _replace(project.policy_dir / FILE, text)
    said = f"waiver {name}: {waiver.gate}, {waiver.subject}, within {waiver.bounds}, until {waiver.until}."
    next_step = (
        f"The rules are others now: have {project.policy_dir.name}/{FILE} reviewed, then "
        f"`release-gates run {waiver.environment}`."
    )
    project.say(waiver, [*wrapped(said, width()), *wrapped(next_step, width())])


def standing(policy: Policy, environment: EnvironmentPolicy, now: datetime) -> list[str]:
    """Return a sentence for each waiver of an entry: until when it counts, or why it does not."""
    soon = near_expiry(policy.waivers, now=now)
    return [
        _sentence(each, environment, now, ends_soon=each in soon)
        for each in policy.waivers
        if each.environment == environment.name
    ]


def _sentence(waiver: Waiver, environment: EnvironmentPolicy, now: datetime, *, ends_soon: bool) -> str:
    subject = f"waiver {waiver.name} ({waiver.gate}, {waiver.subject})"
    gate = environment.gate(waiver.gate)
    if gate is None or (void := unfit_because(waiver, environment=environment, gate=gate, now=now)):
        return f"{subject} does not count: {void if gate else 'there is no such gate'}"
    soon = ", which is soon" if ends_soon else ""
    return (
        f"{subject}: within {waiver.bounds} until {waiver.until}{soon}; approved by {waiver.approver}, "
        f"owner {waiver.owner}, {waiver.ticket}: {waiver.reason}"
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise PolicyError(
            f"--expires {text} is no day.", slug="waiver", hint="Write the last day: 2026-12-08."
        ) from None


def _with_entry(text: str, name: str, texts: dict[str, str | None], days: dict[str, date]) -> str:
    lines = [f"[waiver.{json.dumps(name, ensure_ascii=False)}]"]
    lines += [
        f"{key} = {json.dumps(value, ensure_ascii=False)}"
        for key, value in texts.items()
        if value is not None
    ]
    lines += [f"{key} = {day}" for key, day in days.items()]
    return "\n".join([text.rstrip("\n"), "", *lines, ""])


def _added(before: Policy, after: Policy, name: str, now: datetime) -> Waiver:
    """Return the new waiver; ``PolicyError`` if it would not count, or if anything else changed with it."""
    (waiver,) = (each for each in after.waivers if each.name == name)
    environment = environment_of(after, waiver.environment)
    gate = environment.gate(waiver.gate)
    others = tuple(each for each in after.waivers if each.name != name)
    if others != before.waivers or gate is None:
        raise PolicyError(
            f"{FILE}: with this entry the others would read otherwise.",
            slug="waiver",
            hint="Write it by hand, and look at it with `release-gates check`.",
        )
    if void := unfit_because(waiver, environment=environment, gate=gate, now=now):
        raise PolicyError(
            f"waiver {name} would not count: {void}.",
            slug="waiver-void",
            hint="docs/waivers.md says what every waiver needs.",
        )
    same = [each.name for each in others if _subject(each) == _subject(waiver) and waiver.limit]
    if same:
        raise PolicyError(
            f"waiver {same[0]} is for the same limit, candidate and entry, and a second one never widens it.",
            slug="waiver",
            hint=f"Change {same[0]} in {FILE}, where a reviewer sees it.",
        )
    return waiver


def _subject(waiver: Waiver) -> tuple[object, ...]:
    return waiver.environment, waiver.gate, waiver.subject, waiver.candidate, waiver.versions


def _replace(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}", dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(temporary).chmod(0o644)
    Path(temporary).replace(path)
