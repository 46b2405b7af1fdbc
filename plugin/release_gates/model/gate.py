"""Gates, environments and the whole policy, as declared in ``gates/``."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import product
from typing import Any, Literal

from release_gates.model.approval import AskedRole
from release_gates.model.deployment import DeployPolicy
from release_gates.model.limit import LimitRule
from release_gates.model.outcome import Effect, Mode, Severity
from release_gates.model.record import Record
from release_gates.model.route import NORMAL, Route
from release_gates.model.timetable import Freeze, Soak, Window
from release_gates.model.trust import Trust
from release_gates.model.waiver import Waiver


class Reruns(Record, frozen=True, kw_only=True):
    """How many reruns of a failed test a gate tolerates (then green is WARN), and of which failures."""

    most: int
    only: Literal["any", "network"] = "network"


class GateSpec(Record, frozen=True, kw_only=True):
    """One gate as an environment asks for it."""

    name: str
    owner: str
    severity: Severity = Severity.BLOCKING
    mode: Mode = Mode.ENFORCE
    observe_until: date | None = None
    runs_against: str = ""
    effect: Effect = Effect.READ
    valid_for_s: float = 86400.0
    exclusive: bool = False
    unwaivable: bool = False
    reruns: Reruns | None = None
    select: tuple[str, ...] = ()
    """Patterns of existing tests that belong to the gate without a mark (`policy.selection`)."""
    matrix: dict[str, tuple[str, ...]] = {}
    limits: tuple[LimitRule, ...] = ()
    settings: dict[str, dict[str, Any]] = {}

    @property
    def cells(self) -> tuple[str, ...]:
        """Every cell of the matrix (``python=3.11,os=linux``), the axes in the order of the policy."""
        if not self.matrix:
            return ()
        pairs = ([f"{key}={value}" for value in values] for key, values in self.matrix.items())
        return tuple(",".join(cell) for cell in product(*pairs))


class EnvironmentPolicy(Record, frozen=True, kw_only=True):
    """What the entry to one environment asks for."""

    name: str
    gates: tuple[GateSpec, ...]
    attempts: int = 3
    local_may_promote: bool = False
    max_waiver_days: int = 30
    approvals: tuple[AskedRole, ...] = ()
    approval_valid_for_s: float = 86400.0
    extends: str = ""
    mode: Mode = Mode.ENFORCE
    observe_until: date | None = None
    approved_rules: bool = False
    checkpoint: bool = False
    """Whether nothing enters without a checkpoint, outside of the ledger, that the ledger holds."""
    deploy: DeployPolicy = DeployPolicy()
    trust: Trust | None = None
    """Whose signatures count, None where the policy has no ``trust.toml``: then nobody signs."""
    windows: tuple[Window, ...] = ()
    """One of them has to be open when a candidate enters; none of them is always."""
    freezes: tuple[Freeze, ...] = ()
    soak: Soak | None = None
    routes: tuple[Route, ...] = ()
    route: Route | None = None
    """Which of them this is about, None for the normal one; then ``gates`` are those of the route."""
    left_out: tuple[str, ...] = ()
    """The gates that the route does not ask for."""

    @property
    def route_name(self) -> str:
        """The name of the route, ``normal`` for everything."""
        return self.route.name if self.route else NORMAL

    def gate(self, name: str) -> GateSpec | None:
        """Return the gate of that name, or None where this environment does not list it."""
        return next((gate for gate in self.gates if gate.name == name), None)


def observed(part: GateSpec | EnvironmentPolicy, at: datetime) -> bool:
    """Tell whether a gate or an entry is only observed; ``observe_until`` is the last such day, in UTC."""
    until = part.observe_until
    return part.mode is Mode.OBSERVE and (until is None or at.astimezone(UTC).date() <= until)


class Policy(Record, frozen=True, kw_only=True):
    """All environments in the order of the promotion path, and the tests that each gate expects.

    ``digest`` is the SHA-256 over ``gates/`` and what measures: a verdict holds for these rules only.
    """

    environments: tuple[EnvironmentPolicy, ...]
    expected: dict[str, tuple[str, ...]]
    digest: str
    waivers: tuple[Waiver, ...] = ()

    def environment(self, name: str) -> EnvironmentPolicy | None:
        """Return the environment of that name, or None."""
        return next((env for env in self.environments if env.name == name), None)

    def gate_names(self) -> tuple[str, ...]:
        """Return every gate name of any environment, sorted."""
        return tuple(sorted({gate.name for env in self.environments for gate in env.gates}))
