"""What ``trust.toml`` says of keys and of identities alike: name, roles, environments, days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from release_gates.model.trust import HOLDER_OF, Signatory
from release_gates.policy.mistake import suggestion
from release_gates.policy.table import GATE_NAME, Table, is_name

ROOT = "trusted_root.json"
"""Beside ``trust.toml``: whom sigstore's certificates and logs are believed from."""

NEEDED = ("roles", "valid_from", "valid_until")
KEYS = (*NEEDED, "environments")


def shared(name: str, table: Table, environments: Sequence[str] | None, *, what: str) -> dict[str, Any]:
    """Return what keys and identities both say, every mistake noted; ``what`` is which of them it is."""
    if not is_name(name, GATE_NAME):
        table.mistakes.add(table.at, f"'{name}' is no name of {what}", "trust")
    return {
        "name": name,
        "roles": tuple(_words(table, "roles", tuple(HOLDER_OF))),
        "environments": tuple(_words(table, "environments", environments)),
        "valid_from": table.day("valid_from"),
        "valid_until": table.day("valid_until"),
    }


def refuse_absent(table: Table, needed: Sequence[str], *, what: str) -> None:
    """Note each key that has to be there and is not."""
    for key in needed:
        if key not in table.values:
            table.mistakes.add(table.at.key(key), f"is absent, and every {what} says it", "missing-key")


def check_roles_and_days(made: Signatory, table: Table, *, what: str) -> None:
    """Note a role that only the other kind may have, and days that are none."""
    for role in made.roles:
        if HOLDER_OF[role] != made.holder:
            table.wrong("roles", f"{role} is for {what} of a {HOLDER_OF[role]}", "trust")
    if made.valid_until < made.valid_from:
        table.wrong("valid_until", "lies before valid_from", "trust")


def _words(table: Table, key: str, known: Sequence[str] | None) -> Iterator[str]:
    """Yield each word of a list; an empty one, and a word that nobody knows, are mistakes."""
    value = table.values.get(key)
    if value is None:
        return
    if not isinstance(value, list) or not value:
        table.wrong(key, "must be a list with at least one word in quotes", "trust")
        return
    for word in value:
        if not isinstance(word, str) or (known is not None and word not in known):
            near = suggestion(word, known) if isinstance(word, str) and known else ""
            table.wrong(key, f"does not know {word!r}.{near}", "trust")
        else:
            yield word
