"""What the ledger remembers: facts, and the chained event that carries each."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import UNSET, UnsetType

from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.deployment import Action, Purpose, Stage, Step
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome
from release_gates.model.proof import CleanGate, Proof
from release_gates.model.record import SCHEMA, Record
from release_gates.model.verdict import Verdict


class RunStarted(Record, frozen=True, kw_only=True, tag_field="kind", tag="run_started"):
    """A run took up a candidate. Until it finishes it counts as one that proved nothing."""

    run: str
    environment: str
    candidate: ReleaseCandidate
    rules: str
    actor: str
    evidence: tuple[str, ...]
    """Evidence files, relative to the root folder where they lie in it."""
    mode: Literal["observe"] | UnsetType = UNSET
    """Set where the whole entry was only observed when the run began: it uses up no attempt."""
    route: str | UnsetType = UNSET
    """Set where the run is for another route than the normal one."""


class GateFailed(Record, frozen=True, kw_only=True, tag_field="kind", tag="gate_failed"):
    """A gate was seen to FAIL; written at once, so that no kill and no later run can hide it."""

    run: str
    environment: str
    candidate: str
    gate: str
    test: str
    because: str


class ShortPart(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that failed, waived or not: a ``measurement``, or a test by ``fingerprints`` of failures."""

    gate: str
    test: str
    measurement: Measurement | None = None
    fingerprints: tuple[str, ...] = ()


class RunFinished(Record, frozen=True, kw_only=True, tag_field="kind", tag="run_finished"):
    """The committed verdict of a run.

    ``short`` is everything that failed in its blocking gates, by which a later run can tell whether a waiver
    covers it too; left out where nothing did, and by versions that knew no waivers.
    """

    run: str
    verdict: Verdict
    short: tuple[ShortPart, ...] | UnsetType = UNSET


class RunInvalidated(Record, frozen=True, kw_only=True, tag_field="kind", tag="run_invalidated"):
    """A recorded, reasoned decision that a run counts for nothing."""

    run: str
    by: str
    reason: str


class Adopted(Record, frozen=True, kw_only=True, tag_field="kind", tag="adopted"):
    """A candidate is live in an environment without having been promoted by us."""

    environment: str
    candidate: ReleaseCandidate
    by: str
    reason: str
    outside: str | UnsetType = UNSET
    """The environment's executor, whose place said nothing at all then: it runs, and not by that one."""


class FirstRelease(Record, frozen=True, kw_only=True, tag_field="kind", tag="first_release"):
    """Nothing is live in an environment yet, and that is right."""

    environment: str
    by: str
    reason: str


class Promoted(Record, frozen=True, kw_only=True, tag_field="kind", tag="promoted"):
    """A candidate entered an environment on a PROMOTE verdict, or on one that was only observed."""

    environment: str
    candidate: ReleaseCandidate
    run: str
    by: str
    observed: str | UnsetType = UNSET
    """Set where the entry, or one of its gates, was only observed: what would have held, "" for nothing."""
    deployment: str | UnsetType = UNSET
    """The deployment that this ends, where an executor carried the candidate."""
    route: str | UnsetType = UNSET
    """The route on which it entered, left out for the normal one."""
    full_within_s: float | UnsetType = UNSET
    """Seconds within which the normal route has to pass for the same digests; set where ``route`` is."""
    ticket: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    """Where and why somebody called it an emergency; both set where the glass was broken."""


class DeploymentStarted(Record, frozen=True, kw_only=True, tag_field="kind", tag="deployment_started"):
    """Somebody began to change what is live. Until it ends, nothing else moves in its environment.

    It ends by ``Promoted``, ``RolledBack`` or ``DeploymentUndone`` that names it, or by an adoption there.
    ``place`` is where its process works: whoever holds the lock of the same place knows that it is gone.
    """

    deployment: str
    purpose: Purpose
    environment: str
    candidate: ReleaseCandidate
    previous: ReleaseCandidate | None
    run: str
    by: str
    reason: str
    approved_by: tuple[str, ...] = ()
    executor: str
    steps: tuple[Step, ...]
    place: str


