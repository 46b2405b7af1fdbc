"""A fingerprint is that of one failure: the same again, and of nothing else or worse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.model.outcome import Outcome
from release_gates.session.fingerprint import fingerprint
from release_gates.session.outcomes import LimitBroken

TEST = "suites/t.py::test_a"


def of(error: BaseException, test: str = TEST) -> str:
    return fingerprint(error, test)


def caused(by: str) -> Exception:
    error = RuntimeError("no engine")
    error.__cause__ = OSError(by)
    return error


def test_the_same_failure_again() -> None:
    one = AssertionError("lost <Order object at 0x7f00aa>\n  in /tmp/pytest-of-ann/pytest-12/x/journal")
    two = AssertionError("lost <Order object at 0x11>  in /tmp/pytest-of-bob/pytest-3/x/journal ")
    assert of(one) == of(two)
    assert len(of(one)) == 32


@pytest.mark.parametrize(
    "other",
    [
        AssertionError("3000 orders are lost"),
        AssertionError("3 orders are lost, and the journal"),
        ValueError("3 orders are lost"),
        caused("refused"),
    ],
)
def test_another_or_worse_failure(other: Exception) -> None:
    known = AssertionError("3 orders are lost")
    assert of(other)
    assert of(other) != of(known) != of(known, "suites/t.py::test_b")


def test_what_caused_it_counts() -> None:
    assert of(caused("refused")) == of(caused("refused")) != of(caused("reset"))


@pytest.mark.parametrize(
    "error",
    [
        ExceptionGroup("two", [ValueError("1"), ValueError("2")]),
        LimitBroken("order.time is 6 ms", Outcome.FAIL),
        pytest.skip.Exception("later"),
        pytest.xfail.Exception("known"),
        pytest.exit.Exception("enough"),
        KeyboardInterrupt(),
        SystemExit(0),
    ],
)
def test_what_no_waiver_can_name(error: BaseException) -> None:
    assert of(error) == ""


@given(st.text(), st.text())
def test_any_text_has_one_and_numbers_are_not_left_out(before: str, after: str) -> None:
    one, two = (of(AssertionError(f"{before} {number} {after}")) for number in (3, 4))
    assert one
    assert one != two
