"""How a run ended, known from pytest's hooks and never from a number alone."""

from __future__ import annotations

import pytest

from release_gates.session.outcomes import report_sentence, sentence

NOT_PROVEN = 10
"""Exit status of HOLD (not proven)."""


class Ending:
    """Collects every sentence that says that pytest did not simply run to its end."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def collected(self, report: pytest.CollectReport) -> None:
        """Note a failed collection."""
        if report.failed:
            self._add(f"{report.nodeid or 'collection'} could not be collected: {report_sentence(report)}")

    def interrupted(self, excinfo: pytest.ExceptionInfo[BaseException], *, enough: bool = False) -> None:
        """Note a signal, ``pytest.exit`` by anyone, or that ``enough`` tests have failed for ``-x``."""
        if enough:
            self._add(f"pytest stopped early: {excinfo.value}")
        elif isinstance(excinfo.value, pytest.exit.Exception):
            self._add(f"somebody ended pytest early: {excinfo.value.msg}")
        else:
            self._add(f"the run was interrupted ({sentence(excinfo.value)})")

    def refused(self, error: pytest.UsageError) -> None:
        """Note that the tests, or the call, do not fit the policy; the first sentence stands for all."""
        self._add(str(error.args[0]) if error.args else "pytest was called wrongly")

    def broke(self, excrepr: object) -> None:
        """Note an internal error."""
        lines = [line for line in str(excrepr).splitlines() if line.strip()]
        self._add(f"pytest or a plugin broke: {lines[-1].strip() if lines else 'internal error'}")

    def raised(self, error: BaseException) -> None:
        """Note what another plugin raised while the session finished."""
        self._add(f"a plugin ended the session: {sentence(error)}")

    def counted(self, session: pytest.Session, ours: int) -> None:
        """Compare what pytest counted with what we counted."""
        stopped = session.shouldfail or session.shouldstop
        if stopped and not self.problems:
            self._add(f"pytest stopped early: {stopped}")
        strangers = self.strangers(session, ours)
        if strangers > 0 and not self.problems:
            noun = "failure belongs" if strangers == 1 else "failures belong"
            self._add(
                f"{strangers} {noun} to no gate of this entry (another test, or a plugin such as pytest-cov)"
            )
        status = int(session.exitstatus)
        if status > 1 and not self.problems:
            self._add(f"pytest ended with exit status {status} ({_word(status)})")

    def strangers(self, session: pytest.Session, ours: int) -> int:
        """Return how many failures that pytest counted belong to no gate of this entry."""
        return session.testsfailed - ours

    def _add(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


def enough_failed(session: pytest.Session, error: BaseException) -> bool:
    """Tell whether this is ``-x`` or ``--maxfail`` under xdist, which ends the session as Ctrl-C does.

    Without xdist it is a session that ended with failures.
    """
    maxfail = session.config.getoption("maxfail")
    from_xdist = type(error).__module__ == "xdist.dsession" and str(error).startswith("stopping after ")
    return from_xdist and 0 < maxfail <= session.testsfailed


def _word(status: int) -> str:
    try:
        return pytest.ExitCode(status).name.lower().replace("_", " ")
    except ValueError:
        return "set by a plugin"
