"""``check --against REF``: what became weaker since a git revision, for people and merge requests."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from release_gates import TOOL
from release_gates.cli.project import Project
from release_gates.cli.revision import lay_out, revision
from release_gates.errors import PolicyError
from release_gates.model.foreign import plain as on_one_line
from release_gates.model.gate import Policy
from release_gates.policy.bodies import body_changes
from release_gates.policy.change import Change
from release_gates.policy.changes import changes
from release_gates.policy.configuration import PREFIX as CONFIGURATION
from release_gates.policy.load import FINDINGS, policy_from_snapshot
from release_gates.policy.measuring import KEY, covered, stated_rules
from release_gates.policy.mistake import PolicyMistakes
from release_gates.policy.snapshot import Snapshot
from release_gates.proof.registry import FILE as DEFECTS
from release_gates.proof.registry import read_registry
from release_gates.report.markdown import plain

TITLES = {"weaker": "Weaker", "open": "To be looked at", "other": "Other changes"}
LONGEST = 3000
"""Characters of one change in text."""
MOST = 200
"""So many changes of a kind are listed in Markdown; the rest is counted."""


def compare(project: Project, ref: str, *, markdown: bool) -> None:
    """Print what differs from a git revision; exit status 1 if anything is weaker, or may be."""
    found = against(project, ref)
    bad = any(change.kind != "other" for change in found)
    if project.json:
        project.say({"against": ref, "ok": not bad, "changes": found}, ())
    else:
        for line in _markdown(found, ref) if markdown else _text(found, ref):
            click.echo(line)
    if bad:
        sys.exit(1)


def against(project: Project, ref: str) -> tuple[Change, ...]:
    """Return every difference of the project's rules from those of a git revision.

    ``PolicyError`` where either cannot be read in full.
    """
    if project.elsewhere:
        raise PolicyError(
            f"--against compares the project's own gates/, and the policy is {project.elsewhere}.",
            slug="against-ref",
            hint="Leave --gate-policy and GATE_POLICY out.",
        )
    now = project.snapshot()
    there = revision(project.root, ref)
    with tempfile.TemporaryDirectory(prefix="release-gates-") as made:
        folder = Path(made)
        try:
            then = lay_out(there, folder, project.policy_dir.name, tool=TOOL)
            before = policy_from_snapshot(then, folder=project.policy_dir.name)
        except PolicyMistakes as error:
            raise PolicyError(
                f"the rules of {ref} cannot be read by this version: {error.message}",
                slug="against-ref",
                hint="Compare with a commit whose policy has no mistakes.",
            ) from None
        after = policy_from_snapshot(now, folder=project.policy_dir.name)
        return (
            *changes(before, after, than=ref),
            *_of_files(then, now, before, after),
            *body_changes(
                _contents(folder, covered(then), covered(now)),
                _contents(project.root, covered(now), covered(then)),
                _gates_of_tests(before, after),
            ),
        )


def _contents(root: Path, own: frozenset[str], others: frozenset[str]) -> dict[str, bytes | None]:
    """Return the files of one side; None for what only the other covers."""
    return {name: (root / name).read_bytes() if name in own else None for name in own | others}


def _gates_of_tests(*policies: Policy) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for policy in policies:
        for gate, tests in policy.expected.items():
            for test in tests:
                found.setdefault(test.partition("[")[0], set()).add(gate)
    return {test: tuple(sorted(gates)) for test, gates in found.items()}


def _of_files(then: Snapshot, now: Snapshot, before: Policy, after: Policy) -> Iterator[Change]:
    """Yield changes of what is no part of the policy's own types: known findings, defects, configuration."""
    for name in sorted({*then, *now}):
        if then.get(name) == now.get(name):
            continue
        if name.startswith(f"{FINDINGS}/"):
            gone = name not in now
            sentence = "are gone" if gone else "changed" if name in then else "are accepted"
            yield Change(
                place=f"known findings, {name}", sentence=sentence, kind="other" if gone else "weaker"
            )
        elif name.startswith(CONFIGURATION):
            keys = _changed_keys(then.get(name, ""), now.get(name, ""))
            place = f"pytest's configuration in {name.removeprefix(CONFIGURATION)}"
            yield Change(place=place, sentence=f"changed{keys}", kind="open")
    if then.get(DEFECTS) != now.get(DEFECTS):
        yield from _of_defects(then, now, before, after)
    if stated_rules(then) != stated_rules(now):
        yield Change(place=KEY, sentence="other files measure than before", kind="open")


def _changed_keys(old: str, new: str) -> str:
    try:
        one, other = json.loads(old), json.loads(new)
        one, other = ({**each, **each.get("ini_options", {})} for each in (one, other))
    except (ValueError, AttributeError, TypeError):
        return ""
    keys = sorted(key for key in {*one, *other} - {"ini_options"} if one.get(key) != other.get(key))
    return f": {', '.join(keys)}" if keys else ""


def _of_defects(then: Snapshot, now: Snapshot, before: Policy, after: Policy) -> Iterator[Change]:
    try:
        old = {each.name: each for each in read_registry(then, before).defects}
        new = {each.name: each for each in read_registry(now, after).defects}
    except PolicyMistakes as error:
        yield Change(place="defects.toml", sentence=f"cannot be compared: {error.message}", kind="open")
        return
    yield Change(place="defects.toml", sentence="changed", kind="other")
    for name in sorted({*old, *new}):
        place = f"planted defect {name}"
        if name not in new:
            yield Change(place=place, sentence="is no longer declared", kind="weaker")
        elif name not in old:
            yield Change(place=place, sentence="is new", kind="other")
        elif old[name] != new[name]:
            yield Change(place=place, sentence="changed", kind="open")


def _text(found: Sequence[Change], ref: str) -> Iterator[str]:
    yield _headline(found, ref)
    for kind, title in TITLES.items():
        if own := [change for change in found if change.kind == kind]:
            yield f"{title}:"
            yield from (f"  {on_one_line(change, LONGEST)}" for change in own)


def _markdown(found: Sequence[Change], ref: str) -> Iterator[str]:
    bad = any(change.kind != "other" for change in found)
    yield f"### {'⚠️' if bad else '✅'} {plain(_headline(found, ref))}"
    for kind, title in TITLES.items():
        own = [change for change in found if change.kind == kind]
        if own:
            yield f"\n**{title}**\n"
            yield from (f"- {plain(str(change))}" for change in own[:MOST])
        if len(own) > MOST:
            yield f"- and {len(own) - MOST} more"


def _headline(found: Sequence[Change], ref: str) -> str:
    count: Mapping[str, int] = {kind: sum(each.kind == kind for each in found) for kind in TITLES}
    if not found:
        return f"The rules are those of {ref}."
    parts = f"{count['weaker']} weaker, {count['open']} to be looked at, {count['other']} other"
    return f"The rules differ from those of {ref}: {parts}."
