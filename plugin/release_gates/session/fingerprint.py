"""The fingerprint of a failure: what a waiver of a test names, so that it covers no other failure."""

from __future__ import annotations

import re

import pytest

from release_gates.model.record import digest
from release_gates.session.outcomes import LimitBroken, causes

DIGITS = 32
_CHANGING = (
    (re.compile(r"\b0x[0-9a-fA-F]+\b"), "0x…"),
    (re.compile(r"\bpytest-of-[^/\s]+/pytest-[0-9]+/"), "pytest-…/"),
    (re.compile(r"\s+"), " "),
)
"""What differs between two runs of one failure: addresses, pytest's temporary folders, blanks. No number
else: three lost orders are not three thousand."""

_NO_FAILURE = (BaseExceptionGroup, LimitBroken, pytest.xfail.Exception, pytest.exit.Exception)


def fingerprint(error: BaseException, test: str) -> str:
    """Return 32 hexadecimal digits over a failure's type, message and causes, and the test's id.

    "" for what is no single failure of the test: a skip, an exit, a broken limit, a group of exceptions.
    """
    if not isinstance(error, (Exception, pytest.fail.Exception)):
        return ""
    chain = list(causes(error))
    if any(isinstance(each, _NO_FAILURE) for each in chain):
        return ""
    return digest([test, *([_kind(each), _normal(str(each))] for each in chain)])[:DIGITS]


def _kind(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _normal(message: str) -> str:
    for pattern, instead in _CHANGING:
        message = pattern.sub(instead, message)
    return message.strip().encode("utf-8", "backslashreplace").decode()
