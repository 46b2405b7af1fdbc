"""What the value of an attribute has to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from release_gates.probes.terraform.settings import TerraformSettings


@dataclass(frozen=True, slots=True)
class Want:
    """What a value has to be; ``holds`` tells, ``unset`` whether the provider's own default is as good."""

    text: str
    holds: Callable[[Any, TerraformSettings], bool]
    unset: bool = False


Rows = dict[str, tuple[tuple[tuple[str, ...], str, Want], ...]]
"""Rule -> types, the place in them, and what has to be there."""


def one_of(*words: str) -> Want:
    """Return the want of one of some words."""
    return Want(" or ".join(f'"{word}"' for word in words), lambda value, _: value in words)


ON = Want("true", lambda value, _: value in (True, "true"))
OFF = Want("false", lambda value, _: value in (False, "false"), unset=True)
CLOSED = Want(OFF.text, OFF.holds)
"""``OFF`` of an attribute that is on where nobody says anything."""
SET = Want("set", lambda value, _: isinstance(value, str) and value != "")
KEPT = Want(
    "as many days as `backup_days` or more",
    lambda value, settings: (
        isinstance(value, int) and not isinstance(value, bool) and value >= settings.backup_days
    ),
)
