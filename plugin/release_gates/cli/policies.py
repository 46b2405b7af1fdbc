"""``check``, ``list``, ``expect``: the policy and the tests that it expects."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from release_gates.cli.comparing import compare
from release_gates.cli.project import Project, refusing
from release_gates.cli.waivers import standing
from release_gates.errors import PolicyError
from release_gates.judge.limits import allowed
from release_gates.model.gate import EnvironmentPolicy, GateSpec, Policy
from release_gates.model.outcome import Mode
from release_gates.policy.expected import diff_expected, from_elsewhere, render_expected
from release_gates.policy.load import policy_from_snapshot
from release_gates.policy.mistake import PolicyMistakes
from release_gates.policy.review import review
from release_gates.policy.schema import environment_schema
from release_gates.promotion.windows import window_remark
from release_gates.proof.registry import read_registry, review_defects
from release_gates.session.expecting import collected_gates


@click.command()
@click.option("--schema", is_flag=True, help="Instead: print the JSON schema of gates/ENV.toml, for editors.")
@click.option("--against", metavar="REF", help="Instead: what became weaker since this git revision.")
@click.option("--markdown", is_flag=True, help="With --against: for the comment of a merge request.")
@click.pass_obj
@refusing
def check(project: Project, schema: bool, against: str | None, markdown: bool) -> None:
    """Read the policy: every mistake at once, then what deserves a second look.

    With --against: every limit, severity, gate, test, waiver, key or body that differs; status 1 if
    anything is weaker, or nobody can say.
    """
    if markdown and (against is None or project.json):
        raise click.UsageError("--markdown is for --against, without --json.")
    if against is not None:
        compare(project, against, markdown=markdown)
        return
    if schema:
        replace(project, json=True).say(environment_schema(), [])
        return
    try:
        snapshot = project.snapshot()
        policy = policy_from_snapshot(snapshot, folder=project.policy_dir.name)
        registry = read_registry(snapshot, policy, folder=project.policy_dir.name)
        _check_selected(project, policy)
    except PolicyMistakes as error:
        project.say({"ok": False, "mistakes": [str(mistake) for mistake in error.mistakes]}, [str(error)])
        sys.exit(1)
    remarks = [str(remark) for remark in (*review(policy), *review_defects(registry, policy))]
    now = datetime.now(UTC)
    for environment in policy.environments:
        remarks += [f"{environment.name}: {each}" for each in standing(policy, environment, now)]
        remarks += [f"{environment.name}: {each}" for each in filter(None, [window_remark(environment, now)])]
    gates = ", ".join(policy.gate_names()) or "no gates"
    project.say(
        {"ok": True, "rules": policy.digest, "remarks": remarks},
        [f"{project.policy_dir.name}/: {gates}; rules {policy.digest[:12]}: no mistakes", *remarks],
    )


def _check_selected(project: Project, policy: Policy) -> None:
    """Let pytest collect where gates select tests: a pattern without a test, or two gates for one, refuse."""
    if any(gate.select for environment in policy.environments for gate in environment.gates):
        collected_gates(project.root, project.policy_dir)


@click.command("list")
@click.pass_obj
@refusing
def list_gates(project: Project) -> None:
    """List each environment's gates with owner, severity, limits and the number of expected tests."""
    policy = project.policy()
    lines = []
    for environment in policy.environments:
        whole = f", {_observing(environment)}" if environment.mode is Mode.OBSERVE else ""
        lines.append(f"entry to {environment.name}: {len(environment.gates)} gates{whole}")
        for gate in environment.gates:
            tests = len(policy.expected.get(gate.name, ()))
            observing = f", {_observing(gate)}" if gate.mode is Mode.OBSERVE else ""
            lines.append(
                f"  {gate.name}  ({gate.severity}{observing}, owner {gate.owner}, {tests} expected tests)"
            )
            lines.extend(f"      selects {pattern}" for pattern in gate.select)
            lines.extend(f"      {rule.name}  {allowed(rule)}" for rule in gate.limits)
    project.say(policy, lines)


def _observing(part: GateSpec | EnvironmentPolicy) -> str:
    until = f" until the end of {part.observe_until} (UTC)" if part.observe_until else ""
    return f"only observed{until}"


@click.command()
@click.option("--check", "only_check", is_flag=True, help="Change nothing; exit 1 if a file is out of date.")
@click.pass_obj
@refusing
def expect(project: Project, only_check: bool) -> None:
    """Write gates/expected/GATE.txt from the tests that pytest collects.

    Lines of imported tests stay as they are: `release-gates import junit … --expect` writes those.
    """
    policy = project.policy()
    found = collected_gates(project.root, project.policy_dir)
    changes = {}
    for gate in policy.gate_names():
        found[gate] = (*found.get(gate, ()), *from_elsewhere(policy.expected.get(gate, ())))
        difference = diff_expected(policy.expected.get(gate, ()), found[gate])
        if difference.added or difference.removed or gate not in policy.expected:
            changes[gate] = difference
    if not only_check:
        for gate in changes:
            _write(project.policy_dir / "expected" / f"{gate}.txt", found[gate])
    lines = [line for gate, difference in changes.items() for line in _described(gate, *difference)]
    project.say(changes, lines or ["expected tests are up to date"])
    if only_check and changes:
        sys.exit(1)


def _write(path: Path, ids: tuple[str, ...]) -> None:
    if not ids:
        raise PolicyError(
            f"{path.parent.name}/{path.name}: pytest collects no test for gate '{path.stem}'.",
            slug="no-tests-for-gate",
            hint=f'Mark one with pytest.mark.gate("{path.stem}"), or take the gate out of the policy.',
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_expected(ids), encoding="utf-8")


def _described(gate: str, added: tuple[str, ...], removed: tuple[str, ...]) -> list[str]:
    return [
        f"expected/{gate}.txt: {len(added)} added, {len(removed)} removed",
        *(f"  + {test}" for test in added),
        *(f"  - {test}" for test in removed),
    ]
