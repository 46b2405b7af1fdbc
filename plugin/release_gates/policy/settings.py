"""Settings of probes: which sub-table of a gate belongs to which type, checked when policy is loaded.

A probe's settings are a ``msgspec.Struct`` that imports nothing heavy. Policy knows it by an import string
only, and imports it when a gate has the sub-table: ``[gate.coverage.coverage]``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from release_gates.errors import PolicyError
from release_gates.model.gate import GateSpec
from release_gates.policy.mistake import At, Mistakes, suggestion

Kind = TypeVar("Kind", bound=msgspec.Struct)

BUILT_IN = {
    "benchmark": "release_gates.probes.benchmark.settings:BenchmarkSettings",
    "container": "release_gates.probes.container.settings:ContainerSettings",
    "checkov": "release_gates.probes.checkov.settings:CheckovSettings",
    "coverage": "release_gates.probes.coverage.settings:CoverageSettings",
    "findings": "release_gates.probes.sarif.settings:FindingsSettings",
    "host": "release_gates.probes.machine.hosts.settings:HostSettings",
    "junit": "release_gates.probes.junit.settings:JunitSettings",
    "kubernetes": "release_gates.probes.kubernetes.settings:KubernetesSettings",
    "load": "release_gates.probes.load.settings:LoadSettings",
    "machine": "release_gates.probes.machine.settings:MachineSettings",
    "sbom": "release_gates.probes.sbom.settings:SbomSettings",
    "service": "release_gates.probes.service.settings:ServiceSettings",
    "terraform": "release_gates.probes.terraform.settings:TerraformSettings",
}
"""Sub-table -> "module:type" of the probes in this package."""

ENTRY_POINTS = "release_gates.settings"
"""Entry-point group in which other packages register theirs, in the same form."""


def settings_for(gate: GateSpec, kind: type[Kind]) -> Kind:
    """Return a gate's settings for one probe, with that type's defaults where policy says nothing.

    Raises PolicyError if the type is not registered, and if it has no default for something that the gate
    does not say.
    """
    name = _name_of(kind)
    try:
        return msgspec.convert(gate.settings.get(name, {}), kind, strict=True)
    except msgspec.ValidationError as error:
        raise PolicyError(
            f"gate {gate.name}: the settings '{name}' do not fit: {error}.",
            slug="settings",
            hint=f"Complete [gate.{gate.name}.{name}]",
        ) from None


def settings_names() -> tuple[str, ...]:
    """Return the names of all sub-tables that a probe of this package reads."""
    return tuple(BUILT_IN)


def settings_type(name: str) -> type[msgspec.Struct] | None:
    """Return the registered type of a sub-table, None if no probe reads it.

    Raises PolicyError if it is registered twice, cannot be imported or is no ``msgspec.Struct``.
    """
    target = BUILT_IN.get(name)
    if target is not None:
        return _imported(target)
    targets = _third_party().get(name, ())
    if len(targets) > 1:
        many = " and ".join(targets)
        hint = "Remove one of the packages"
        raise PolicyError(f"settings '{name}' are registered twice: {many}.", slug="settings-type", hint=hint)
    return _imported(targets[0]) if targets else None


def check_keys(values: dict[str, Any], kind: type[msgspec.Struct], at: At, mistakes: Mistakes) -> None:
    """Note every unknown key of a settings table and every value of a wrong type, at any depth."""
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in values.items():
        if key not in fields:
            sentence = f"unknown key '{key}'.{suggestion(key, tuple(fields))}"
            mistakes.add(at.key(key), sentence, "unknown-key")
        elif not list(_unknown(value, fields[key], at.key(key), mistakes)):
            _check_value(value, fields[key], at.key(key), mistakes)


def check_whole(values: dict[str, Any], kind: type[msgspec.Struct]) -> str:
    """Return why a merged settings table does not fit its type, or an empty text."""
    try:
        msgspec.convert(values, kind, strict=True)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


def _check_value(value: Any, kind: Any, at: At, mistakes: Mistakes) -> None:
    try:
        msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        mistakes.add(at, str(error), "settings", value=value)


def _unknown(value: Any, kind: Any, at: At, mistakes: Mistakes) -> Iterator[At]:
    """Note and yield unknown keys of structs inside a value: not every struct forbids them by itself."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(value, dict):
        before = len(mistakes.found)
        check_keys(value, kind, at, mistakes)
        yield from [at] * (len(mistakes.found) - before)
        return
    inner = [part for part in get_args(kind) if part is not ...]
    origin = get_origin(kind)
    if origin is dict and isinstance(value, dict):
        for key, item in value.items():
            yield from _unknown(item, inner[1], at.key(key), mistakes)
    elif origin in {list, tuple} and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown(item, inner[min(index, len(inner) - 1)], at.key(str(index)), mistakes)
    elif inner and origin not in {dict, list, tuple}:  # X | None, Annotated[X, ...]
        structs = [part for part in inner if isinstance(part, type) and issubclass(part, msgspec.Struct)]
        if len(structs) == 1:
            yield from _unknown(value, structs[0], at, mistakes)


def _imported(target: str) -> type[msgspec.Struct]:
    module, _, name = target.partition(":")
    try:
        kind = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        hint = "Install the package that registers it"
        raise PolicyError(
            f"{target} cannot be imported: {error}.", slug="settings-type", hint=hint
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        raise PolicyError(f"{target} is no msgspec.Struct", slug="settings-type")
    return kind


def _name_of(kind: type[msgspec.Struct]) -> str:
    target = f"{kind.__module__}:{kind.__qualname__}"
    names = [name for name, known in BUILT_IN.items() if known == target]
    names = names or [name for name, targets in _third_party().items() if targets == (target,)]
    if not names:
        hint = f"Register it in the entry-point group {ENTRY_POINTS}"
        raise PolicyError(f"{target} is not registered as settings.", slug="settings-type", hint=hint)
    return names[0]


@cache
def _third_party() -> dict[str, tuple[str, ...]]:
    """Return what installed packages register: sub-table -> targets, more than one if it is ambiguous."""
    from importlib.metadata import entry_points

    found: dict[str, tuple[str, ...]] = {}
    for point in entry_points(group=ENTRY_POINTS):
        found[point.name] = tuple(dict.fromkeys((*found.get(point.name, ()), point.value)))
    return found
