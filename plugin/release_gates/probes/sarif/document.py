"""The part of SARIF 2.1.0 that is read: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal, NoReturn

import msgspec

from release_gates.errors import MeasurementError
from release_gates.model.foreign import plain
from release_gates.probes.sarif.faults import not_run, unreadable

VERSION = "2.1.0"

Level = Literal["none", "note", "warning", "error"]
Kind = Literal["notApplicable", "pass", "fail", "review", "open", "informational"]
Index = Annotated[int, msgspec.Meta(ge=-1)]


class _Object(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of all objects of the format; keys that are not read are left alone."""


class Message(_Object, frozen=True):
    """A text, or the id of one that the rule has."""

    text: str = ""
    id: str = ""
    markdown: str = ""


class ComponentReference(_Object, frozen=True):
    """Which part of the tool a rule belongs to; -1 and "" stand for the driver."""

    index: Index = -1
    name: str = ""
    guid: str = ""


class RuleReference(_Object, frozen=True):
    """Which rule is meant, by id, by index, by GUID, or by several of them."""

    id: str | None = None
    index: Index = -1
    guid: str = ""
    tool_component: ComponentReference = ComponentReference()


class RuleConfiguration(_Object, frozen=True):
    """How a rule is set; None where nothing is said."""

    level: Level | None = None


class Override(_Object, frozen=True):
    """How one run sets one rule."""

    descriptor: RuleReference
    configuration: RuleConfiguration


class Rule(_Object, frozen=True):
    """One rule of the tool, or one kind of notification."""

    id: str
    guid: str = ""
    short_description: Message = Message()
    help: Message = Message()
    help_uri: str = ""
    default_configuration: RuleConfiguration = RuleConfiguration()
    message_strings: dict[str, Message] = {}
    properties: dict[str, Any] = {}


class Component(_Object, frozen=True):
    """The driver of a tool, or one of its extensions."""

    name: str = ""
    version: str | None = None
    guid: str = ""
    rules: tuple[Rule, ...] = ()
    notifications: tuple[Rule, ...] = ()


class Tool(_Object, frozen=True):
    """What analysed."""

    driver: Component | None = None
    extensions: tuple[Component, ...] = ()


class ArtifactLocation(_Object, frozen=True):
    """Where a file is: a URI, absolute or relative to a base, or an index into the run's artifacts."""

    uri: str = ""
    uri_base_id: str = ""
    index: Index = -1


class Content(_Object, frozen=True):
    """A piece of a file."""

    text: str = ""


class Region(_Object, frozen=True):
    """Some lines of a file; 0 where no line is named."""

    start_line: Annotated[int, msgspec.Meta(ge=0)] = 0
    end_line: Annotated[int, msgspec.Meta(ge=0)] = 0
    snippet: Content = Content()


class PhysicalLocation(_Object, frozen=True):
    """A place in a file."""

    artifact_location: ArtifactLocation = ArtifactLocation()
    region: Region = Region()
    context_region: Region = Region()


class Location(_Object, frozen=True):
    """Where a result is."""

    physical_location: PhysicalLocation = PhysicalLocation()


class Suppression(_Object, frozen=True):
    """Why somebody does not want to see a result."""

    kind: Literal["inSource", "external"]
    status: Literal["accepted", "underReview", "rejected"] | None = None
    justification: str = ""


class Change(_Object, frozen=True):
    """A change that would mend a result."""

    description: Message = Message()


class Provenance(_Object, frozen=True):
    """Where a result comes from."""

    invocation_index: Index = -1
    first_detection_time_utc: datetime | None = None


class Result(_Object, frozen=True):
    """One thing that the tool found, or says that it did not find."""

    rule_id: str | None = None
    rule_index: Index = -1
    rule: RuleReference = RuleReference()
    kind: Kind = "fail"
    level: Level | None = None
    message: Message = Message()
    locations: tuple[Location, ...] = ()
    suppressions: tuple[Suppression, ...] | None = None
    partial_fingerprints: dict[str, str] = {}
    baseline_state: Literal["new", "unchanged", "updated", "absent"] | None = None
    fixes: tuple[Change, ...] = ()
    provenance: Provenance = Provenance()
    properties: dict[str, Any] = {}


