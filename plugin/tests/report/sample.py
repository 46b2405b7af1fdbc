"""Whole releases for the tests of reports: decided by the real `decide`, read back from real files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from msgspec import UNSET
from msgspec.structs import replace

from release_gates.candidate.store import ArtifactStore
from release_gates.judge.decide import decide
from release_gates.ledger.bearing import history
from release_gates.ledger.evidence import EvidenceWriter, read_evidence
from release_gates.ledger.history import runs
from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.model.event import Adopted, Event, Fact, Promoted, RunFinished, RunStarted
from release_gates.model.evidence import HostFacts, RunHeader, TestRecord
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome
from release_gates.model.paired import Paired, PairPlan, ProcessPair
from release_gates.model.record import canonical
from release_gates.model.release import Release
from release_gates.model.route import NORMAL
from release_gates.policy.load import policy_from_snapshot
from release_gates.policy.routes import on_route
from release_gates.policy.selection import expected_in
from release_gates.session.release import release_of

START = datetime(2026, 1, 30, 8, 0, tzinfo=UTC)
PHASES = ("setup", "call", "teardown")
ENVIRONMENTS = """
schema = 1
path = ["staging", "production"]
[environment.staging]
local_may_promote = true
"""
HOST = HostFacts(
    hostname="bench-7",
    cpu_model="Example CPU 9000",
    cores=64,
    numa_nodes=2,
    kernel="6.1.0",
    governor="performance",
    python="3.11.2",
    fingerprint="f" * 64,
)
Tests = Mapping[str, Sequence[Measurement | TestRecord]]
"""What each test measured, by node id; a record stands for itself."""


class Story:
    """A ledger in memory with its evidence and rules in ``root``; runs are an hour apart."""

    def __init__(self, root: Path, staging: str, expected: Mapping[str, Sequence[str]]) -> None:
        self.root = root
        self.events: list[Event] = []
        self._now = START
        self.rules(staging, expected)

    def rules(self, staging: str, expected: Mapping[str, Sequence[str]], *, more: str = "") -> None:
        """Put other rules into force; ``more`` is for ``environments.toml``."""
        snapshot = {
            "/tool": "release-gates 1",
            "environments.toml": f"{ENVIRONMENTS}{more}",
            "staging.toml": f"schema = 1\n{staging}",
            "production.toml": 'schema = 1\nextends = "staging"\n',
            **{
                f"expected/{gate}.txt": "".join(f"{test}\n" for test in sorted(tests))
                for gate, tests in expected.items()
            },
        }
        ArtifactStore(self.root / ".gates/artifacts").put_bytes(canonical(snapshot))
        self.policy = policy_from_snapshot(snapshot)

    def run(
        self,
        version: str,
        tests: Mapping[str, Tests],
        *,
        problems: Sequence[str] = (),
        killed: bool = False,
        route: str = NORMAL,
    ) -> str:
        """Measure, decide and remember one run; return its id."""
        now, taken = self._tick(), UNSET if route == NORMAL else route
        run, candidate = f"{now:%Y%m%dT%H%M%SZ}-abcdef", candidate_of(version)
        header = RunHeader(
            run=run,
            environment="staging",
            candidate=candidate,
            rules=self.policy.digest,
            host=HOST,
            actor="ci",
            command=("-m", "gate_staging"),
            plugins=(),
            started=now,
            route=taken,
        )
        file = f".gates/evidence/{run}.jsonl"
        writer = EvidenceWriter(self.root / file, header)
        for gate, own in tests.items():
            for test, measured in own.items():
                for record in [each for each in measured if isinstance(each, TestRecord)] or [
                    record_of(gate, test, [each for each in measured if isinstance(each, Measurement)], now)
                ]:
                    writer.write(record)
        started = RunStarted(
            run=run,
            environment="staging",
            candidate=candidate,
            rules=self.policy.digest,
            actor="ci",
            evidence=(file,),
            route=taken,
        )
        self._append(started, now)
        writer.end(ended=now + timedelta(minutes=9), problems=problems)
        if killed:
            return run
        self._conclude(run, version, file, now + timedelta(minutes=9, seconds=2), route)
        return run

    def _conclude(self, run: str, version: str, file: str, now: datetime, route: str) -> None:
        environment = self.policy.environment("staging")
        assert environment is not None
        environment = on_route(environment, route)
        verdict = decide(
            environment,
            rules=self.policy.digest,
            expected=expected_in(self.policy, environment),
            evidence=[read_evidence(self.root / file)],
            history=history(
                self.events,
                candidate=candidate_of(version).digest,
                environment="staging",
                rules=self.policy.digest,
                run=run,
            ),
            now=now,
            local=True,
            run=run,
        )
        self._append(RunFinished(run=run, verdict=verdict), now)

    def promote(self, version: str, run: str, environment: str = "staging", **more: object) -> None:
        """Make a candidate live."""
        fact = Promoted(environment=environment, candidate=candidate_of(version), run=run, by="Jane Doe")
        self._append(replace(fact, **more), self._tick())

    def adopt(self, version: str) -> None:
        """Take a candidate for live that never went through these gates."""
        fact = Adopted(environment="staging", candidate=candidate_of(version), by="Jane Doe", reason="live")
        self._append(fact, self._tick())

    def release(
        self, *, stands: str = "", commits: Sequence[str] | None = ("abc1234 Faster matching",)
    ) -> Release:
        """Return what a report tells of the newest run."""
        return release_of(
            self.events,
            runs(self.events)[-1],
            root=self.root,
            made=self._tick(),
            head="e" * 64,
            stands=stands,
            commits=commits,
        )

    def _append(self, fact: Fact, at: datetime) -> None:
        self.events.append(Event(seq=len(self.events) + 1, at=at, prev="0" * 64, fact=fact))

    def _tick(self) -> datetime:
        self._now += timedelta(hours=1)
        return self._now


def candidate_of(version: str) -> ReleaseCandidate:
    """Return the engine of a version; each has a binary of its own and the same configuration."""
    return ReleaseCandidate(
        name="trading-engine",
        version=version,
        commit=sha256(version.encode()).hexdigest()[:40],
        authors=("Joe Roe",),
        built_by="ci",
        artifacts=(
            Artifact(name="engine", sha256=sha256(version.encode()).hexdigest()),
            Artifact(name="limits.json", kind="config", sha256="c" * 64),
        ),
    )


def record_of(gate: str, test: str, measurements: Sequence[Measurement], at: datetime) -> TestRecord:
    """Return a green test with its measurements."""
    return TestRecord(
        id=test,
        gate=gate,
        outcome=Outcome.PASS,
        phases=PHASES,
        measurements=tuple(measurements),
        finished=at + timedelta(minutes=5),
        duration_s=1.5,
    )


def benchmark(percent: float, noise: float = 0.002) -> Paired:
    """Return 24 processes, and 8 to confirm, that found a change."""
    plan = PairPlan(looks=(6, 12, 24), confirm=8, false_alarm=0.01, wrong_pass=0.01, benchmarks=3)
    processes = tuple(
        ProcessPair(
            ratio=math.log1p(percent / 100) + noise * ((number // 2) % 3 - 1),
            spread=0.01,
            kept=75,
            dropped=5,
            first="candidate" if number % 2 else "baseline",
            seed=number,
        )
        for number in range(32)
    )
    return Paired(plan=plan, processes=processes[:24], confirmation=processes[24:])


STAGING = """
[gate.smoke]
owner = "order-gateway"
[gate.smoke.limits]
"service.ready_time" = "<= 5 s"
"service.unexpected_log_lines" = "== 0 lines"

