"""``trust.toml``: the public keys and the identities (``policy.identity``) whose signatures count.

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
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar, get_args

from release_gates.errors import TrustError
from release_gates.model.person import is_full_name
from release_gates.model.trust import Holder, Trust, TrustedIdentity, TrustedKey, is_weak
from release_gates.policy.document import read_document
from release_gates.policy.identity import read_identity, read_root
from release_gates.policy.mistake import Mistakes
from release_gates.policy.signatory import KEYS, ROOT, check_roles_and_days, refuse_absent, shared
from release_gates.policy.signatory import NEEDED as ALWAYS
from release_gates.policy.table import Table

FILE = "trust.toml"
MOST_BYTES = 1_000_000
NEEDED = ("public", "holder")
Kind = TypeVar("Kind")


def read_trust(
    snapshot: Mapping[str, str], environments: Sequence[str] | None, mistakes: Mistakes
) -> Trust | None:
    """Return the keys and identities of a snapshot, None where it has no such file; every mistake is noted.

    ``environments`` are the names on the path, None where nobody knows them.
    """
    text = snapshot.get(FILE)
    document = None if text is None else read_document(FILE, text, mistakes)
    if document is None:
        return None
    document.refuse_schema()
    document.refuse_unknown(("schema", "key", "identity"))
    keys = _made(_key(name, table, environments) for name, table in document.tables("key"))
    identities = _made(
        read_identity(name, table, environments) for name, table in document.tables("identity")
    )
    if "key" not in document.values and "identity" not in document.values:
        sentence = "names no key and no identity, so nobody could sign anything"
        document.mistakes.add(document.at, sentence, "trust")
    _refuse_twice(document, keys, identities)
    root = read_root(snapshot, mistakes, needed="identity" in document.values)
    return Trust(keys=keys, identities=identities, trusted_root=root)


def _made(found: Iterable[Kind | None]) -> tuple[Kind, ...]:
    return tuple(each for each in found if each is not None)


def _refuse_twice(document: Table, keys: Sequence[TrustedKey], identities: Sequence[TrustedIdentity]) -> None:
    """Note each key and identity that stands under two names, and each name that stands for two."""

    def table(kind: str, name: str) -> Table:
        return Table(document.values[kind][name], document.at.key(kind, name), document.mistakes)

    for key in keys:
        if sum(key.public == other.public for other in keys) > 1:
            table("key", key.name).wrong("public", "stands twice: one key has one holder", "trust")
    for each in identities:
        if sum(each.proof == other.proof for other in identities) > 1:
            table("identity", each.name).wrong(
                "workflow", "is the same identity as another", "trust-identity"
            )
        if any(each.name == key.name for key in keys):
            document.mistakes.add(table("identity", each.name).at, "has the name of a key", "trust-identity")


def read_keys(path: Path) -> Trust:
    """Return the keys and identities of a file as it stands, with the trusted root beside it.

    ``TrustError`` or ``PolicyError`` says what is wrong.
    """
    mistakes = Mistakes(str(path.parent))
    snapshot = {FILE: _text(path)}
    root = path.parent / ROOT
    if root.exists():
        snapshot[ROOT] = _text(root)
    trust = read_trust(snapshot, None, mistakes)
    mistakes.raise_any()
    return trust or Trust()


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ValueError(f"it is longer than {MOST_BYTES} bytes")
        return data.decode()
    except (OSError, ValueError) as error:
        raise TrustError(
            f"{path}: the public keys cannot be read ({error}).",
            slug="no-trust",
            hint="Name them: --trust FILE.",
        ) from None


def _key(name: str, table: Table, environments: Sequence[str] | None) -> TrustedKey | None:
    before = len(table.mistakes.found)
    table.refuse_unknown((*NEEDED, *KEYS, "person"))
    refuse_absent(table, (*NEEDED, *ALWAYS), what="key")
    values = {
        **shared(name, table, environments, what="a key"),
        "public": _public(table),
        "holder": _holder(table),
        "person": table.text("person") or "",
    }
    if len(table.mistakes.found) > before:
        return None
    made = TrustedKey(**values)
    _check_person(made, table)
    check_roles_and_days(made, table, what="the key")
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


def _check_person(key: TrustedKey, table: Table) -> None:
    """Note a person without a name, and a machine with one."""
    if key.holder == "person" and not is_full_name(key.person):
        sentence = "must be the person's name and e-mail address: Ann Lee <ann@example.org>"
        table.wrong("person", sentence, "trust")
    if key.holder == "machine" and key.person:
        table.wrong("person", "is of a machine's key, and a machine is nobody", "trust")
