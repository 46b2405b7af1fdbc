"""Promotions by a real program that keeps its environment in files, and everything that breaks."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from plugin.tests.promotion.test_promote import ENVIRONMENT, NOW, RULES, World, candidate
from release_gates.candidate.store import ArtifactStore
from release_gates.ledger.deployments import live_candidate, unfinished
from release_gates.ledger.sqlite import SqliteLedger
from release_gates.ledger.stays import name_of
from release_gates.model.deployment import DeployPolicy
from release_gates.model.event import DeploymentStep, Event, Promoted
from release_gates.model.gate import EnvironmentPolicy
from release_gates.promotion.promote import adopt, promote, resume

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

    def notes(self) -> list[str]:
        """Return every step of every deployment in the ledger, in words."""
        facts = [event.fact for event in self.ledger.events()]
        steps = [each for each in facts if isinstance(each, DeploymentStep)]
        return [f"{each.action} {each.step} {each.stage}" for each in steps]


def laid_out(root: Path) -> Place:
    place = Place(SqliteLedger.open(root / "ledger.db", create=True), root)
    for content in "12":
        place.keep(content)
    sha256 = candidate("1").artifacts[0].sha256
    release = place.folder / "releases" / candidate("1").digest
    release.mkdir(parents=True)
    (release / "a").write_bytes((root / ".gates/artifacts" / sha256).read_bytes())
    (place.folder / "proxy").write_text(candidate("1").digest)
    adopt(place.ledger, environment="staging", candidate=candidate("1"), by="ann", reason="it runs", now=NOW)
    place.start("run-2", content="2")
    place.finish("run-2", changes={"candidate": name_of(candidate("2"))})
    return place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return laid_out(tmp_path)


def test_each_step_is_in_the_ledger_before_and_after(place: Place) -> None:
    event = place.enter()
    assert isinstance(event.fact, Promoted)
    assert place.is_live("2")
    assert place.asked() == ["plan None", "verify None", "apply copy", "apply switch", "verify None"]
    assert place.notes() == [
        *("verify previous begun", "verify previous done", "apply copy begun", "apply copy done"),
        *("apply switch begun", "apply switch done", "verify candidate begun", "verify candidate done"),
    ]