[gate.load]
owner = "trading-platform"
[gate.load.limits]
"order_ack.p50" = "<= 2 ms"
"order_ack.p95" = { limit = "<= 50 ms", target = "<= 20 ms" }
"order_ack.p99" = "<= 500 ms"
"order_ack.p99.9" = "<= 2 s"
"order_entry.error_rate" = { limit = "<= 1 %", target = "<= 0.1 %" }
"order_entry.throughput" = { limit = ">= 1000 req/s", min_samples = 1000 }
"memory.growth" = "0 .. 5 %"

[gate.benchmark]
owner = "matching-core"
[gate.benchmark.limits]
"match.cpu_time" = { baseline = "<= 2 %" }
"cancel.cpu_time" = { baseline = "<= 2 %" }
"parse.cpu_time" = { baseline = "<= 2 %" }
"core.line_rate" = { limit = ">= 80 %", baseline = ">= -1 pp" }

[gate.drill]
owner = "operations"
severity = "advisory"
[gate.drill.limits]
"recovery.time" = "<= 30 min"
"""
ROUTES = """
[environment.staging.route.hotfix]
gates = ["smoke", "load"]
full_within = "24 h"
[environment.staging.route.break-glass]
gates = ["smoke", "load"]
full_within = "24 h"
[environment.staging.route.break-glass.approvals.role.on-call]
least = 2
persons = ["Ann Lee <ann@example.org>", "Eve Ray <eve@example.org>"]
"""
SMOKE = {f"suites/smoke/test_orders.py::test_{name}": [] for name in ("cancel", "replace", "cross", "reject")}
READY = "suites/smoke/test_service.py::test_ready"
ACK = "suites/load/test_orders.py::test_acknowledgements"
RATES = "suites/load/test_orders.py::test_rates"
MATCH = "suites/benchmark/test_core.py::test_paired"
LINES = "suites/benchmark/test_core.py::test_lines"
DRILL = "attested:drill"
EXPECTED = {
    "smoke": [*SMOKE, READY],
    "load": [ACK, RATES],
    "benchmark": [MATCH, LINES],
    "drill": [DRILL],
}


def ms(name: str, value: float, unit: str = "ms", **more: object) -> Measurement:
    """Return a measurement in milliseconds, or of another unit."""
    return Measurement(name=name, value=value, unit=unit, **more)  # type: ignore[arg-type]


def measured(
    p99: float = 180.0, slower: float = 0.3, rates: bool = True, noise: float = 0.002
) -> dict[str, Tests]:
    """Return what all tests of the sample's gates measure."""
    load: dict[str, Sequence[Measurement]] = {
        ACK: [
            ms("order_ack.p50", 0.7 + p99 / 2000, samples=120000),
            ms("order_ack.p95", 18 + p99 / 30, samples=120000),
            ms("order_ack.p99", p99, samples=120000),
            ms("order_ack.p99.9", 2.5 * p99, samples=120000),
        ],
    }
    if rates:
        load[RATES] = [
            ms("order_entry.error_rate", 0.0004, "ratio"),
            ms("order_entry.throughput", 1240, "req/s", samples=74400),
            ms("memory.growth", 0.012, "ratio"),
        ]
    return {
        "smoke": {
            **SMOKE,
            READY: [ms("service.ready_time", 0.069, "s"), ms("service.unexpected_log_lines", 0, "lines")],
        },
        "load": load,
        "benchmark": {
            MATCH: [
                ms("match.cpu_time", 104.0, "ns", baseline=100.0, paired=benchmark(slower)),
                ms("cancel.cpu_time", 51.0, "ns", baseline=50.0, paired=benchmark(-1.2)),
                ms("parse.cpu_time", 33.0, "ns", baseline=32.0, paired=benchmark(1.0, noise)),
            ],
            LINES: [ms("core.line_rate", 0.9887, "ratio", baseline=0.9911)],
        },
        "drill": {DRILL: [ms("recovery.time", 42, "min", attested="Jane Doe")]},
    }


