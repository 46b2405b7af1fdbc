"""Approvals: of whom, to what, for how long; one row for each way to get in with one too few."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from release_gates.errors import PolicyError, PromotionRefused
from release_gates.ledger.history import RunView
from release_gates.model.approval import AskedRole
from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.model.event import Approved, Event, RunStarted
from release_gates.model.gate import EnvironmentPolicy, GateSpec
from release_gates.model.verdict import CandidateName, Inputs, Verdict
from release_gates.policy.load import policy_from_snapshot
from release_gates.promotion.approvals import answer_to, check_approvals
from release_gates.testing import GateProject

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANN, BOB, EVE = "Ann Lee <ann@example.org>", "Bob Roe <bob@example.org>", "Eve Ray <eve@example.org>"
ENTRY = EnvironmentPolicy(
    name="production",
    gates=(GateSpec(name="smoke", owner="x"),),
    approvals=(
        AskedRole(name="release", least=1, persons=(ANN, BOB)),
        AskedRole(name="risk", least=1, persons=(BOB, EVE)),
    ),
    approval_valid_for_s=7200,
)
CANDIDATE = ReleaseCandidate(
    name="e",
    version="1",
    commit="c",
    authors=("Cat Low <cat@example.org>",),
    artifacts=(Artifact(name="a", sha256="0" * 64),),
)


def verdict(run: str = "r1", **changes: object) -> Verdict:
    made = Verdict(
        verdict="PROMOTE",
        kind="",
        because="",
        environment="production",
        candidate=CandidateName(name="e", version="1", commit="c", digest=CANDIDATE.digest),
        run=run,
        local=True,
        attempt=1,
        attempts_allowed=3,
        decided=NOW,
        gates=(),
        reasons=(),
        inputs=Inputs(rules="r", evidence=("e",), history="h"),
    )
    return msgspec.structs.replace(made, **changes)


def view(of: Verdict) -> RunView:
    started = RunStarted(
        run=of.run, environment="production", candidate=CANDIDATE, rules="r", actor="x", evidence=("e",)
    )
    return RunView(started=started, at=NOW, verdict=of, verdict_seq=3, invalidated="")


def said(by: str, role: str, *, yes: bool = True, at: datetime = NOW, to: Verdict | None = None) -> Event:
    of = to or verdict()
    fact = answer_to(
        view(of),
        of,
        ENTRY,
        CANDIDATE,
        by=by,
        role=role,
        answer="yes" if yes else "no",
        reason="" if yes else "the risk report is late",
        now=at,
    )
    return Event(seq=4, at=at, prev="0", fact=fact)


def check(
    *events: Event,
    now: datetime = NOW + HOUR,
    candidate: ReleaseCandidate = CANDIDATE,
    environment: EnvironmentPolicy = ENTRY,
) -> None:
    check_approvals(events, view(verdict()), verdict(), environment, candidate, now=now)


def by_hand(event: Event, **changes: object) -> Event:
    """Return an event as somebody would write it who went around the command."""
    assert isinstance(event.fact, Approved)
    return msgspec.structs.replace(event, fact=msgspec.structs.replace(event.fact, **changes))


GOOD = (said(ANN, "release"), said(EVE, "risk"))


def test_every_role_said_yes() -> None:
    check(*GOOD)
    check(*GOOD, now=NOW - timedelta(seconds=50))  # by a clock that is behind those of the persons
    check(environment=msgspec.structs.replace(ENTRY, approvals=()))


WRITTEN_BY_ANN = msgspec.structs.replace(CANDIDATE, authors=("Ann Lee <ann@home.example>",))
NOBODY = msgspec.structs.replace(CANDIDATE, authors=())
ROWS = [
    ("nobody said anything", (), {}, "not approved: release 0 of 1, risk 0 of 1"),
    ("one role is missing", GOOD[:1], {}, "risk 0 of 1"),
    ("one person for two roles", (said(BOB, "release"), said(BOB, "risk")), {}, "risk 0 of 1"),
    ("twice by one person", (GOOD[0], said(ANN, "release")), {}, "risk 0 of 1"),
    ("expired", GOOD, {"now": NOW + 2 * HOUR}, "not approved"),
    ("from the future", GOOD, {"now": NOW - HOUR}, "not approved"),
    (
        "longer than policy",
        (by_hand(GOOD[0], until=NOW + 9 * HOUR), GOOD[1]),
        {"now": NOW + 3 * HOUR},
        "not app",
    ),
    ("another verdict", (GOOD[0], said(EVE, "risk", to=verdict("r0"))), {}, "risk 0 of 1"),
    (
        "the same run, decided otherwise",
        (GOOD[0], said(EVE, "risk", to=verdict(attempt=2))),
        {},
        "risk 0 of 1",
    ),
    ("another environment", (GOOD[0], by_hand(GOOD[1], environment="staging")), {}, "risk 0 of 1"),
    ("another candidate", (GOOD[0], by_hand(GOOD[1], candidate="1" * 64)), {}, "risk 0 of 1"),
    ("before the verdict", (GOOD[0], msgspec.structs.replace(GOOD[1], seq=2)), {}, "risk 0 of 1"),
    ("not of that role", (GOOD[0], by_hand(GOOD[1], by=ANN)), {}, "risk 0 of 1"),
    ("of no role", (GOOD[0], by_hand(GOOD[1], by="Mal <mal@example.org>")), {}, "risk 0 of 1"),
    ("a role that nobody asks", (GOOD[0], by_hand(GOOD[1], role="board")), {}, "risk 0 of 1"),
    ("an author, by name", GOOD, {"candidate": WRITTEN_BY_ANN}, "release 0 of 1"),
    ("authors unknown", GOOD, {"candidate": NOBODY}, "nobody knows the authors"),
    ("one no", (*GOOD, said(BOB, "risk", yes=False)), {}, "Bob Roe .* refused .*: the risk report is late"),
    ("a no, then a yes", (said(BOB, "risk", yes=False), *GOOD, said(BOB, "risk")), {}, "refused"),
    ("a no that is old", (*GOOD, said(BOB, "risk", yes=False, at=NOW - 9 * HOUR)), {}, "refused"),
]


@pytest.mark.parametrize(("events", "facts", "says"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_refused(events: tuple[Event, ...], facts: dict[str, object], says: str) -> None:
    with pytest.raises(PromotionRefused, match=says):
        check(*events, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("by", "role", "candidate", "slug"),
    [
        ("mal", None, CANDIDATE, "no-role"),
        (ANN, "risk", CANDIDATE, "no-role"),
        (BOB, None, CANDIDATE, "no-role"),
        ("ANN LEE", None, WRITTEN_BY_ANN, "approved-by-author"),
        (EVE, None, NOBODY, "authors-unknown"),
    ],
)
def test_who_may_not_say_yes(by: str, role: str | None, candidate: ReleaseCandidate, slug: str) -> None:
    with pytest.raises(PromotionRefused) as found:
        answer_to(
            view(verdict()), verdict(), ENTRY, candidate, by=by, role=role, answer="yes", reason="", now=NOW
        )
    assert found.value.slug == slug


TABLE = "[environment.staging.approvals.role.risk]\nleast = {least}\npersons = {persons}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[environment.staging.approvals]\n", "asks nobody"),
        (TABLE.format(least=2, persons=f'["{EVE}"]'), "asks for 2 of 1"),
        (TABLE.format(least=0, persons=f'["{EVE}"]'), "at least 1"),
        (TABLE.format(least=1, persons='["eve"]'), "name and e-mail address"),
        (TABLE.format(least=1, persons="[]"), "must list them"),
        (TABLE.format(least=2, persons=f'["{EVE}", "Eve Ray <eve@home.example>"]'), "may be one person"),
        (TABLE.format(least=1, persons=f'["{EVE}"]') + "lest = 1\n", "Did you mean 'least'?"),
    ],
)
def test_mistakes_in_policy(text: str, says: str) -> None:
    gates = 'schema = 1\n[gate.smoke]\nowner = "me"\n'
    path = f'schema = 1\npath = ["staging"]\n{text}'
    with pytest.raises(PolicyError) as found:
        policy_from_snapshot({"/tool": "t", "environments.toml": path, "staging.toml": gates})
    assert says in str(found.value)


def test_a_real_promotion_waits_for_its_approvals(tmp_path: Path) -> None:
    project = GateProject(tmp_path)
    project.write("suites/test_smoke.py", 'import pytest\n\n@pytest.mark.gate("smoke")\ndef test_a(): pass\n')
    project.expect(["suites/test_smoke.py::test_a"])
    with (project.root / "gates/environments.toml").open("a") as file:
        file.write(TABLE.format(least=1, persons=f'["{EVE}", "{BOB}"]'))
    toml = project.root / "candidate.toml"
    toml.write_text(toml.read_text().replace("authors = []", f'authors = ["{BOB}"]'))
    assert project.run().status == 0
    assert "[not-approved]" in project.cli("promote", "--to", "staging").output
    assert "not approved" in project.cli("report", "staging", "--format", "markdown").output
    assert "is not approved: risk 0 of 1" in " ".join(project.cli("status").output.split())
    assert "[approved-by-author]" in project.cli("approve", "staging", "--by", "bob@example.org").output
    assert project.cli("approve", "staging", "--by", "Eve Ray").status == 0
    assert "approved by everybody who is asked" in project.cli("status").output
    assert project.run().status == 0, "a new verdict"
    assert "[not-approved]" in project.cli("promote", "--to", "staging").output
    assert "[no-reason]" in project.cli("approve", "staging", "--by", BOB, "--refuse").output
    assert project.cli("approve", "staging", "--by", "Eve Ray").status == 0
    assert project.cli("promote", "--to", "staging").status == 0
    assert project.cli("verify").status == 0
