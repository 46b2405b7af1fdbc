"""From what pytest reports to what we record: the outcome of an attempt, in a sentence."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import msgspec
import pytest

from release_gates.model.measurement import Attachment, Measurement
from release_gates.model.outcome import Outcome
from release_gates.model.quiet import Quiet
from release_gates.model.record import Record

PROPERTY = "release_gates"
"""Name of the user property in which an attempt travels from the test to the controller."""

QUIET_PROPERTY = "release_gates_quiet"
"""Name of the user property that says how an exclusive test waited for a quiet host."""

GATE_PROPERTY = "gate"
"""Name of the user property that says to which gate a test belongs."""


class LimitBroken(pytest.fail.Exception):  # type: ignore[name-defined,misc]  # a class, to pytest
    """The test did its work; what it measured does not hold. ``outcome`` is FAIL or INCONCLUSIVE."""

    def __init__(self, message: str, outcome: Outcome) -> None:
        super().__init__(message, pytrace=False)
        self.outcome = outcome

    __module__ = "builtins"  # so that summaries say LimitBroken, as pytest does for its own Failed


class Attempt(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One call of a test as it travels in ``user_properties``.

    ``outcome`` is the test's own, without limits; ``judged`` includes the limits of the environment, and
    ``broken`` says that one does not hold, both whether it is waived or not. ``fingerprint`` is that of its
    own failure. ``waived`` is what pytest was told instead of a failure: then an expected failure is ours.
    """

    outcome: Outcome = Outcome.PASS
    judged: Outcome = Outcome.PASS
    because: str = ""
    network: bool = False
    broken: bool = False
    fingerprint: str = ""
    waived: str = ""
    measurements: tuple[Measurement, ...] = ()
    attachments: tuple[Attachment, ...] = ()


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Attempt).decode


def to_property(attempt: Attempt) -> tuple[str, str]:
    """Return the user property that carries an attempt (plain text, so that xdist and JUnit take it)."""
    return PROPERTY, _encode(attempt).decode()


def attempts(properties: list[tuple[str, object]]) -> list[Attempt]:
    """Return the attempts that a report carries, oldest first."""
    return [_decode(str(value)) for name, value in properties if name == PROPERTY]


def quiet_property(quiet: Quiet) -> tuple[str, str]:
    """Return the user property that carries a wait for a quiet host."""
    return QUIET_PROPERTY, msgspec.json.encode(quiet).decode()


def quiet_of(properties: list[tuple[str, object]]) -> Quiet | None:
    """Return the wait for a quiet host that a report carries, or None."""
    found = (value for name, value in properties if name == QUIET_PROPERTY)
    text = next(found, None)
    return None if text is None else msgspec.json.decode(str(text), type=Quiet)


def classify(error: BaseException) -> Outcome:
    """Return what an exception out of a test's call means.

    A failed assertion is *measured and bad*; a skip or expected failure proves nothing; everything else
    is *could not measure*.
    """
    if isinstance(error, LimitBroken):
        return error.outcome
    if isinstance(error, (pytest.skip.Exception, pytest.xfail.Exception)):
        return Outcome.INCONCLUSIVE
    if isinstance(error, (AssertionError, pytest.fail.Exception)):
        return Outcome.FAIL
    return Outcome.ERROR


def sentence(error: BaseException) -> str:
    """Return an exception as one line."""
    text = str(error).strip()
    first = text.splitlines()[0] if text else ""
    if isinstance(error, (AssertionError, pytest.fail.Exception)):
        return first or "assertion failed"
    name = type(error).__name__
    if isinstance(error, pytest.skip.Exception):
        name = "skipped"
    elif isinstance(error, pytest.xfail.Exception):
        name = "expected to fail"
    return f"{name}: {first}" if first else name


def is_network(error: BaseException) -> bool:
    """Tell whether an exception, or what caused it, came from the network."""
    return any(isinstance(cause, (ConnectionError, TimeoutError, socket.gaierror)) for cause in causes(error))


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception, then what caused it or was being handled when it came, and so on."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def report_sentence(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return the last telling line of a report's representation."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        return str(crash.message).splitlines()[0] if crash.message else "failed"
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2])
    lines = [line for line in str(report.longrepr or "").splitlines() if line.strip()]
    marked = [line.removeprefix("E").strip() for line in lines if line.startswith("E  ")]
    return (marked or [line.strip() for line in lines[-1:]] or ["failed"])[0]
