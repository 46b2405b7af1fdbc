"""Hooks that a conftest or a plugin may implement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from release_gates.model.evidence import TestRecord
    from release_gates.model.verdict import Verdict


def pytest_gate_recorded(config: pytest.Config, record: TestRecord) -> None:
    """Take note of one finished gate test, as it went into the evidence.

    Called in the process that decides (never in an xdist worker), only while an environment is decided.
    """


def pytest_gate_decided(config: pytest.Config, verdict: Verdict, head: str) -> None:
    """Take note of the verdict after it was committed; ``head`` is the ledger's digest with it.

    For reports and notifications. What an implementation returns changes nothing; one that raises takes a
    PROMOTE back, as nobody knows then who was told what: catch what may fail without harm.
    """


def pytest_gate_taken_back(config: pytest.Config, verdict: Verdict, reason: str, head: str) -> None:
    """Take note that the run was invalidated after its verdict; it counts for nothing.

    Something broke, or changed pytest's exit status, when everything was decided already. ``verdict`` is how
    it reads now: HOLD, with ``reason`` among its reasons; the ledger keeps what was decided beside it, and
    ``head`` is its digest with both. Not everybody may have heard ``pytest_gate_decided`` before.
    """


def pytest_gate_part_measured(config: pytest.Config, evidence: Path) -> None:
    """Take note that ``--gate-part`` wrote its evidence; nothing was decided."""
