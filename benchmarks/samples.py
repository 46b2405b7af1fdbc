"""A candidate, a host and a run's header, for what is measured on made-up records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.model.evidence import HostFacts, RunHeader

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
RULES = "0" * 64
CANDIDATE = ReleaseCandidate(
    name="engine",
    version="1.2.0",
    commit="0" * 40,
    artifacts=tuple(Artifact(name=f"part-{number}", sha256=f"{number:064x}") for number in range(4)),
)
HOST = HostFacts(
    hostname="h", cpu_model="c", cores=2, numa_nodes=1, kernel="k", governor="g", python="3", fingerprint="f"
)
HEADER = RunHeader(
    run="run",
    environment="staging",
    candidate=CANDIDATE,
    rules=RULES,
    host=HOST,
    actor="me",
    command=(),
    plugins=(),
    started=NOW - timedelta(minutes=1),
)
