"""Rules on secrets: what a plan, its state and its sources keep in plain text. No message repeats a value."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

from release_gates.probes.terraform.plan import Module, Plan, StateValues, modules, state_resources
from release_gates.probes.terraform.rule import Doubt, Fault
from release_gates.probes.terraform.settings import TerraformSettings
from release_gates.probes.terraform.sources import Sources

NAME = re.compile(
    r"(?:^|_)(?:password|passwd|secret|secret_string|token|api_?key|private_key(?:_pem)?|secret_?key"
    r"|access_key|credentials|connection_string)$",
    re.IGNORECASE,
)
SHAPE = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY|\b(?:AKIA|ASIA)[A-Z2-7]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}"
    r"|\bxox[abprs]-[0-9]{8,}|\bhv[sb]\.[A-Za-z0-9_-]{24,}|://[^\s/:@]{1,64}:[^\s/:@${}]{3,64}@"
)
EXPECTED = "nothing that is secret"
ENCODED = frozenset({"custom_data", "user_data", "user_data_base64"})
"""Attributes that hold a script, in base64 or as it is."""


def secrets(plan: Plan, sources: Sources, _settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF15: yield what is marked as sensitive, or looks it, and stands in the plan or beside it."""
    for each in (*plan.resource_changes, *plan.resource_drift):
        change = each.change
        yield from _marked(each.address, "", change.after, change.after_sensitive)
        yield from _marked(each.address, "", change.before, change.before_sensitive)
        yield from _looks(each.address, "", change.after)
    for old in state_resources((plan.prior_state.values or StateValues()).root_module):
        yield from _marked(old.address, "", old.values, old.sensitive_values)
    for name, output in plan.output_changes.items():
        yield from _marked(f"output.{name}", "", output.after, output.after_sensitive)
        if output.after_sensitive is not True:
            yield from _named(f"output.{name}", "", name, output.after)
    for name, provider in plan.configuration.provider_config.items():
        yield from _written(f"provider.{name}", provider.expressions)
    for path, module in modules(plan):
        yield from _declared(path, module)
    for name, given in plan.variables.items():
        sensitive = plan.configuration.root_module.variables.get(name, {}).get("sensitive") is True
        yield from _marked(f"var.{name}", "", given.get("value"), sensitive)
        if not sensitive:
            yield from _named(f"var.{name}", "", name, given.get("value"))
    for file in sources.states:
        yield Fault(file, "", "a state among the sources", "a state in its backend alone")


def _marked(address: str, place: str, value: Any, mark: Any) -> Iterator[Fault]:
    if isinstance(mark, dict) and isinstance(value, dict):
        for name, below in mark.items():
            yield from _marked(address, f"{place}.{name}".lstrip("."), value.get(name), below)
    elif isinstance(mark, list) and isinstance(value, list):
        for number, (one, below) in enumerate(zip(value, mark, strict=False)):
            yield from _marked(address, f"{place}.{number}".lstrip("."), one, below)
    elif mark is True and _says(value):
        yield Fault(address, place, "a sensitive value in plain text", EXPECTED)


def _looks(address: str, place: str, value: Any) -> Iterator[Fault]:
    if isinstance(value, dict):
        for name, one in value.items():
            where = f"{place}.{name}".lstrip(".")
            yield from _named(address, where, name, one)
            if name in ENCODED and isinstance(one, str):
                yield from _looks(address, where, _decoded(one))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _looks(address, f"{place}.{number}".lstrip("."), one)
    elif isinstance(value, str) and SHAPE.search(value):
        yield Fault(address, place, "what looks like a key, in plain text", EXPECTED)


def _decoded(text: str) -> str:
    """Return what base64 says, "" for what is none."""
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "replace")
    except ValueError:
        return ""


def _declared(path: str, module: Module) -> Iterator[Fault]:
    """Yield what the sources write down: defaults of sensitive variables, and arguments."""
    for name, variable in module.variables.items():
        where = f"{path}.var.{name}".lstrip(".")
        if variable.get("sensitive") is True and _says(variable.get("default")):
            yield Fault(where, "default", "a sensitive value in plain text", EXPECTED)
        else:
            yield from _named(where, "default", name, variable.get("default"))
    for each in module.resources:
        yield from _written(f"{path}.{each.type}.{each.name}".lstrip("."), each.expressions)
    for name, call in module.module_calls.items():
        yield from _written(f"{path}.module.{name}".lstrip("."), call.expressions)


def _written(address: str, expressions: dict[str, Any]) -> Iterator[Fault]:
    """Yield what the sources write down as a constant, in blocks too."""
    for name, expression in expressions.items():
        for one in expression if isinstance(expression, list) else [expression]:
            if isinstance(one, dict) and "constant_value" in one:
                yield from _looks(address, "", {name: one["constant_value"]})
            elif isinstance(one, dict) and "references" not in one:
                yield from _written(address, one)


def _named(address: str, place: str, name: str, value: Any) -> Iterator[Fault]:
    """Yield a value that is secret by its name, or looks it."""
    if NAME.search(name) and isinstance(value, str) and value:
        yield Fault(address, place, "by its name a secret, in plain text", EXPECTED)
    else:
        yield from _looks(address, place, value)


def _says(value: Any) -> bool:
    """Tell whether a value is more than nothing; numbers and switches are no secrets by themselves."""
    if isinstance(value, dict):
        return any(map(_says, value.values()))
    if isinstance(value, list):
        return any(map(_says, value))
    return isinstance(value, str) and value != ""
