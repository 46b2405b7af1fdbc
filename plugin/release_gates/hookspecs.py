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

    For reports and notifications: nothing that happens here changes the verdict.
    """


def pytest_gate_part_measured(config: pytest.Config, evidence: Path) -> None:
    """Take note that ``--gate-part`` wrote its evidence; nothing was decided."""
