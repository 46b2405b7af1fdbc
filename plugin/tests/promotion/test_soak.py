"""Soak: one row for each way to have been live for less than it seems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from release_gates.errors import PromotionRefused
from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.model.deployment import Step
from release_gates.model.event import (
    Adopted,
    DeploymentStarted,
    DeploymentUndone,
    Event,
    Fact,
    FirstRelease,
    GateFailed,
    Promoted,
    RolledBack,
    RunFinished,
    RunInvalidated,
    RunStarted,
)
from release_gates.model.gate import EnvironmentPolicy, GateSpec
from release_gates.model.outcome import Outcome, Severity
from release_gates.model.timetable import Soak
from release_gates.model.verdict import CandidateName, GateJudgement, Inputs, TestProblem, Verdict
from release_gates.model.waiver import Waived
from release_gates.promotion.soak import check_soak
from release_gates.testing import GateProject

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ENTRY = EnvironmentPolicy(
    name="production",
    gates=(GateSpec(name="smoke", owner="x"),),
    soak=Soak(environment="staging", for_s=24 * 3600.0),
)


def build(content: str) -> ReleaseCandidate:
    return ReleaseCandidate(
        name="engine", version=content, commit="c", artifacts=(Artifact(name="a", sha256=content * 64),)
    )


ONE, OTHER = build("1"), build("2")


WAIVED = GateJudgement(
    name="load",
    owner="x",
    severity=Severity.BLOCKING,
    outcome=Outcome.WAIVED,
    because="",
    expected=1,
    ran=1,
    limits=(),
    problems=(
        TestProblem(
            test="t",
            outcome=Outcome.WAIVED,
            because="p95 is 9 ms",
            waived=Waived(
                waiver="slow",
                was=Outcome.FAIL,
                bounds="<= 9 ms",
                reason="known",
                ticket="T-1",
                owner="eve",
                approver="bob",
                expires=NOW + timedelta(days=1),
            ),
        ),
    ),
)
"""A gate whose one failure somebody accepts."""


def started(run: str, of: ReleaseCandidate = ONE, place: str = "staging", **changes: object) -> RunStarted:
    fact = RunStarted(run=run, environment=place, candidate=of, rules="r", actor="ann", evidence=("e",))
    return msgspec.structs.replace(fact, **changes)


def finished(run: str, *, of: ReleaseCandidate = ONE, decided: float = 0, **changes: object) -> RunFinished:
    verdict = Verdict(
        verdict="PROMOTE",
        kind="",
        because="",
        environment="staging",
        candidate=CandidateName(name="engine", version=of.version, commit="c", digest=of.digest),
        run=run,
        local=True,
        attempt=1,
        attempts_allowed=3,
        decided=NOW - timedelta(hours=decided),
        gates=(),
        reasons=(),
        inputs=Inputs(rules="r", evidence=("e",), history="h"),
    )
    return RunFinished(run=run, verdict=msgspec.structs.replace(verdict, **changes))


def promoted(of: ReleaseCandidate = ONE, place: str = "staging", run: str = "r1") -> Promoted:
    return Promoted(environment=place, candidate=of, run=run, by="ann")


def adopted(of: ReleaseCandidate = ONE, place: str = "staging") -> Adopted:
    return Adopted(environment=place, candidate=of, by="ann", reason="it runs there")


def failed(run: str = "r2", of: ReleaseCandidate = ONE) -> GateFailed:
    return GateFailed(
        run=run, environment="staging", candidate=of.digest, gate="load", test="t", because="p95 is 9 ms"
    )


def deploying(name: str, of: ReleaseCandidate, place: str = "staging") -> DeploymentStarted:
    return DeploymentStarted(
        deployment=name,
        purpose="promotion",
        environment=place,
        candidate=of,
        previous=ONE,
        run="r9",
        by="bob",
        reason="",
        executor="record",
        steps=(Step(name="s", does="s"),),
        place="p",
    )


def undone(name: str) -> DeploymentUndone:
    return DeploymentUndone(deployment=name, environment="staging", by="bob", because="it differs")


def told(*facts: tuple[float, Fact]) -> list[Event]:
    """Return events of facts, each so many hours ago."""
    return [
        Event(seq=seq, at=NOW - timedelta(hours=ago), prev="0", fact=fact)
        for seq, (ago, fact) in enumerate(facts, 1)
    ]


MEASURED: tuple[tuple[float, Fact], ...] = ((31, started("r1")), (30, finished("r1", decided=30)))
LIVE: tuple[tuple[float, Fact], ...] = (*MEASURED, (25, promoted()))


def check(*facts: tuple[float, Fact], entry: EnvironmentPolicy = ENTRY) -> None:
    check_soak(told(*facts), entry, ONE, now=NOW)


GOOD: list[tuple[str, Sequence[tuple[float, Fact]]]] = [
    ("as long as is asked for", (*MEASURED, (24, promoted()))),
    ("adopted once more, which changes nothing", (*LIVE, (2, adopted()))),
    ("something happened elsewhere", (*LIVE, (2, promoted(OTHER, "dev")), (1, deploying("d", OTHER, "dev")))),
    ("another build failed there", (*LIVE, (2, failed(of=OTHER)))),
    ("adopted, and verified since", ((40, adopted()), *MEASURED)),
    (
        "a FAIL that somebody else took away",
        (
            *LIVE,
            (5, started("r2")),
            (4, failed()),
            (3, RunInvalidated(run="r2", by="eve", reason="wrong host")),
        ),
    ),
    (
        "a FAIL that a waiver accepts, of the same run",
        (
            (31, started("r1")),
            (30.5, failed("r1")),
            (30, finished("r1", decided=30, gates=(WAIVED,))),
            (25, promoted()),
        ),
    ),
    (
        "a FAIL that a waiver accepts, of a run each night",
        (
            (31, started("r1")),
            (30.5, failed("r1")),
            (30, finished("r1", decided=30, gates=(WAIVED,))),
            (25, promoted()),
            (6, started("r2")),
            (5.5, failed("r2")),
            (5, finished("r2", decided=5, gates=(WAIVED,))),
        ),
    ),
    (
        "a FAIL that a waiver accepts, of an earlier run",
        ((33, started("r0")), (32, failed("r0")), *MEASURED, (25, promoted())),
    ),
    (
        "in on a shorter route, and the normal one since",
        (
            (41, started("r0", route="hotfix")),
            (40, finished("r0", route="hotfix")),
            (39, promoted(run="r0")),
            *MEASURED,
        ),
    ),
    (
        "a deployment that carried it there",
        (*MEASURED, (29, deploying("d", ONE)), (28, msgspec.structs.replace(promoted(), deployment="d"))),
    ),
]


@pytest.mark.parametrize("facts", [row[1] for row in GOOD], ids=[row[0] for row in GOOD])
def test_soaked(facts: Sequence[tuple[float, Fact]]) -> None:
    check(*facts)


SHORT = [
    ("not long enough", (*MEASURED, (23.5, promoted())), "soak-unfinished", "30 min left"),
    ("not a second too early", (*MEASURED, (24 - 1 / 3600, promoted())), "soak-unfinished", "1 min left"),
    ("never there", MEASURED, "soak-not-live", "is not live in staging"),
    ("there was something else since", (*LIVE, (2, promoted(OTHER))), "soak-not-live", "not live"),
    (
        "interrupted",
        (
            *LIVE,
            (4, promoted(OTHER)),
            (3, RolledBack(environment="staging", candidate=ONE, instead_of="2", by="b", reason="r")),
        ),
        "soak-unfinished",
        "21 h left",
    ),
    ("promoted again", (*LIVE, (4, promoted(OTHER)), (3, promoted())), "soak-unfinished", "21 h left"),
    (
        "rolled back",
        (*LIVE, (3, RolledBack(environment="staging", candidate=OTHER, instead_of="1", by="b", reason="r"))),
        "soak-not-live",
        "",
    ),
    (
        "taken away",
        (*LIVE, (3, FirstRelease(environment="staging", by="b", reason="r"))),
        "soak-not-live",
        "",
    ),
    (
        "something else was tried and taken back",
        (*LIVE, (5, deploying("d", OTHER)), (4, undone("d"))),
        "soak-unfinished",
        "20 h left",
    ),
    (
        "a deployment that nobody ended",
        (*MEASURED, (29, deploying("d", ONE)), (28, promoted())),
        "soak-not-live",
        "bob is changing",
    ),
    ("something is being changed", (*LIVE, (0.1, deploying("d", OTHER))), "soak-not-live", "bob is changing"),
    (
        "a change that an adoption ended",
        (*LIVE, (5, deploying("d", OTHER)), (4, adopted())),
        "soak-unfinished",
        "20 h left",
    ),
    ("adopted, and never measured", ((40, adopted()),), "soak-not-verified", "no run there stands"),
    (
        "adopted, measured late",
        ((40, adopted()), (6, started("r1")), (5, finished("r1", decided=5))),
        "soak-unfinished",
        "19 h left",
    ),
    (
        "measured as another build",
        ((31, started("r1", OTHER)), (30, finished("r1", of=OTHER)), (25, promoted())),
        "soak-not-verified",
        "",
    ),
    ("a run without a verdict", ((31, started("r1")), (25, promoted())), "soak-not-verified", ""),
    (
        "entered on a HOLD that was only observed",
        ((31, started("r1")), (30, finished("r1", verdict="HOLD", kind="broken")), (25, promoted())),
        "soak-not-verified",
        "",
    ),
    (
        "its run was invalidated",
        (*LIVE, (3, RunInvalidated(run="r1", by="eve", reason="wrong host"))),
        "soak-not-verified",
        "",
    ),
    (
        "in on a shorter route, which leaves gates unproven",
        ((31, started("r1", route="hotfix")), (30, finished("r1", route="hotfix")), (25, promoted())),
        "soak-not-verified",
        "on the normal route",
    ),
    (
        "adopted, and verified by a policy from elsewhere",
        ((40, adopted()), (31, started("r1")), (30, finished("r1", elsewhere="/weak"))),
        "soak-not-verified",
        "",
    ),
    (
        "a FAIL that a waiver accepts, in a gate that failed otherwise",
        (
            (31, started("r1")),
            (30.5, failed("r1")),
            (30, finished("r1", gates=(msgspec.structs.replace(WAIVED, name="smoke"),))),
            (25, promoted()),
        ),
        "soak-not-verified",
        "",
    ),
    ("a gate failed since", (*LIVE, (3, failed())), "soak-not-verified", "gate load failed .* p95 is 9 ms"),
    (
        "a FAIL that its own runner took away",
        (*LIVE, (5, started("r2")), (4, failed()), (3, RunInvalidated(run="r2", by="ann", reason="r"))),
        "soak-not-verified",
        "",
    ),
]


@pytest.mark.parametrize(("facts", "slug", "says"), [row[1:] for row in SHORT], ids=[row[0] for row in SHORT])
def test_not_soaked(facts: Sequence[tuple[float, Fact]], slug: str, says: str) -> None:
    with pytest.raises(PromotionRefused, match=says or None) as refused:
        check(*facts)
    assert refused.value.slug == slug


def test_the_refusal_says_when_it_ends() -> None:
    with pytest.raises(PromotionRefused) as refused:
        check(*MEASURED, (10.6, promoted()))
    assert str(refused.value) == (
        f"engine 1 ({ONE.digest[:12]}) is live and verified in staging since 2026-11-20 01:24:00 UTC, and "
        "production asks for 24 h in staging: 13 h 24 min left. It ends at 2026-11-21 01:24:00 UTC. "
        "[soak-unfinished]"
    )


def test_status_says_what_is_left(tmp_path: Path) -> None:
    project = GateProject(tmp_path)
    project.write("suites/test_smoke.py", 'import pytest\n\n@pytest.mark.gate("smoke")\ndef test_a(): pass\n')
    project.expect(["suites/test_smoke.py::test_a"])
    project.write("gates/production.toml", 'schema = 1\nextends = "staging"\n')
    path = project.root / "gates/environments.toml"
    text = path.read_text().replace('["staging"]', '["staging", "production"]')
    path.write_text(f'{text}[environment.production.soak]\nin = "staging"\nfor = "36 h"\n')
    assert project.cli("adopt", "staging", "--reason", "it runs there").status == 0
    assert "no run there stands for a PROMOTE" in " ".join(project.cli("status").output.split())
    assert project.run().status == 0
    assert "asks for 36 h in staging: 36 h left" in " ".join(project.cli("status").output.split())


@pytest.mark.parametrize("facts", [lambda: (), lambda: LIVE])
def test_who_asks_for_none_gets_none(facts: Callable[[], Sequence[tuple[float, Fact]]]) -> None:
    check(*facts(), entry=msgspec.structs.replace(ENTRY, soak=None))
