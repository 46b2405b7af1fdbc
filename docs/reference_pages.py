"""Pages of the reference that are made from the code, as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from textwrap import dedent

import click

from release_gates.cli.commands import program
from release_gates.model.gate import GateSpec
from release_gates.model.limit import Limit
from release_gates.model.units import UNITS
from release_gates.policy.load import policy_from_snapshot
from release_gates.policy.schema import gate_keys, rule_keys
from release_gates.policy.settings import settings_names, settings_type
from release_gates.policy.snapshot import read_snapshot
from release_gates.pytest_plugin import OPTIONS

ROOT = Path(__file__).resolve().parents[1]


def cli() -> str:
    """Return every command with its help."""
    return "\n".join(_command(program, None, "release-gates"))


def _command(command: click.Command, parent: click.Context | None, name: str) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent, max_content_width=100, terminal_width=100)
    yield f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for each in sorted(command.list_commands(context)):
            found = command.get_command(context, each)
            if found is not None:
                yield from _command(found, context, each)


def options() -> str:
    """Return pytest's options, each with its ini key and environment variable."""
    rows = [
        (f"`--gate-{name}`", f"`gate_{key}`", f"`GATE_{key.upper()}`", text)
        for name, (_, text) in OPTIONS.items()
        for key in [name.replace("-", "_")]
    ]
    return _table(("option", "ini key", "environment variable", "what"), rows)


def units() -> str:
    """Return every unit, with its dimension and exact factor."""
    rows = [(f"`{unit}`", dimension, str(factor)) for unit, (dimension, factor) in UNITS.items()]
    return _table(("unit", "dimension", "factor to its first unit"), rows)


def policy() -> str:
    """Return every key of a gate, of a rule, and of the probes' settings."""
    parts = [
        "## A gate\n\n" + _table(("key of `[gate.NAME]`", "what"), _keys(gate_keys())),
        "## A limit\n\n" + _table(("key", "what"), _keys(rule_keys())),
    ]
    for name in settings_names():
        kind = settings_type(name)
        if kind is not None:
            doc = dedent(kind.__doc__ or "").strip().splitlines()[0]
            fields = [(f"`{field}`",) for field in kind.__struct_fields__]
            parts.append(f"## `[gate.NAME.{name}]`\n\n{doc}\n\n" + _table(("key",), fields))
    return "\n".join(parts)


def _keys(keys: dict[str, str]) -> list[tuple[str, str]]:
    return [(f"`{key}`", what) for key, what in keys.items()]


def measurements() -> str:
    """Return what the bundled policy asks of each gate, by environment."""
    found = policy_from_snapshot(read_snapshot(ROOT / "gates", tool="docs"))
    return "\n".join(
        f"## Entry to {environment.name}\n\n"
        + _table(("gate", "measurement", "limit", "target", "baseline"), _rules(environment.gates))
        for environment in found.environments
    )


def _rules(gates: Sequence[GateSpec]) -> list[tuple[str, ...]]:
    return [
        (gate.name, f"`{rule.name}`", *map(_written, (rule.limit, rule.target, rule.baseline)))
        for gate in gates
        for rule in gate.limits
    ]


def _written(limit: Limit | None) -> str:
    return f"`{limit.text}`" if limit is not None else ""


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "reference/cli": cli,
    "reference/options": options,
    "reference/units": units,
    "reference/policy": policy,
    "reference/measurements": measurements,
}
