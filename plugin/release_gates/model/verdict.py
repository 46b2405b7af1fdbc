"""Verdicts: what was decided, and every reason for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Literal

from msgspec import UNSET, UnsetType, structs

from release_gates.model.outcome import Outcome, Severity
from release_gates.model.record import SCHEMA, Record
from release_gates.model.route import named_route
from release_gates.model.waiver import Waived, WaiverUse


def unmeasured(name: str, allowed: str) -> str:
    """Return what is said of a rule that nothing was measured for."""
    return f"nothing measured {name}; the policy asks for {allowed}"


class LimitJudgement(Record, frozen=True, kw_only=True):
    """One rule applied to one measurement, or to none (MISSING).

    ``attested`` says who answers for a value that nobody measured; it is left out where it was measured.
    ``waived`` says who accepts that it does not hold, exactly where it is WAIVED.
    """

    name: str
    outcome: Outcome
    because: str
    measured: str
    allowed: str
    test: str = ""
    attested: str | UnsetType = UNSET
    waived: Waived | UnsetType = UNSET


class TestProblem(Record, frozen=True, kw_only=True):
    """One test that is not simply green; ``run`` names the earlier run that it comes from, if any.

    ``fingerprint`` is what a waiver would name, where one failure with one is all that is wrong. ``waived``
    says who accepts it, exactly where it is WAIVED.
    """

    __test__ = False

    test: str
    outcome: Outcome
    because: str
    run: str = ""
    fingerprint: str | UnsetType = UNSET
    waived: Waived | UnsetType = UNSET


Part = LimitJudgement | TestProblem


def own_words(part: Part) -> str:
    """Return what is wrong with a part, without the words on the waiver that accepts it."""
    return part.because.removesuffix(f"; {part.waived.sentence}") if part.waived else part.because


class GateJudgement(Record, frozen=True, kw_only=True):
    """One gate's outcome with everything that led to it; one that is only observed says so by ``mode``."""

    name: str
    owner: str
    severity: Severity
    outcome: Outcome
    because: str
    expected: int
    ran: int
    limits: tuple[LimitJudgement, ...]
    problems: tuple[TestProblem, ...]
    mode: Literal["observe"] | UnsetType = UNSET
    observe_until: date | UnsetType = UNSET

    @property
    def is_observed(self) -> bool:
        """Whether the gate holds nothing, whatever its outcome."""
        return self.mode is not UNSET

    @property
    def waived(self) -> tuple[Part, ...]:
        """Everything of the gate that does not hold and is waived."""
        parts: tuple[Part, ...] = (*self.limits, *self.problems)
        return tuple(part for part in parts if part.outcome is Outcome.WAIVED)


class Reason(Record, frozen=True, kw_only=True):
    """One reason against promotion, in a sentence; ``gate`` is empty for what concerns the whole run."""

    outcome: Outcome
    sentence: str
    gate: str = ""
    test: str = ""


def first_of(reasons: Sequence[Reason]) -> str:
    """Return the first reason as a sentence, and how many more there are; at least one is given."""
    first, others = reasons[0], len(reasons) - 1
    where = f"{first.gate}: " if first.gate else ""
    more = f" ({others} more reason{'s' if others > 1 else ''})" if others else ""
    return f"{where}{first.sentence}{more}"


def taken_back(verdict: Verdict, reason: str) -> Verdict:
    """Return how a verdict reads after its run was invalidated: HOLD, whatever was decided.

    For telling only: the ledger keeps the verdict as it was decided, and the invalidation beside it.
    """
    own = Reason(outcome=Outcome.ERROR, sentence=f"the run was invalidated: {reason}")
    broken = verdict.kind == "broken"
    reasons = (*verdict.reasons, own) if broken else (own, *verdict.reasons)
    return structs.replace(
        verdict,
        verdict="HOLD",
        kind="broken" if broken else "not proven",
        because=first_of(reasons),
        reasons=reasons,
    )


class CandidateName(Record, frozen=True, kw_only=True):
    """How a verdict names the candidate that it is about."""

    name: str
    version: str
    commit: str
    digest: str


