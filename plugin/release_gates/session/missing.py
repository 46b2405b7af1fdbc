"""Reports for tests that were expected and never ran: pytest, JUnit and the summary show them as failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest

from release_gates.model.gate import EnvironmentPolicy

MOST_NAMED = 20
"""So many missing tests of one gate get a report each; one more report counts the rest."""


def missing_reports(
    environment: EnvironmentPolicy, expected: Mapping[str, Sequence[str]], ran: set[str]
) -> Iterator[pytest.TestReport]:
    """Return a failed report for each expected test of the environment that is not in ``ran``."""
    for gate in environment.gates:
        file = f"gates/expected/{gate.name}.txt"
        absent = [test for test in expected.get(gate.name, ()) if test not in ran]
        for test in absent[:MOST_NAMED]:
            yield _failed(test, f"MISSING: {file} expects this test; it did not run")
        if rest := absent[MOST_NAMED:]:
            yield _failed(
                file, f"MISSING: {len(rest)} more expected tests did not run, {rest[0]} to {rest[-1]}"
            )


def _failed(nodeid: str, sentence: str) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=nodeid,
        location=(nodeid.partition("::")[0], None, nodeid),
        keywords={},
        outcome="failed",
        longrepr=sentence,
        when="call",
    )
