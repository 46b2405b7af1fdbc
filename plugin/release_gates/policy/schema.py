"""The JSON schema of ``gates/ENVIRONMENT.toml`` for editors; ``check`` knows more, and decides."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from release_gates.model.outcome import Effect, Mode, Severity
from release_gates.policy.gates import GATE_KEYS, RerunsOnly
from release_gates.policy.limits import RULE_KEYS
from release_gates.policy.settings import settings_names, settings_type
from release_gates.policy.table import GATE_NAME, NAME

UNDESCRIBED = "See the guides."
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def environment_schema() -> dict[str, Any]:
    """Return the schema of one environment's file, with the settings of every probe of this package."""
    kinds = {name: kind for name in settings_names() if (kind := settings_type(name)) is not None}
    settings, parts = msgspec.json.schema_components(kinds.values(), ref_template="#/$defs/{name}")
    gate = {
        "type": "object",
        "properties": {**_gate_properties(), **dict(zip(kinds, settings, strict=True))},
    }
    return {
        "$schema": _DRAFT,
        "title": "gates/<environment>.toml of release-gates",
        "type": "object",
        "properties": {
            "schema": {"const": 1},
            "extends": {"type": "string", "pattern": f"^{NAME}$", "description": "The parent's name."},
            "gate": {
                "type": "object",
                "propertyNames": {"pattern": f"^{GATE_NAME}$"},
                "additionalProperties": gate,
            },
        },
        "required": ["schema"],
        "additionalProperties": False,
        "$defs": {
            name: _closed(_inheriting(part) if name in {kind.__name__ for kind in kinds.values()} else part)
            for name, part in parts.items()
        },
    }


def _inheriting(part: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a probe's settings with nothing required: what is absent may be inherited."""
    return {key: value for key, value in part.items() if key != "required"}


def _closed(part: dict[str, Any]) -> dict[str, Any]:
    """Return a type's schema without room for keys that it does not know, as ``check`` has none."""
    return {**part, "additionalProperties": False} if "properties" in part else part


def gate_keys() -> dict[str, str]:
    """Return each key of a gate with what it means."""
    return {key: str(each["description"]) for key, each in _gate_properties().items()}


def rule_keys() -> dict[str, str]:
    """Return each key of a limit's table with what it means."""
    return {key: str(each["description"]) for key, each in _rule_properties().items()}


def _gate_properties() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {
        "owner": _text("Who is asked when the gate is red."),
        "severity": _word(Severity, "What a bad outcome does: blocking (the default) holds the candidate."),
        "runs_against": _text("The environment that the tests are pointed at; default: the one of the file."),
        "effect": _word(Effect, "What the tests do to it; production accepts read only."),
        "valid_for": _text('How old joined evidence may be: "24 h" by default. Older is MISSING.'),
        "exclusive": {"type": "boolean", "description": "Alone on its host while it runs."},
        "unwaivable": {"type": "boolean", "description": "No waiver covers a failure of this gate."},
        "reruns": {
            "type": "object",
            "properties": {
                "most": {"type": "integer", "minimum": 0},
                "only": _word(RerunsOnly, "Which failures may be run again."),
            },
            "required": ["most"],
            "additionalProperties": False,
            "description": "How many reruns are tolerated; green is WARN then.",
        },
        "mode": _word(Mode, "observe: everything is judged, and nothing is held."),
        "observe_until": {"description": "The last such day (UTC): a date without quotes."},
        "select": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Patterns of existing tests that belong to the gate without a mark.",
        },
        "matrix": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
            "description": "Axes and their values; every cell has to be measured.",
        },
        "limits": {
            "type": "object",
            "additionalProperties": {
                "anyOf": [
                    {"type": "string"},
                    {"type": "object", "properties": _rule_properties(), "additionalProperties": False},
                ]
            },
            "description": 'What measurements must keep: "name" = "<= 500 ms", or a table.',
        },
    }
    return {key: found.get(key, {"description": UNDESCRIBED}) for key in GATE_KEYS}


def _rule_properties() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {
        "limit": _text('Broken is FAIL: "<= 500 ms", "0 .. 5 %", "± 1 %".'),
        "target": _text("Missed is WARN."),
        "baseline": _text('The change against what is live: ">= -10 %", "± 1 pp".'),
        "min_samples": {"type": "integer", "minimum": 1, "description": "Fewer is INCONCLUSIVE."},
        "abort": {"type": "boolean", "description": "Ends a run of load as soon as its limit is broken."},
    }
    return {key: found.get(key, {"description": UNDESCRIBED}) for key in RULE_KEYS}


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "description": description}


def _word(kind: type[StrEnum], description: str) -> dict[str, Any]:
    return {"enum": [str(word) for word in kind], "description": description}
