"""What the real checkov said, a stand-in that says it again, and a gate that keeps what it is told."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from release_gates.errors import CandidateError
from release_gates.probes.checkov.assessment import GateCheckov, Scans

DATA = Path(__file__).with_name("data")
NOW = datetime(2026, 11, 21, tzinfo=UTC)
BUCKET = """resource "aws_s3_bucket" "snapshots" {
  #checkov:skip=CKV_AWS_18:nobody reads the log
  bucket = "snapshots"
}
"""
TERRAFORM = {"framework": "terraform", "folder": "infra"}
KUBERNETES = {"framework": "kubernetes", "artifact": "kubernetes.yaml"}
Edit = Callable[[dict[str, Any]], None]


def recorded(name: str, *edits: Edit) -> bytes:
    """Return what checkov 3.3.30 wrote of a scan, with something changed."""
    document = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    for edit in edits:
        edit(document)
    return json.dumps(document).encode()


def twice(name: str) -> Edit:
    """Return what repeats a check of a list, as a report that was joined wrongly would."""
    return lambda report: report["results"][name].append(copy.deepcopy(report["results"][name][0]))


class StandIn:
    """The fixture ``gate``; it keeps what is told."""

    def __init__(self, root: Path, **said: Any) -> None:
        self.rootdir = root
        self.candidate = self
        self.told: dict[str, Any] = {}
        self._said = {"program": "./checkov", "scans": [TERRAFORM], **said}
        (root / "infra").mkdir(parents=True, exist_ok=True)
        (root / "infra/main.tf").write_text(BUCKET, encoding="utf-8")

    def artifact(self, name: str) -> Path:
        if not (self.rootdir / name).exists():
            raise CandidateError(f"no artifact {name}.", slug="unknown-artifact")
        return self.rootdir / name

    def settings(self, kind: type[Any]) -> Any:
        return msgspec.convert(self._said, kind)

    def measure(self, name: str, value: float, unit: str, *, samples: int | None = None) -> None:
        assert samples, "nothing was looked at"
        assert unit == "count"
        self.told[name] = value

    def missing(self, name: str, because: str) -> None:
        self.told[name] = f"MISSING {because}"


def says(root: Path, output: bytes, *, status: int = 1, errors: str = "", first: str = "") -> Path:
    """Write a stand-in for the program: it says what was recorded, and ends as the real one did."""
    (root / "output").write_bytes(output)
    program = root / "checkov"
    program.write_text(
        f"#!/bin/sh\n{first}\ncat '{root / 'output'}'\nprintf '%s' '{errors}' >&2\nexit {status}\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    return program


def looked(root: Path, **said: Any) -> tuple[GateCheckov, StandIn]:
    """Return the fixture's object over a project of one bucket."""
    gate = StandIn(root, **said)
    return GateCheckov(gate, Scans(clock=lambda: NOW), root / "work"), gate
