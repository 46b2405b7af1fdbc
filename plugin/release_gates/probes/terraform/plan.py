"""A plan as ``terraform show -json`` tells it: https://developer.hashicorp.com/terraform/internals/json-format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NoReturn

import msgspec

from release_gates.model.foreign import plain
from release_gates.probes.terraform.faults import not_whole, other_format, unreadable

FORMATS = ("1.0", "1.1", "1.2")
"""Formats that are read; a newer one may tell of changes in places where nobody here looks."""
MOST_BYTES = 64 * 1024 * 1024
MOST_DEPTH = 64

Action = Literal["no-op", "create", "read", "update", "delete", "forget"]
KNOWN_ACTIONS = frozenset(
    {
        *(("no-op",), ("create",), ("read",), ("update",), ("delete",), ("forget",)),
        *(("delete", "create"), ("create", "delete"), ("create", "forget"), ("forget", "create")),
    }
)

GONE = frozenset({("delete",), ("forget",)})
"""Actions after which nothing is there that Terraform manages."""


class _Object(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all objects of the format; keys that are not read are left alone."""


class Change(_Object, frozen=True):
    """What would happen to one object; marks mirror its values."""

    actions: tuple[Action, ...]
    before: Any = None
    after: Any = None
    after_unknown: Any = None
    before_sensitive: Any = None
    after_sensitive: Any = None


class Resource(_Object, frozen=True):
    """One resource and what would happen to it."""

    address: str
    mode: Literal["managed", "data", "ephemeral", "list", "action"]
    type: str
    name: str
    change: Change
    provider_name: str = ""
    module_address: str = ""
    previous_address: str = ""
    index: str | int | None = None
    deposed: str = ""
    action_reason: str = ""


class StateResource(_Object, frozen=True):
    """One resource as a state has it."""

    address: str
    mode: str
    type: str
    values: Any = None
    sensitive_values: Any = None


class StateModule(_Object, frozen=True):
    """The resources of a module, and its modules."""

    resources: tuple[StateResource, ...] = ()
    child_modules: tuple[StateModule, ...] = ()


class StateValues(_Object, frozen=True):
    """The values of a state."""

    root_module: StateModule = StateModule()
    outputs: dict[str, Any] = {}


class State(_Object, frozen=True):
    """The state that the plan started from."""

    values: StateValues | None = None


class ConfiguredProvider(_Object, frozen=True):
    """One provider, which versions the sources allow, and what they configure."""

    full_name: str = ""
    version_constraint: str = ""
    expressions: dict[str, Any] = {}


class ConfiguredResource(_Object, frozen=True):
    """One resource as the sources declare it."""

    type: str
    name: str
    mode: str = "managed"
    expressions: dict[str, Any] = {}
    provisioners: tuple[dict[str, Any], ...] = ()


class ModuleCall(_Object, frozen=True):
    """A module that is called."""

    source: str = ""
    version_constraint: str = ""
    expressions: dict[str, Any] = {}
    module: Module | None = None


class Module(_Object, frozen=True):
    """A module as its sources declare it."""

    resources: tuple[ConfiguredResource, ...] = ()
    module_calls: dict[str, ModuleCall] = {}
    variables: dict[str, dict[str, Any]] = {}


class Configuration(_Object, frozen=True):
    """What the sources declare."""

    provider_config: dict[str, ConfiguredProvider] = {}
    root_module: Module = Module()


class CheckAddress(_Object, frozen=True):
    """What a check is called."""

    to_display: str = ""


class CheckResult(_Object, frozen=True):
    """What a check, or a condition of a resource or an output, came to."""

    status: Literal["pass", "fail", "error", "unknown"]
    address: CheckAddress = CheckAddress()


class Plan(_Object, frozen=True):
    """One plan; ``complete`` and ``errored`` are None where an older version does not say."""

    format_version: str
    terraform_version: str = ""
    variables: dict[str, dict[str, Any]] = {}
    planned_values: StateValues = StateValues()
    resource_changes: tuple[Resource, ...] = ()
    resource_drift: tuple[Resource, ...] = ()
    deferred_changes: tuple[Any, ...] = ()
    action_invocations: tuple[Any, ...] = ()
    output_changes: dict[str, Change] = {}
    prior_state: State = State()
    configuration: Configuration = Configuration()
    checks: tuple[CheckResult, ...] = ()
    timestamp: datetime | None = None
    complete: bool | None = None
    errored: bool | None = None

    @property
    def managed(self) -> tuple[Resource, ...]:
        """Every resource that the plan manages, what it would delete included."""
        return tuple(each for each in self.resource_changes if each.mode == "managed")

    @property
    def planned(self) -> tuple[Resource, ...]:
        """Every resource that there would be afterwards."""
        return tuple(each for each in self.managed if each.change.after is not None)


