"""Promotions by a real program that keeps its environment in files, and everything that breaks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from plugin.tests.promotion.test_promote import ENVIRONMENT, NOW, RULES, World, candidate
from release_gates.candidate.store import ArtifactStore
from release_gates.errors import CandidateError, DeployError, PromotionRefused
from release_gates.ledger.deployments import DeploymentView, live_candidate, unfinished
from release_gates.ledger.sqlite import SqliteLedger
from release_gates.ledger.stays import name_of
from release_gates.model.deployment import Change, DeployPolicy, Step
from release_gates.model.event import (
    DeploymentStarted,
    DeploymentStep,
    DeploymentUndone,
    Event,
    GateFailed,
    Promoted,
)
from release_gates.model.gate import EnvironmentPolicy
from release_gates.promotion.adopting import adopt_live
from release_gates.promotion.executors.command import CommandExecutor
from release_gates.promotion.promote import promote, resume
from release_gates.promotion.rollback import Wish, rollback

PROGRAM = Path(__file__).with_name("deploy_program.py")
LATER = NOW + timedelta(minutes=1)


@dataclass
class Place(World):
    """A ledger in which engine 1 is live and engine 2 has a PROMOTE, and a folder to deploy to."""

    deploy: dict[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.root / "place"

    @property
    def environment(self) -> EnvironmentPolicy:
        run = [sys.executable, "-S", "-E", str(PROGRAM), str(self.folder)]
        facts = {"executor": "command", "settings": {"run": run}, "timeout_s": 30.0}
        policy = DeployPolicy(**{**facts, **self.deploy})
        return msgspec.structs.replace(ENVIRONMENT, deploy=policy)

    def keep(self, content: str) -> None:
        assert ArtifactStore(self.root / ".gates/artifacts").put_bytes(content.encode())

    def is_live(self, content: str) -> bool:
        """Whether files and ledger agree on what is live, and nothing is unfinished."""
        proxy = (self.folder / "proxy").read_text()
        events = tuple(self.ledger.events())
        live = live_candidate(events, "staging")
        digest = candidate(content).digest
        return (proxy, live and live.digest, unfinished(events, "staging")) == (digest, digest, None)

    def breaks(self, *lines: str) -> None:
        (self.folder / "broken").write_text("\n".join(lines))

    def asked(self) -> list[str]:
        log = self.folder / "log"
        return log.read_text().splitlines() if log.exists() else []

    def enter(self, content: str = "2", **changes: Any) -> Event:
        facts: dict[str, Any] = {
            "environment": self.environment,
            "candidate": candidate(content),
            "rules": RULES,
            "by": "bob",
            "now": LATER,
            "root": self.root,
        }
        return promote(self.ledger, **{**facts, **changes})

    def resume(self, content: str = "2") -> Event:
        return resume(
            self.ledger,
            environment=self.environment,
            candidate=candidate(content),
            by="carl",
            clock=lambda: LATER,
            root=self.root,
        )

    def roll_back(self, reason: str = "orders were lost", *, at: datetime = LATER) -> Event:
        wish = Wish(environment=self.environment, by="dan", reason=reason, root=self.root)
        return rollback(self.ledger, wish, clock=lambda: at)

    def install(self, content: str) -> None:
        """Change what is live behind the ledger's back."""
        release = self.folder / "releases" / candidate(content).digest
        release.mkdir(parents=True, exist_ok=True)
        (release / "a").write_text(content)
        (self.folder / "proxy").write_text(release.name)

    def adopt(self, content: str) -> tuple[Event, str]:
        return adopt_live(
            self.ledger,
            environment=self.environment,
            candidate=candidate(content),
            by="ann",
            reason="it runs",
            clock=lambda: LATER,
            root=self.root,
        )

    def fails(self) -> None:
        """Let a gate fail for engine 2."""
        fact = GateFailed(
            run="run-2",
            environment="staging",
            candidate=candidate("2").digest,
            gate="load",
            test="t",
            because="p95 is 9 ms",
        )
        self.ledger.append(fact, at=LATER)

    def left(self) -> DeploymentView:
        """Return the deployment that is unfinished; there has to be one."""
        view = unfinished(tuple(self.ledger.events()), "staging")
        assert view is not None
        return view

    def notes(self) -> list[str]:
        """Return every step of every deployment in the ledger, in words."""
        facts = [event.fact for event in self.ledger.events()]
        steps = [each for each in facts if isinstance(each, DeploymentStep)]
        return [f"{each.action} {each.step} {each.stage}" for each in steps]


def laid_out(root: Path) -> Place:
    place = Place(SqliteLedger.open(root / "ledger.db", create=True), root)
    for content in "12":
        place.keep(content)
    place.install("1")
    place.adopt("1")
    place.start("run-2", content="2", at=LATER)
    place.finish("run-2", at=LATER, changes={"candidate": name_of(candidate("2"))})
    (place.folder / "log").unlink()
    return place


def meanwhile(patch: pytest.MonkeyPatch, action: str, happens: Callable[[], None]) -> None:
    """Let something happen while the program does this."""
    does = CommandExecutor.apply

    def apply(self: CommandExecutor, change: Change, step: Step) -> str:
        said = does(self, change, step)
        if f"apply {step.name}" == action:
            happens()
        return said

    patch.setattr(CommandExecutor, "apply", apply)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return laid_out(tmp_path)