class Inputs(Record, frozen=True, kw_only=True):
    """Digests of all that ``decide`` was given: a verdict can be replayed byte for byte.

    ``waivers`` is left out where the rules have none.
    """

    rules: str
    evidence: tuple[str, ...]
    history: str
    waivers: str | UnsetType = UNSET


class Verdict(Record, frozen=True, kw_only=True):
    """The answer to "may this candidate enter this environment?".

    ``mode`` says that the whole entry is only observed: decided as ever, and holding nothing. ``observed`` is
    what would have held of gates that are only observed. Both are left out where nothing is observed, so that
    records from before there was a mode stay as they were, byte for byte. ``waivers`` is what became of each
    waiver for this entry, left out where the rules have none.
    """

    schema: int = SCHEMA
    verdict: Literal["PROMOTE", "HOLD"]
    kind: Literal["", "broken", "not proven"]
    because: str
    environment: str
    candidate: CandidateName
    run: str
    local: bool
    attempt: int
    attempts_allowed: int
    decided: datetime
    gates: tuple[GateJudgement, ...]
    reasons: tuple[Reason, ...]
    inputs: Inputs
    mode: Literal["observe"] | UnsetType = UNSET
    observe_until: date | UnsetType = UNSET
    observed: tuple[Reason, ...] | UnsetType = UNSET
    waivers: tuple[WaiverUse, ...] | UnsetType = UNSET
    elsewhere: str | UnsetType = UNSET
    """The folder of a policy that is not the project's own, which makes a verdict LOCAL."""
    route: str | UnsetType = UNSET
    """The route that it is for, left out for the normal one: on no other does it let anything in."""
    left_out: tuple[str, ...] | UnsetType = UNSET
    """The gates that the route does not ask for, set where ``route`` is."""

    @property
    def why_local(self) -> str:
        """Why it is LOCAL, "" where it is not."""
        if self.elsewhere is not UNSET:
            return f"the policy is from elsewhere, {self.elsewhere}"
        return "the ledger is unsigned" if self.local else ""

    @property
    def route_name(self) -> str:
        """The route that it is for."""
        return named_route(self.route)

    @property
    def unproven(self) -> str:
        """What its route leaves unproven, in words; "" on the normal one."""
        gates = ", ".join(self.left_out) if self.left_out else "nothing"
        return "" if self.route is UNSET else f"left unproven on route {self.route}: {gates}"

    @property
    def promotes(self) -> bool:
        """Whether the candidate may enter, had nobody switched the entry to observe."""
        return self.verdict == "PROMOTE"

    @property
    def is_observed(self) -> bool:
        """Whether the whole entry is only observed."""
        return self.mode is not UNSET

    @property
    def would_hold(self) -> tuple[Reason, ...]:
        """Every reason that holds nothing because the entry, or its gate, is only observed."""
        of_gates = () if self.observed is UNSET else self.observed
        return (*self.reasons, *of_gates) if self.is_observed else of_gates

    @property
    def needed_waivers(self) -> tuple[str, ...]:
        """The waivers without which a gate that can hold the candidate would hold it, by name."""
        gates = (gate for gate in self.gates if gate.severity is Severity.BLOCKING and not gate.is_observed)
        parts = (part for gate in gates for part in gate.waived)
        return tuple(sorted({part.waived.waiver for part in parts if part.waived}))

    @property
    def other_waivers(self) -> tuple[WaiverUse, ...]:
        """The waivers for this entry that nothing needed, or that do not count."""
        return () if self.waivers is UNSET else tuple(each for each in self.waivers if each.state != "used")

    @property
    def title(self) -> str:
        """``PROMOTE``, ``HOLD (broken)``, ``HOLD (not proven)``, what is waived; ``WOULD …, observed``."""
        title = f"{self.verdict} ({self.kind})" if self.kind else self.verdict
        if needed := len(self.needed_waivers) if self.promotes else 0:
            title = f"{title} with {needed} waiver{'' if needed == 1 else 's'}"
        if self.route is not UNSET:
            title = f"{title} on route {self.route}"
        return f"WOULD {title}, observed" if self.is_observed else title
