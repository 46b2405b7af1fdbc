"""``trust.toml``: the public keys whose signatures count.

::

    [key.ci]
    public      = "64 hexadecimal digits"       # as `release-gates keygen` prints it
    holder      = "machine"
    roles       = ["evidence", "verdict"]
    valid_from  = 2026-11-01
    valid_until = 2027-10-31                    # the last day
    environments = ["staging"]                  # default: all

    [key.ann]
    public      = "64 hexadecimal digits"
    holder      = "person"
    person      = "Ann Lee <ann@example.org>"
    roles       = ["rules"]
    valid_from  = 2026-11-01
    valid_until = 2027-10-31
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

from release_gates.errors import TrustError
from release_gates.model.person import is_full_name
from release_gates.model.trust import HOLDER_OF, Holder, Trust, TrustedKey, is_weak
from release_gates.policy.document import read_document
from release_gates.policy.mistake import Mistakes, suggestion
from release_gates.policy.table import GATE_NAME, Table, is_name

FILE = "trust.toml"
MOST_BYTES = 1_000_000
NEEDED = ("public", "holder", "roles", "valid_from", "valid_until")
KEYS = (*NEEDED, "person", "environments")


def read_trust(
    snapshot: Mapping[str, str], environments: Sequence[str] | None, mistakes: Mistakes
) -> Trust | None:
    """Return the keys of a snapshot, None where it has no such file; every mistake is noted.

    ``environments`` are the names on the path, None where nobody knows them.
    """
    text = snapshot.get(FILE)
    document = None if text is None else read_document(FILE, text, mistakes)
    if document is None:
        return None
    document.refuse_schema()
    document.refuse_unknown(("schema", "key", "identity"))
    _refuse_identities(document)
    found = [_key(name, table, environments) for name, table in document.tables("key")]
    keys = tuple(key for key in found if key is not None)
    if not found and "key" not in document.values:
        document.mistakes.add(document.at, "names no key, so nobody could sign anything", "trust")
    for key in keys:
        if sum(key.public == other.public for other in keys) > 1:
            table = Table(document.values["key"][key.name], document.at.key("key", key.name), mistakes)
            table.wrong("public", "stands twice: one key has one holder", "trust")
    return Trust(keys=keys)


def read_keys(path: Path) -> Trust:
    """Return the public keys of a file as it stands; ``TrustError`` or ``PolicyError`` says what is wrong."""
    mistakes = Mistakes(str(path.parent))
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ValueError(f"it is longer than {MOST_BYTES} bytes")
        text = data.decode()
    except (OSError, ValueError) as error:
        raise TrustError(
            f"{path}: the public keys cannot be read ({error}).",
            slug="no-trust",
            hint="Name them: --trust FILE.",
        ) from None
    trust = read_trust({FILE: text}, None, mistakes)
    mistakes.raise_any()
    return trust or Trust()


def _refuse_identities(document: Table) -> None:
    for _, table in document.tables("identity"):
        sentence = (
            "is an identity of a workflow (OIDC), and this version verifies public keys only. Name a key"
        )
        document.mistakes.add(table.at, sentence, "trust-identity")


def _key(name: str, table: Table, environments: Sequence[str] | None) -> TrustedKey | None:
    before = len(table.mistakes.found)
    table.refuse_unknown(KEYS)
    for key in NEEDED:
        if key not in table.values:
            table.mistakes.add(table.at.key(key), "is absent, and every key says it", "missing-key")
    if not is_name(name, GATE_NAME):
        table.mistakes.add(table.at, f"'{name}' is no name of a key", "trust")
    values = {
        "public": _public(table),
        "holder": _holder(table),
        "roles": tuple(_words(table, "roles", tuple(HOLDER_OF))),
        "person": table.text("person") or "",
        "environments": tuple(_words(table, "environments", environments)),
        "valid_from": table.day("valid_from"),
        "valid_until": table.day("valid_until"),
    }
    if len(table.mistakes.found) > before:
        return None
    made = TrustedKey(name=name, **values)  # type: ignore[arg-type]
    _check_holder(made, table)
    if made.valid_until < made.valid_from:
        table.wrong("valid_until", "lies before valid_from", "trust")
    return made


def _public(table: Table) -> str:
    text = table.text("public") or ""
    if "public" in table.values and re.fullmatch(r"[0-9a-f]{64}", text) is None:
        table.wrong("public", "must be 64 hexadecimal digits, as `release-gates keygen` prints them", "trust")
    elif text and is_weak(text):
        table.wrong(
            "public", "is a key that anybody can sign by. `release-gates keygen` makes a good one", "trust"
        )
    return text


def _holder(table: Table) -> str:
    text = table.text("holder") or ""
    if "holder" in table.values and text not in get_args(Holder):
        table.wrong("holder", "must be machine or person", "trust")
    return text


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


def _check_holder(key: TrustedKey, table: Table) -> None:
    """Note a person without a name, a machine with one, and a role that only the other kind may have."""
    if key.holder == "person" and not is_full_name(key.person):
        sentence = "must be the person's name and e-mail address: Ann Lee <ann@example.org>"
        table.wrong("person", sentence, "trust")
    if key.holder == "machine" and key.person:
        table.wrong("person", "is of a machine's key, and a machine is nobody", "trust")
    for role in key.roles:
        if HOLDER_OF[role] != key.holder:
            table.wrong("roles", f"{role} is for the key of a {HOLDER_OF[role]}", "trust")
