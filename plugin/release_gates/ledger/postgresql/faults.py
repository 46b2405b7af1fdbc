"""What PostgreSQL could not do, in words that help."""

from __future__ import annotations

from release_gates.errors import LedgerError

MOST = 300
"""So many characters of the server's own words are repeated."""

Fault = tuple[str, str, str]
"""Sentence, slug, hint."""

_LOST = ("it cannot be reached", "ledger-unreachable", "Check the server, the network, user and password.")
_BUSY = (
    "another writer kept it locked for too long",
    "ledger-busy",
    "See who holds it (SELECT * FROM pg_stat_activity WHERE state <> 'idle'), and run again.",
)

_DAMAGED = ("its files are damaged", "ledger-damaged", "Bring the ledger back from its backup.")

# By the beginning of SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_FAULTS: dict[str, Fault] = {
    "08": _LOST,
    "25006": (
        "it cannot be written",
        "ledger-read-only",
        "Name the primary server, and let this role and database write (default_transaction_read_only).",
    ),
    "28": _LOST,
    "40P01": _BUSY,
    "42501": (
        "this role lacks a right",
        "ledger-denied",
        "The owner gives it: release-gates ledger init URL --writer ROLE.",
    ),
    "53100": ("there is no room left on its disk", "ledger-disk-full", "Make room and run again."),
    "53300": _LOST,
    "55P03": _BUSY,
    "57014": _BUSY,
    "57P": _LOST,
    "XX001": _DAMAGED,
    "XX002": _DAMAGED,
}


def ledger_fault(place: str, error: Exception, *, secret: str = "") -> LedgerError:
    """Return the ``LedgerError`` for what SQLAlchemy or the driver said of the ledger at ``place``."""
    cause = getattr(error, "orig", None) or error
    words, found = _words(cause, secret), _fault_of(cause)
    if found is None:
        return LedgerError(
            f"{place}: {words}.",
            slug="ledger-unusable",
            hint="Check the server's log, and the ledger (`release-gates verify`).",
        )
    sentence, slug, hint = found
    return LedgerError(f"{place}: {sentence} ({words}).", slug=slug, hint=hint)


def _fault_of(cause: BaseException) -> Fault | None:
    state = getattr(cause, "sqlstate", None)
    if state is None:  # libpq itself: no answer, refused, cut off; or the driver refuses something
        return _LOST if type(cause).__name__ in {"OperationalError", "InterfaceError"} else None
    return next((_FAULTS[state[:length]] for length in (5, 3, 2) if state[:length] in _FAULTS), None)


def _words(cause: BaseException, secret: str) -> str:
    """Return the first sentence of an error on one line, printable, without the password."""
    primary = getattr(getattr(cause, "diag", None), "message_primary", None)
    text = " ".join(str(primary or cause).split()) or type(cause).__name__
    text = "".join(character if character.isprintable() else "?" for character in text)
    if secret:
        text = text.replace(secret, "***")
    return text[:MOST].rstrip(".")
