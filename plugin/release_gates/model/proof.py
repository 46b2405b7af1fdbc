"""Proofs: what became of each planted defect, and when a gate was last seen red."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from release_gates.model.outcome import Outcome
from release_gates.model.record import SCHEMA, Record


class ProofOutcome(StrEnum):
    """What became of one planted defect."""

    CAUGHT = "caught"
    OTHER_REASON = "other reason"
    WRONG_GATE = "wrong gate"
    MISSED = "missed"
    NOT_PROVEN = "not proven"
    UNGUARDED = "unguarded"

    @property
    def wrong(self) -> bool:
        """Whether it shows that the gate does not do its work."""
        return self in _WRONG


_WRONG = frozenset({ProofOutcome.OTHER_REASON, ProofOutcome.WRONG_GATE, ProofOutcome.MISSED})


class Proof(Record, frozen=True, kw_only=True):
    """One row of the matrix: a planted defect, the gate that has to catch it, what became of it.

    ``message`` is the text that a reason of the gate has to contain; ``said`` what it said, or why nothing is
    proven; ``tests`` the tests that were red; ``candidate`` the known-bad candidate's digest, "" for none.
    """

    defect: str
    gate: str
    outcome: ProofOutcome
    message: str
    said: str = ""
    tests: tuple[str, ...] = ()
    candidate: str = ""


class CleanGate(Record, frozen=True, kw_only=True):
    """What a gate says of the system without any defect. One that is always red proves nothing."""

    gate: str
    outcome: Outcome
    because: str = ""

    @property
    def green(self) -> bool:
        """Whether a red after this one comes from the defect."""
        return self.outcome in (Outcome.PASS, Outcome.WARN)

    @property
    def sentence(self) -> str:
        """What it says, without why."""
        return f"{self.gate} is {self.outcome} on the clean system"


class Matrix(Record, frozen=True, kw_only=True):
    """One proof of an environment's gates: defect by gate.

    ``candidate`` is the clean candidate's digest; ``declared`` says for each gate how many defects there are,
    tried or not; ``bare`` are the gates without any, ``advisory`` those that hold no candidate when they are
    red; ``elsewhere`` are the defects of gates that only other environments ask for.
    """

    schema: int = SCHEMA
    environment: str
    rules: str
    candidate: str
    clean: tuple[CleanGate, ...]
    proofs: tuple[Proof, ...]
    declared: dict[str, int]
    bare: tuple[str, ...]
    advisory: tuple[str, ...]
    elsewhere: tuple[str, ...]

    @property
    def guarded(self) -> tuple[Proof, ...]:
        """The rows whose gate exists."""
        return tuple(proof for proof in self.proofs if proof.outcome is not ProofOutcome.UNGUARDED)

    @property
    def untried(self) -> int:
        """How many declared defects of these gates were left out."""
        return sum(self.declared.values()) - len(self.guarded)


class Sighting(Record, frozen=True, kw_only=True):
    """On how many of the defects that were tried under the same rules a gate was red, and when last.

    ``red`` is None where it was red on none of them; ``declared`` is how many those rules have for it.
    """

    rules: str
    tried_at: datetime
    red: datetime | None
    caught: int
    tried: int
    declared: int


class GateProofs(Record, frozen=True, kw_only=True):
    """What the ledger knows of one gate: the newest proof, and the newest in which it was red."""

    gate: str
    newest: Sighting | None = None
    red: Sighting | None = None