class DeploymentTaken(Record, frozen=True, kw_only=True, tag_field="kind", tag="deployment_taken"):
    """Somebody took over a deployment, to go on or to take it back; who had it moves nothing more."""

    deployment: str
    purpose: Literal["resume", "undo"]
    by: str
    place: str


class DeploymentStep(Record, frozen=True, kw_only=True, tag_field="kind", tag="deployment_step"):
    """One step of a deployment is begun, done or failed; ``sentence`` is what was done or what went wrong."""

    deployment: str
    action: Action
    step: str
    stage: Stage
    sentence: str = ""


class DeploymentUndone(Record, frozen=True, kw_only=True, tag_field="kind", tag="deployment_undone"):
    """A deployment was taken back, and what was live before is verified to be live again.

    Or it ended before it changed anything; ``because`` says which.
    """

    deployment: str
    environment: str
    by: str
    because: str


class RolledBack(Record, frozen=True, kw_only=True, tag_field="kind", tag="rolled_back"):
    """The candidate that was live before is live again; ``instead_of`` is the digest that it replaced.

    ``took_s`` is from the beginning of the deployment to its verification, None where nobody carried it;
    ``within_s`` is what policy asked for then, None for nothing.
    """

    environment: str
    candidate: ReleaseCandidate
    instead_of: str
    by: str
    reason: str
    took_s: float | None = None
    within_s: float | None = None
    deployment: str | UnsetType = UNSET


class Approved(Record, frozen=True, kw_only=True, tag_field="kind", tag="approved"):
    """A named person's yes or no to the promotion of exactly this candidate on exactly this verdict.

    ``candidate`` and ``verdict`` are digests. A yes counts before ``until``, a no while the verdict does.
    """

    environment: str
    candidate: str
    run: str
    verdict: str
    by: str
    role: str
    answer: Literal["yes", "no"]
    reason: str
    until: datetime
    envelope: str | UnsetType = UNSET
    """That person's signature of all this (DSSE), left out where nobody signed."""


class GatesProved(Record, frozen=True, kw_only=True, tag_field="kind", tag="gates_proved"):
    """Planted defects were tried on an environment's gates. It is no run: it decides and forbids nothing.

    ``candidate`` is the digest of the clean candidate and ``clean`` what each gate says of it; each proof
    names the digest of its known-bad one.
    ``declared`` says for each gate how many defects the rules have, so that a few do not pass for all.
    """

    environment: str
    rules: str
    actor: str
    candidate: str
    clean: tuple[CleanGate, ...]
    declared: dict[str, int]
    proofs: tuple[Proof, ...]


Fact = (
    RunStarted
    | GateFailed
    | RunFinished
    | RunInvalidated
    | Adopted
    | FirstRelease
    | Promoted
    | DeploymentStarted
    | DeploymentTaken
    | DeploymentStep
    | DeploymentUndone
    | RolledBack
    | Approved
    | GatesProved
)


class Event(Record, frozen=True, kw_only=True):
    """One link of the chain: ``prev`` is the digest of the event before it, zeros for the first."""

    schema: int = SCHEMA
    seq: int
    at: datetime
    prev: str
    fact: Fact


class Live(Record, frozen=True, kw_only=True):
    """What an environment runs, according to the ledger."""

    environment: str
    candidate: ReleaseCandidate | None
    since: datetime
    reason: str = ""


class PriorFailure(Record, frozen=True, kw_only=True):
    """A FAIL of an earlier run for the same digests: no later run replaces it.

    ``parts`` is all that failed in that run and gate, where the ledger knows that it is all.
    """

    run: str
    gate: str
    test: str
    because: str
    outcome: Outcome = Outcome.FAIL
    parts: tuple[ShortPart, ...] | UnsetType = UNSET


class History(Record, frozen=True, kw_only=True):
    """What the ledger knows that bears on one decision."""

    live: Live | None = None
    failures: tuple[PriorFailure, ...] = ()
    unproven_runs: tuple[str, ...] = ()