@dataclass(slots=True)
class _Depth:
    """How deep a document is; ``json`` has no bound of its own but the interpreter's."""

    level: list[Any] = field(default_factory=list)

    def check(self, file: str) -> None:
        for _ in range(MOST_DEPTH):
            if not self.level:
                return
            self.level = [child for one in self.level for child in _children(one)]
        raise unreadable(file, "JSON", f"it is nested deeper than {MOST_DEPTH} levels")


def read_plan(file: str, data: bytes) -> Plan:
    """Return the plan in a file's content; ``file`` is how messages name it.

    Raises MeasurementError: ``terraform-plan-unreadable`` for what is no whole JSON (NaN and a key twice
    included), has a value of a wrong type or contradicts itself, ``terraform-plan-format`` for another
    format, ``terraform-plan-not-whole`` for a plan that ended in an error or leaves something out.
    """
    document = _json(file, data)
    if not isinstance(document, dict):
        raise unreadable(file, "$", "it is no JSON object, so it is no plan")
    if document.get("format_version") not in FORMATS:
        raise other_format(file, plain(repr(document.get("format_version"))), FORMATS)
    for key in ("planned_values", "configuration"):
        if not isinstance(document.get(key), dict):
            raise unreadable(file, "$", f"it has no {key}: it is a state or something else, and no plan")
    _Depth([document]).check(file)
    try:
        plan = msgspec.convert(document, Plan, strict=True)
    except (msgspec.ValidationError, RecursionError, ValueError) as problem:
        raise unreadable(file, "JSON", plain(problem, 300)) from None
    _check_form(file, plan)
    _check_whole(file, plan)
    return plan


def state_resources(module: StateModule) -> Iterator[StateResource]:
    """Yield every resource of a module and of those below it."""
    yield from module.resources
    for child in module.child_modules:
        yield from state_resources(child)


def modules(plan: Plan) -> Iterator[tuple[str, Module]]:
    """Yield every module of the configuration with its path, "" for the root."""
    left = [("", plan.configuration.root_module)]
    while left:
        path, module = left.pop()
        yield path, module
        for name, call in module.module_calls.items():
            if call.module is not None:
                left.append((f"{path}.module.{name}".lstrip("."), call.module))


def _check_form(file: str, plan: Plan) -> None:
    for each in (*plan.resource_changes, *plan.resource_drift):
        change = each.change
        if change.actions not in KNOWN_ACTIONS:
            said = plain(list(change.actions))
            raise unreadable(file, plain(each.address), f"the actions {said} are none that a plan can have")
        if not all(isinstance(one, dict | None) for one in (change.before, change.after)):
            raise unreadable(file, plain(each.address), "what was or will be there is no object")
        if each.mode == "managed" and (change.after is None) != (change.actions in GONE):
            said = plain(list(change.actions))
            raise unreadable(file, plain(each.address), f"{said} and what would be there do not fit")
    names = [(each.address, each.deposed) for each in plan.resource_changes]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise unreadable(file, plain(twice[0]), "it is there twice")


def _check_whole(file: str, plan: Plan) -> None:
    if plan.errored:
        raise not_whole(file, "errored", "planning ended in an error")
    if plan.complete is False or plan.deferred_changes:
        raise not_whole(file, "complete", "something was left out (-target, or deferred to another plan)")
    changed = {each.address for each in plan.managed}
    for each in state_resources((plan.prior_state.values or StateValues()).root_module):
        if each.mode == "managed" and each.address not in changed:
            raise not_whole(file, plain(each.address), "it is in the state, and the plan says nothing of it")
    values = {
        each.address for each in state_resources(plan.planned_values.root_module) if each.mode == "managed"
    }
    planned = {each.address for each in plan.planned}
    for address in sorted(values ^ planned):
        raise unreadable(file, plain(address), "planned_values and resource_changes do not agree on it")


def _json(file: str, data: bytes) -> object:
    if len(data) > MOST_BYTES:
        raise unreadable(file, "size", f"{len(data)} bytes are more than {MOST_BYTES}")
    try:
        return json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=lambda pairs: _object(file, pairs),
            parse_constant=lambda word: _constant(file, word),
        )
    except UnicodeDecodeError as problem:
        raise unreadable(file, f"byte {problem.start}", "it is not UTF-8") from None
    except json.JSONDecodeError as problem:
        place = f"line {problem.lineno}, column {problem.colno}"
        raise unreadable(file, place, f"it is no whole JSON ({problem.msg})") from None
    except (RecursionError, ValueError):
        raise unreadable(file, "JSON", "it is nested too deeply, or has a number of absurd length") from None


def _object(file: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise unreadable(file, "JSON", f"the key '{plain(twice)}' stands twice in one object")
    return found


def _constant(file: str, word: str) -> NoReturn:
    raise unreadable(file, "JSON", f"{word} is no number in JSON")


def _children(value: Any) -> tuple[Any, ...]:
    if isinstance(value, dict):
        return tuple(value.values())
    return tuple(value) if isinstance(value, list) else ()