def test_each_step_is_in_the_ledger_before_and_after(place: Place) -> None:
    place.deploy = {"backup": (sys.executable, "-S", "-E", str(PROGRAM), str(place.folder))}
    event = place.enter()
    assert isinstance(event.fact, Promoted)
    assert place.is_live("2")
    assert place.asked() == [
        *("plan None", "verify None", "backup None", "apply copy", "apply switch", "verify None")
    ]
    steps = ("verify previous", "backup backup", "apply copy", "apply switch", "verify candidate")
    assert place.notes() == [f"{step} {stage}" for step in steps for stage in ("begun", "done")]


def test_deployment_says_what_it_changes_and_who_asked(place: Place) -> None:
    place.enter()
    [started] = [each.fact for each in place.ledger.events() if isinstance(each.fact, DeploymentStarted)]
    assert (started.candidate, started.previous) == (candidate("2"), candidate("1"))
    assert (started.run, started.by, started.executor) == ("run-2", "bob", "command")
    assert [step.name for step in started.steps] == ["copy", "switch"]


BROKEN = [
    ("apply copy", "deployment-undone", ["apply copy", "undo copy", "verify None"]),
    (
        "apply switch",
        "deployment-undone",
        ["apply copy", "apply switch", "undo switch", "undo copy", "verify None"],
    ),
]


@pytest.mark.parametrize(("broken", "slug", "asked"), BROKEN, ids=[row[0] for row in BROKEN])
def test_failed_step_is_taken_back(place: Place, broken: str, slug: str, asked: list[str]) -> None:
    place.breaks(broken)
    with pytest.raises(DeployError, match=f"{broken} is broken.*was taken back") as failed:
        place.enter()
    assert failed.value.slug == slug
    assert place.asked()[2:] == asked
    assert place.is_live("1")
    place.breaks()
    place.enter()  # the same promotion may be tried again
    assert place.is_live("2")


def test_candidate_that_is_not_read_back_is_taken_back(place: Place) -> None:
    place.breaks("switch is forgotten")
    with pytest.raises(DeployError, match=r"verify of candidate failed: staging runs .* and not"):
        place.enter()
    assert place.is_live("1")
    assert [type(each.fact) for each in place.ledger.events()][-1] is DeploymentUndone


@pytest.mark.parametrize("broken", ["undo switch", "undo copy", "verify after undo"])
def test_what_cannot_be_taken_back_stays_unfinished_until_somebody_mends_it(
    place: Place, broken: str
) -> None:
    place.breaks("apply switch", broken)
    with pytest.raises(DeployError, match=r"could not be taken back either.*UNFINISHED") as failed:
        place.enter()
    assert failed.value.slug == "deployment-not-undone"
    for act in (place.enter, lambda: place.enter("3")):
        with pytest.raises(
            PromotionRefused, match=r"bob began to deploy engine 1\.1\.0 .* that is unfinished"
        ):
            act()
    with pytest.raises(PromotionRefused, match="is being taken back"):
        place.resume()
    with pytest.raises(DeployError, match="UNFINISHED"):
        place.roll_back()
    place.breaks()
    assert isinstance(place.roll_back().fact, DeploymentUndone)
    assert place.is_live("1")


def test_drift_is_refused_before_anything_changes_and_adoption_ends_it(place: Place) -> None:
    place.install("3")
    with pytest.raises(
        PromotionRefused, match=r"DRIFT: .*staging runs .*, and not .*Nothing was changed"
    ) as drift:
        place.enter()
    assert drift.value.slug == "drift"
    assert not any(line.startswith("apply") for line in place.asked())
    with pytest.raises(PromotionRefused, match="that is not what runs there"):
        place.adopt("1")
    _, said = place.adopt("3")
    assert said.startswith("read back")
    assert place.is_live("3")
    with pytest.raises(PromotionRefused) as stale:
        place.enter()
    assert stale.value.slug == "baseline-changed"


def test_environment_that_cannot_be_read_is_no_drift_and_no_promotion(place: Place) -> None:
    place.breaks("verify None")
    with pytest.raises(PromotionRefused) as refused:
        place.enter()
    assert refused.value.slug == "deploy-command"
    assert "DRIFT" not in str(refused.value)
    place.breaks()
    assert place.is_live("1")


def test_failed_backup_changes_nothing(place: Place) -> None:
    place.deploy = {"backup": (sys.executable, "-c", "import sys; sys.exit('disk full')")}
    with pytest.raises(PromotionRefused, match=r"backup of backup failed.*disk full.*Nothing was changed"):
        place.enter()
    assert place.is_live("1")


def test_artifact_that_was_swapped_in_the_store_goes_nowhere(place: Place) -> None:
    stored = place.root / ".gates/artifacts" / candidate("2").artifacts[0].sha256
    stored.chmod(0o644)
    stored.write_text("evil")
    with pytest.raises(CandidateError, match="artifact-damaged"):
        place.enter()
    assert place.asked() == []
    assert place.is_live("1")


def test_artifact_that_is_swapped_while_it_is_deployed_is_taken_back(place: Place) -> None:
    stored = place.root / ".gates/artifacts" / candidate("2").artifacts[0].sha256
    swap = f"import os; os.chmod({str(stored)!r}, 0o644); open({str(stored)!r}, 'w').write('evil')"
    place.deploy = {"backup": (sys.executable, "-S", "-E", "-c", swap)}
    with pytest.raises(DeployError, match="is damaged"):
        place.enter()
    assert place.is_live("1")


def test_gate_that_fails_while_the_candidate_is_deployed_takes_it_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, "apply switch", place.fails)
    with pytest.raises(DeployError, match=r"gate load failed for these digests.*was taken back"):
        place.enter()
    assert place.is_live("1")
