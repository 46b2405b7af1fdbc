"""What every process of a run has to know; xdist workers get it from the controller, never from files."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Live
from release_gates.model.gate import EnvironmentPolicy, GateSpec, Policy
from release_gates.model.record import Record
from release_gates.model.route import NORMAL
from release_gates.policy.routes import on_route

BRIEFING = pytest.StashKey["Briefing"]()


class Briefing(Record, frozen=True, kw_only=True):
    """Policy, environment ("" where none is decided) and route, the candidate, what is live there."""

    policy: Policy
    environment: str
    route: str = NORMAL
    candidate: ReleaseCandidate | None
    live: Live | None
    root: str
    """pytest's root folder: node ids start here, and ``.gates/`` lies here."""
    candidate_root: str = ""
    """Folder of ``candidate.toml``: the candidate's artifact paths start here."""
    everything: bool = False
    """Whether pytest was called for all tests, and not for paths that somebody named."""

    @property
    def deciding(self) -> EnvironmentPolicy | None:
        """What the environment being decided asks for on its route, or None."""
        environment = self.policy.environment(self.environment) if self.environment else None
        return on_route(environment, self.route) if environment else None

    @property
    def state(self) -> Path:
        """Folder of everything that runs leave behind."""
        return Path(self.root) / ".gates"

    def gate(self, name: str) -> GateSpec | None:
        """Return a gate as the decided environment asks for it; without one, as the first that lists it."""
        environments = [self.deciding] if self.deciding else self.policy.environments
        found = (environment.gate(name) for environment in environments if environment)
        return next((spec for spec in found if spec is not None), None)

    def to_text(self) -> str:
        """Return the form that travels to a worker."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_text(cls, text: str) -> Briefing:
        """Return the briefing that ``to_text`` wrote."""
        return msgspec.json.decode(text, type=cls)
