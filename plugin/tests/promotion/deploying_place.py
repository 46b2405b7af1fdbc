"""A ledger, a folder to deploy to, and a program that deploys there: what tests of deployments share."""

from __future__ import annotations

import io
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import msgspec
import pytest

from plugin.tests.promotion import deploy_program
from plugin.tests.promotion.test_promote import ENVIRONMENT, NOW, RULES, World, candidate
from release_gates.candidate.store import ArtifactStore
from release_gates.errors import DeployError
from release_gates.ledger import sqlite
from release_gates.ledger.deployments import DeploymentView, live_candidate, unfinished
from release_gates.ledger.sqlite import SqliteLedger
from release_gates.ledger.stays import name_of
from release_gates.model.deployment import Change, DeployPolicy, Step
from release_gates.model.event import DeploymentStep, Event, GateFailed
from release_gates.model.gate import EnvironmentPolicy
from release_gates.promotion import deployment
from release_gates.promotion.adopting import adopt_live
from release_gates.promotion.deployment import Clock
from release_gates.promotion.entering import desk_of, site_of
from release_gates.promotion.executors import command
from release_gates.promotion.executors.command import CommandExecutor
from release_gates.promotion.executors.protocol import Site
from release_gates.promotion.promote import promote, resume
from release_gates.promotion.rollback import Wish, rollback
from release_gates.promotion.taking import take
from release_gates.promotion.telling import first_release, invalidate

PROGRAM = Path(__file__).with_name("deploy_program.py")
LATER = NOW + timedelta(minutes=1)


@dataclass
class Place(World):
    """A ledger in which engine 1 is live and engine 2 has a PROMOTE, and a folder to deploy to."""

    deploy: dict[str, Any] = field(default_factory=dict)
    place: Path | None = None

    @property
    def folder(self) -> Path:
        return self.place or self.root / "place"

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

    def roll_back(
        self,
        reason: str = "orders were lost",
        *,
        by: str = "dan",
        at: datetime = LATER,
        clock: Clock | None = None,
    ) -> Event:
        wish = Wish(environment=self.environment, by=by, reason=reason, root=self.root)
        return rollback(self.ledger, wish, clock=clock or (lambda: at))

    def install(self, content: str) -> None:
        """Change what is live behind the ledger's back."""
        release = self.folder / "releases" / candidate(content).digest
        release.mkdir(parents=True, exist_ok=True)
        (release / "a").write_text(content)
        (self.folder / "proxy").write_text(release.name)

    def adopt(self, content: str, *, outside: bool = False) -> tuple[Event, str]:
        return adopt_live(
            self.ledger,
            environment=self.environment,
            candidate=candidate(content),
            by="ann",
            reason="it runs",
            clock=lambda: LATER,
            root=self.root,
            outside=outside,
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

    def first_release(self) -> Event:
        return first_release(self.ledger, environment="staging", by="ann", reason="new venue", now=LATER)

    def invalidate(self) -> None:
        invalidate(self.ledger, run="run-2", by="carl", reason="wrong host", now=LATER)

    def taken_over(self, *, at: datetime) -> None:
        """Let somebody elsewhere take the deployment over, after the time in which a step could run."""
        desk = desk_of(self.ledger, self.environment, self.root, clock=lambda: at)
        take(desk, "elsewhere", self.left(), back=True, by="dan")

    @property
    def site(self) -> Site:
        return site_of(self.environment, self.root)

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
    lay_out(place)
    return place


def lay_out(place: Place) -> None:
    """Let engine 1 run and be live, and engine 2 have its PROMOTE."""
    for content in "12":
        place.keep(content)
    place.install("1")
    place.adopt("1")
    place.start("run-2", content="2", at=LATER)
    place.finish("run-2", at=LATER, changes={"candidate": name_of(candidate("2"))})
    (place.folder / "log").unlink()


def meanwhile(patch: pytest.MonkeyPatch, action: str, happens: Callable[[], None]) -> None:
    """Let something happen while the program does this."""
    does = CommandExecutor.apply

    def apply(self: CommandExecutor, change: Change, step: Step) -> str:
        said = does(self, change, step)
        if f"apply {step.name}" == action:
            happens()
        return said

    patch.setattr(CommandExecutor, "apply", apply)


def write_protected(patch: pytest.MonkeyPatch, *, after: int = 0) -> None:
    """Let the ledger take so many more events and then refuse every write, as a full disk does."""
    connect, append = sqlite._connected, SqliteLedger.append_after
    left = after

    def connected(path: Path, mode: str) -> sqlite3.Connection:
        connection = connect(path, mode)
        if left < 0:
            connection.execute("PRAGMA query_only = ON")
        return connection

    def append_after(self: SqliteLedger, decide: Any, *, at: datetime) -> Event:
        nonlocal left
        left -= 1
        return append(self, decide, at=at)

    patch.setattr(sqlite, "_connected", connected)
    patch.setattr(SqliteLedger, "append_after", append_after)


def forked(patch: pytest.MonkeyPatch) -> None:
    """Let the program run in forks instead of new processes: the same program, at a tenth of the cost."""
    patch.setattr(command, "run_json", _forked)
    patch.setattr(deployment, "run_json", _forked)


def _forked(words: Sequence[str], told: object, _site: Site, *, changes: bool) -> bytes:
    assert changes is (told["action"] in ("apply", "undo", "backup"))  # type: ignore[index]
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        sys.stdin, sys.stdout = io.StringIO(msgspec.json.encode(told).decode()), io.StringIO()
        status = deploy_program.main(words[-1])
        os.write(write, sys.stdout.getvalue().encode())
        os._exit(status)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        answer = pipe.read()
    if status := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise DeployError(f"the program ended with status {status}.", slug="deploy-command")
    return answer


def killed(act: Callable[[], object], at: int = 0) -> int:
    """Do something in a process that kills itself before its ``at``-th event or call of the executor.

    Returns how many of them it came to; 0 for ``at`` kills nothing.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        _counting(at, write)
        try:
            act()
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        passed = len(pipe.read())
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == (-signal.SIGKILL if at else 0)
    return passed


def _counting(at: int, pipe: int) -> None:
    """Count everything that moves something or is written down, and die before one of them."""
    passed = 0

    def counted(function: Any) -> Any:
        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            nonlocal passed
            passed += 1
            if passed == at:
                os.kill(os.getpid(), signal.SIGKILL)
            os.write(pipe, b".")
            return function(*args, **kwargs)

        return wrapper

    places: list[tuple[Any, str]] = [(SqliteLedger, "append_after"), (SqliteLedger, "append")]
    places += [(CommandExecutor, name) for name in ("plan", "apply", "undo", "verify")]
    for place, name in [*places, (deployment, "run_json")]:
        setattr(place, name, counted(getattr(place, name)))
