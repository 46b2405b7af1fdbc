from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from release_gates.probes.sarif.completeness import check_run
from release_gates.probes.sarif.document import read_log
from release_gates.probes.sarif.findings import Finding, findings_of
from release_gates.probes.sarif.places import Places

SOURCE = {"src/a.py": ["import os", "", "eval(x)", "eval(x)"]}


def document(*runs: dict[str, Any], **said: Any) -> bytes:
    return json.dumps({"version": "2.1.0", "runs": list(runs), **said}).encode()


def tool_run(*results: dict[str, Any], rules: list[Any] | None = None, **said: Any) -> dict[str, Any]:
    driver = {"name": "scan", "rules": rules or []}
    return {"tool": {"driver": driver}, "results": list(results), **said}


def result(rule: str | None = "R1", line: int = 3, **said: Any) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": "src/a.py"}, "region": {"startLine": line}}
    return {"ruleId": rule, "message": {"text": "Bad."}, "locations": [{"physicalLocation": place}], **said}


def read(data: bytes) -> list[Finding]:
    found = []
    for run in read_log("f.sarif", data).runs or ():
        tool = check_run(run, file="f.sarif", place="$.runs[0]")
        places = Places(run, "/root")
        found += findings_of(run, tool, places, SOURCE.get, file="f.sarif", place="$.runs[0]")
    return found


@pytest.fixture
def analysed() -> Callable[..., list[Finding]]:
    """Return what a log with one run of these results finds."""

    def findings(*results: dict[str, Any], **said: Any) -> list[Finding]:
        return read(document(tool_run(*results, **said)))

    return findings