def held(root: Path) -> Story:
    """Return a story that ends in HOLD (broken), after a year of promotions."""
    story = Story(root, STAGING, EXPECTED)
    story.adopt("0.9.0")
    for number, p99 in enumerate((150.0, 155.0, 171.0, 168.0, 390.0)):
        run = story.run(f"1.{number}.0", measured(p99))
        if number in (0, 3):
            story.promote(f"1.{number}.0", run)
        if number == 0:
            story.promote("1.0.0", run, "production")
    story.rules(STAGING.replace('"<= 50 ms"', '"<= 45 ms"'), EXPECTED)
    story.run("1.5.0", measured(612.0, slower=3.4, rates=False, noise=0.02))
    return story


def promoted(root: Path) -> Story:
    """Return a story that ends in PROMOTE."""
    story = Story(root, STAGING, EXPECTED)
    story.adopt("0.9.0")
    story.promote("1.0.0", story.run("1.0.0", measured(150.0)))
    story.run("1.1.0", measured(140.0))
    return story


def hotfixed(root: Path, route: str = "hotfix") -> Story:
    """Return a story that ends in PROMOTE on a route that leaves the benchmark and the drill unproven."""
    story = promoted(root)
    story.rules(STAGING, EXPECTED, more=ROUTES)
    story.run(
        "1.2.0",
        {gate: tests for gate, tests in measured(140.0).items() if gate in ("smoke", "load")},
        route=route,
    )
    return story


def many(root: Path, number: int, value: float = 100.0) -> Story:
    """Return one run with so many limits, each of a test of its own; a tenth of them are broken."""
    names = [f"suites/load/test_many.py::test_symbol[{at}]" for at in range(number)]
    limits = "".join(f'"symbol_{at}.p99" = "<= 200 ms"\n' for at in range(number))
    story = Story(
        root, f'[gate.load]\nowner = "trading-platform"\n[gate.load.limits]\n{limits}', {"load": names}
    )
    story.promote(
        "1.0.0",
        story.run(
            "1.0.0", {"load": {test: [ms(f"symbol_{at}.p99", value)] for at, test in enumerate(names)}}
        ),
    )
    tests = {
        test: [ms(f"symbol_{at}.p99", value * (3 if at % 10 == 0 else 1) + at / 7)]
        for at, test in enumerate(names)
    }
    story.run("1.1.0", {"load": tests})
    return story


def only(root: Path, limits: str, *measurements: Measurement) -> Story:
    """Return one run of one test, with the limits of its one gate."""
    story = Story(
        root, f'[gate.load]\nowner = "trading-platform"\n[gate.load.limits]\n{limits}', {"load": [ACK]}
    )
    story.run("1.0.0", {"load": {ACK: list(measurements)}})
    return story
