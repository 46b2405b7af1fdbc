"""The whole policy: a snapshot of ``gates/`` to a Policy, or every mistake in it at once."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from msgspec import structs

from release_gates.model.gate import EnvironmentPolicy, GateSpec, Policy
from release_gates.model.outcome import Effect, Mode, Severity
from release_gates.policy.document import read_document
from release_gates.policy.environments import RESERVED, EnvironmentHead, read_path, read_place
from release_gates.policy.expected import FOLDER, parse_expected
from release_gates.policy.freezes import read_freezes
from release_gates.policy.gates import (
    LIVE,
    GateDraft,
    gate_spec,
    inherited,
    merge,
    read_gates,
    settings_mistake,
)
from release_gates.policy.mistake import At, Mistakes, suggestion
from release_gates.policy.routes import check_routes
from release_gates.policy.snapshot import (
    ENVIRONMENTS,
    TOOL_KEY,
    Snapshot,
    folder_name,
    gather,
    snapshot_digest,
)
from release_gates.policy.table import Table
from release_gates.policy.trust import read_trust
from release_gates.policy.waivers import read_waivers

Drafts = dict[str, GateDraft]

FINDINGS = "findings"
"""Where the files of known findings lie, one for each gate that has some."""


def load_policy(folder: Path, *, tool: str) -> Policy:
    """Return the policy in a folder; ``tool`` is the version that reads it, and part of its digest.

    Raises PolicyMistakes with all mistakes of all files.
    """
    mistakes = Mistakes(folder_name(folder))
    return _policy(gather(folder, tool=tool, mistakes=mistakes), mistakes)


def load_place(folder: Path, name: str, *, tool: str) -> EnvironmentPolicy:
    """Return an environment with how it is deployed to, and nothing of what its entry asks for.

    No other mistake of the policy holds who goes back to what was live. Raises PolicyMistakes.
    """
    elsewhere = Mistakes(folder_name(folder))
    snapshot = gather(folder, tool=tool, mistakes=elsewhere)
    if ENVIRONMENTS not in snapshot:
        elsewhere.raise_any()
    mistakes = Mistakes(folder_name(folder))
    deploy = read_place(snapshot, name, mistakes)
    mistakes.raise_any()
    return EnvironmentPolicy(name=name, gates=(), deploy=deploy)


def policy_from_snapshot(snapshot: Snapshot, *, folder: str = "gates") -> Policy:
    """Return the policy that a snapshot holds: the same that its folder gave. Pure.

    ``folder`` is how messages name the policy folder. Raises PolicyMistakes.
    """
    mistakes = Mistakes(folder)
    if ENVIRONMENTS not in snapshot:
        mistakes.add(At(""), f"holds no {ENVIRONMENTS}", "no-policy")
    return _policy(snapshot, mistakes)


def _policy(snapshot: Snapshot, mistakes: Mistakes) -> Policy:
    digest = _digest(snapshot, mistakes)
    path = read_path(snapshot, mistakes)
    trust = read_trust(snapshot, [head.name for head in path] or None, mistakes)
    freezes = read_freezes(snapshot, [head.name for head in path] or None, mistakes)
    environments = tuple(
        structs.replace(each, freezes=tuple(f for f in freezes if each.name in f.environments))
        for each in (_environments(path, snapshot, mistakes) if path else ())
    )
    if not mistakes.found:
        for environment in environments:
            check_routes(environment, mistakes)
    expected = _expected(environments, snapshot, mistakes) if path else {}
    if path:
        _refuse_strange_findings(environments, snapshot, mistakes)
    waivers = read_waivers(snapshot, None if mistakes.found else environments, mistakes)
    mistakes.raise_any()
    entries = tuple(structs.replace(each, trust=trust) for each in environments) if trust else environments
    return Policy(environments=entries, expected=expected, digest=digest, waivers=waivers)


def _digest(snapshot: Snapshot, mistakes: Mistakes) -> str:
    if not snapshot.get(TOOL_KEY):
        mistakes.add(At(""), f"the snapshot does not say which tool read it ('{TOOL_KEY}')", "no-tool")
    try:
        return snapshot_digest(snapshot)
    except ValueError:
        mistakes.add(At(""), "a text of the snapshot cannot be written as UTF-8", "not-utf8")
        return ""


def _environments(
    path: tuple[EnvironmentHead, ...], snapshot: Snapshot, mistakes: Mistakes
) -> tuple[EnvironmentPolicy, ...]:
    _refuse_strange_files([head.name for head in path], snapshot, mistakes)
    merged: dict[str, Drafts] = {}
    return tuple(_environment(head, [h.name for h in path], merged, snapshot, mistakes) for head in path)


def _environment(
    head: EnvironmentHead, path: list[str], merged: dict[str, Drafts], snapshot: Snapshot, mistakes: Mistakes
) -> EnvironmentPolicy:
    """Return one environment and keep its merged drafts for those that extend it."""
    document = _document(head.name, snapshot, mistakes)
    drafts = read_gates(document) if document is not None else {}
    extends = _parent(head.name, path, document) if document is not None else ""
    parent = {name: inherited(draft) for name, draft in merged.get(extends, {}).items()}
    merged[head.name] = _merge_all(parent, drafts)
    gates = {name: gate_spec(draft, head.name) for name, draft in merged[head.name].items()}
    if document is not None:
        before = {name: gate_spec(draft, extends) for name, draft in parent.items()}
        _check_settings(merged[head.name], drafts, mistakes)
        _check_gates(gates, before, path, document)
        _check_something_blocks(head, gates, document)
    return EnvironmentPolicy(
        name=head.name,
        gates=tuple(gates.values()),
        attempts=head.attempts,
        local_may_promote=head.local_may_promote,
        approved_rules=head.approved_rules,
        checkpoint=head.checkpoint,
        deploy=head.deploy,
        max_waiver_days=head.max_waiver_days,
        approvals=head.approvals,
        approval_valid_for_s=head.approval_valid_for_s,
        extends=extends,
        mode=head.mode,
        observe_until=head.observe_until,
        windows=head.windows,
        soak=head.soak,
        routes=head.routes,
    )


def _document(name: str, snapshot: Snapshot, mistakes: Mistakes) -> Table | None:
    file = f"{name}.toml"
    if file not in snapshot:
        if not mistakes.concern(file):
            sentence = (
                f"is absent, and the path in {ENVIRONMENTS} names '{name}'. Write it, or shorten the path"
            )
            mistakes.add(At(file), sentence, "missing-file")
        return None
    document = read_document(file, snapshot[file], mistakes)
    if document is not None:
        document.refuse_schema()
        document.refuse_unknown(("schema", "extends", "gate"))
    return document


def _parent(name: str, path: list[str], document: Table) -> str:
    extends = document.text("extends")
    earlier = path[: path.index(name)]
    if extends is None or extends in earlier:
        return extends or ""
    if extends in path:
        sentence = "must stand earlier on the path than the environment that extends it"
    else:
        sentence = f"unknown environment '{extends}'.{suggestion(extends, earlier)}"
    document.wrong("extends", sentence, "extends")
    return ""


def _merge_all(parent: Drafts, child: Drafts) -> Drafts:
    changed = {name: merge(parent[name], draft) if name in parent else draft for name, draft in child.items()}
    return {**parent, **changed}


def _check_settings(merged: Drafts, own: Drafts, mistakes: Mistakes) -> None:
    """Note merged settings that do not fit, in the file that had the last word on them."""
    for name, draft in own.items():
        for kind in draft.settings:
            fault = settings_mistake(merged[name], kind)
            at = draft.at.key(kind)
            prefix = f"{at}."
            known = any(f"{m.place}.".startswith(prefix) for m in mistakes.found)
            if fault and not known:
                mistakes.add(at, fault, "settings")


def _check_gates(
    gates: dict[str, GateSpec], before: dict[str, GateSpec], path: list[str], document: Table
) -> None:
    for name, gate in gates.items():
        at = document.at.key("gate", name)
        parent = before.get(name)
        if not gate.owner and parent is None and not _stated(document, name, "owner"):
            _note_owner(at, name, before, document.mistakes)
        if gate.runs_against not in path and (parent is None or parent.runs_against != gate.runs_against):
            sentence = f"unknown environment '{gate.runs_against}'.{suggestion(gate.runs_against, path)}"
            document.mistakes.add(
                at.key("runs_against"), sentence, "unknown-environment", value=gate.runs_against
            )
        _check_effect(gate, parent, at, document.mistakes)


def _check_something_blocks(head: EnvironmentHead, gates: dict[str, GateSpec], document: Table) -> None:
    blocking = [gate for gate in gates.values() if gate.severity is Severity.BLOCKING]
    if document.mistakes.found:
        return
    if not blocking:
        sentence = (
            'no gate here blocks, so any candidate would enter. Give it a gate with severity = "blocking"'
        )
        document.mistakes.add(document.at, sentence, "no-blocking-gate")
    elif head.mode is Mode.ENFORCE and all(gate.mode is Mode.OBSERVE for gate in blocking):
        sentence = (
            "every gate here that blocks is only observed, so any candidate would get a PROMOTE. Enforce "
            f'one, or observe the whole entry: [environment.{head.name}] of {ENVIRONMENTS}, mode = "observe"'
        )
        document.mistakes.add(document.at, sentence, "no-blocking-gate")


def _stated(document: Table, gate: str, key: str) -> bool:
    return key in document.values["gate"].get(gate, {})


def _note_owner(at: At, name: str, before: dict[str, GateSpec], mistakes: Mistakes) -> None:
    near = suggestion(name, tuple(before))
    hint = near if "Did you mean" in near else ""
    mistakes.add(
        at.key("owner"), f"is absent. Name the team that answers for this gate.{hint}", "missing-owner"
    )


def _check_effect(gate: GateSpec, parent: GateSpec | None, at: At, mistakes: Mistakes) -> None:
    if gate.runs_against not in LIVE or gate.effect is Effect.READ:
        return
    if parent is None or (parent.runs_against, parent.effect) != (gate.runs_against, gate.effect):
        sentence = (
            f"a gate that runs against {gate.runs_against} may only read. "
            'Set effect = "read", or runs_against to another environment'
        )
        mistakes.add(at.key("effect"), sentence, "live-effect", value=gate.effect.value)


def _refuse_strange_files(names: list[str], snapshot: Snapshot, mistakes: Mistakes) -> None:
    known = {f"{name}.toml" for name in (*names, *RESERVED)}
    for file in snapshot:
        if file.endswith(".toml") and not file.startswith("/") and file not in known:
            sentence = f"belongs to no environment on the path.{suggestion(PurePosixPath(file).stem, names)}"
            mistakes.add(At(file), sentence, "strange-file")


def _expected(
    environments: tuple[EnvironmentPolicy, ...], snapshot: Snapshot, mistakes: Mistakes
) -> dict[str, tuple[str, ...]]:
    gates = sorted({gate.name for environment in environments for gate in environment.gates})
    expected = {}
    for file in sorted(snapshot):
        if file == FOLDER:
            mistakes.add(At(file), "must be a folder with one file per gate", "strange-file")
        if file.startswith(f"{FOLDER}/"):
            name = file.removeprefix(f"{FOLDER}/").removesuffix(".txt")
            if name in gates and file.endswith(".txt"):
                expected[name] = parse_expected(file, snapshot[file], mistakes)
            else:
                sentence = f"belongs to no gate.{suggestion(name, gates)}"
                mistakes.add(At(file), sentence, "strange-file")
    return expected


def _refuse_strange_findings(
    environments: tuple[EnvironmentPolicy, ...], snapshot: Snapshot, mistakes: Mistakes
) -> None:
    """Note each file of known findings that no gate reads: what it accepts would be accepted by nobody."""
    gates = sorted({gate.name for environment in environments for gate in environment.gates})
    for file in sorted(name for name in snapshot if name.startswith(f"{FINDINGS}/")):
        name = file.removeprefix(f"{FINDINGS}/").removesuffix(".json")
        if name not in gates or not file.endswith(".json"):
            sentence = f"belongs to no gate.{suggestion(name, gates)}"
            mistakes.add(At(file), sentence, "strange-file")