class Notification(_Object, frozen=True):
    """What the tool says of its own run; without a level, that of its descriptor applies."""

    descriptor: RuleReference = RuleReference()
    level: Level | None = None
    message: Message = Message()


class Invocation(_Object, frozen=True):
    """One call of the tool."""

    execution_successful: bool
    exit_signal_name: str | None = None
    exit_signal_number: int | None = None
    process_start_failure_message: str | None = None
    tool_execution_notifications: tuple[Notification, ...] = ()
    tool_configuration_notifications: tuple[Notification, ...] = ()
    rule_configuration_overrides: tuple[Override, ...] = ()
    end_time_utc: datetime | None = None


class Conversion(_Object, frozen=True):
    """How another tool made SARIF of this tool's own format."""

    invocation: Invocation | None = None


class VersionControl(_Object, frozen=True):
    """Which revision was analysed."""

    repository_uri: str = ""
    revision_id: str | None = None


class Artifact(_Object, frozen=True):
    """A file that was analysed."""

    location: ArtifactLocation = ArtifactLocation()
    hashes: dict[str, str] = {}


class ToolRun(_Object, frozen=True):
    """One run of one tool; ``results`` is None when it has none, which is not the same as no finding."""

    tool: Tool | None = None
    results: tuple[Result, ...] | None = None
    invocations: tuple[Invocation, ...] = ()
    conversion: Conversion | None = None
    artifacts: tuple[Artifact, ...] = ()
    original_uri_base_ids: dict[str, ArtifactLocation] = {}
    version_control_provenance: tuple[VersionControl, ...] = ()
    baseline_guid: str | None = None
    external_property_file_references: dict[str, Any] = {}


class Log(_Object, frozen=True):
    """One SARIF file."""

    runs: tuple[ToolRun, ...] | None = None
    inline_external_properties: tuple[Any, ...] = ()


def read_log(file: str, data: bytes) -> Log:
    """Return the log in a file's content; ``file`` is how messages name it.

    Raises MeasurementError (``sarif-unreadable``) for what is not UTF-8, no whole JSON, has NaN or one key
    twice (readers would disagree on which counts), is not SARIF 2.1.0, or has a value of a wrong type; and
    ``sarif-not-run`` for a log without runs, or with parts in other files.
    """
    document = _json(file, data)
    if not isinstance(document, dict):
        raise unreadable(file, "$", "it is no JSON object, so it is not SARIF")
    if document.get("version") != VERSION:
        said = plain(repr(document.get("version")))
        raise unreadable(file, "$.version", f"is {said}, and this reads SARIF '{VERSION}' only")
    try:
        log = msgspec.convert(document, Log, strict=True)
    except (msgspec.ValidationError, RecursionError, ValueError) as problem:
        raise unreadable(file, "JSON", plain(str(problem), 300)) from problem
    if not log.runs:
        raise not_run(file, "$.runs", "it holds no run of any tool, so nothing was analysed")
    if log.inline_external_properties:
        raise not_run(file, "$.inlineExternalProperties", "results of other files are not put together here")
    return log


def _json(file: str, data: bytes) -> object:
    try:
        return json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=lambda pairs: _object(file, pairs),
            parse_constant=lambda word: _constant(file, word),
        )
    except UnicodeDecodeError as problem:
        raise unreadable(file, f"byte {problem.start}", "it is not UTF-8") from problem
    except json.JSONDecodeError as problem:
        place = f"line {problem.lineno}, column {problem.colno}"
        raise unreadable(file, place, f"it is no whole JSON ({problem.msg})") from problem
    except (RecursionError, ValueError) as problem:
        raise unreadable(
            file, "JSON", "it is nested too deeply, or has a number of absurd length"
        ) from problem


def _object(file: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object without its nulls, which SARIF writers put where they mean nothing; no key twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _twice(file, twice)
    return {name: value for name, value in found.items() if value is not None}


def _twice(file: str, name: str) -> MeasurementError:
    return unreadable(file, "JSON", f"the key '{plain(name)}' stands twice in one object")


def _constant(file: str, word: str) -> NoReturn:
    raise unreadable(file, "JSON", f"{word} is no number in JSON")
