"""Where a ledger's database is, and how that is told without its password."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from release_gates.errors import LedgerError

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine import URL

SCHEME = "postgresql"

# A server that vanished without a word is noticed within a minute, at any step.
_PATIENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 50_000,
    "application_name": "release-gates",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A parsed URL. ``shown`` is all that messages may say of it: no password, none of its options."""

    url: URL = field(repr=False)
    shown: str


def address_of(text: str) -> Address:
    """Return the address that a URL names; ``LedgerError``, which repeats nothing of it, if it names none."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise _malformed("it is no URL") from None
    # What a password with an unescaped @ or / spills into the other parts must not be shown either.
    for name, part in (("host", url.host), ("database", url.database), ("user", url.username)):
        if part and re.search(r"[@/\s:]", part):
            raise _malformed(f"its {name} has a character that has to be written as %XX")
    if not url.database:
        raise _malformed("it names no database")
    user = f"{url.username}@" if url.username else ""
    port = f":{url.port}" if url.port else ""
    return Address(
        url=url.set(drivername="postgresql+psycopg"),
        shown=f"{SCHEME}://{user}{url.host or ''}{port}/{url.database}",
    )


def engine_of(address: Address) -> Engine:
    """Return an engine that makes a connection for each use, so that none is stale when it counts."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    given = address.url.query
    return create_engine(
        address.url,
        poolclass=NullPool,
        isolation_level="READ COMMITTED",
        hide_parameters=True,
        connect_args={
            "client_encoding": "utf8",
            "prepare_threshold": None,  # a pooler in between may give each transaction another server process
            **{name: value for name, value in _PATIENCE.items() if name not in given},
        },
    )


def check_packages() -> None:
    """Raise ``LedgerError`` with the command that installs what the store needs, if it is absent."""
    try:
        import psycopg  # noqa: F401
        import sqlalchemy  # noqa: F401
    except ImportError as error:
        raise LedgerError(
            f"a ledger in PostgreSQL needs a package that is not there ({error}).",
            slug="ledger-package",
            hint="pip install 'pytest-release-gates[ledger]'",
        ) from error


def _malformed(why: str) -> LedgerError:
    return LedgerError(
        f"the ledger's address cannot be read: {why}.",
        slug="ledger-address",
        hint="Write postgresql://user@host:5432/database, with special characters as %XX; "
        "its password is best kept in ~/.pgpass or PGPASSWORD.",
    )
