"""A named person's yes to one promotion. Pure but for the ledger: one no blocks, and no author says yes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from msgspec import UNSET, structs

from release_gates.errors import PromotionRefused, TrustError
from release_gates.ledger.attestations.approvals import check_approval
from release_gates.ledger.history import RunView
from release_gates.model.approval import AskedRole
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Approved, Event
from release_gates.model.gate import EnvironmentPolicy
from release_gates.model.person import may_be_same
from release_gates.model.record import CLOCK_TOLERANCE, digest
from release_gates.model.trust import Trust
from release_gates.model.verdict import Verdict
from release_gates.promotion.attested import asks_signature

SHOWN = 3
"""As many answers that do not count are told of, the newest."""


def check_approvals(
    events: Sequence[Event],
    run: RunView,
    verdict: Verdict,
    environment: EnvironmentPolicy,
    candidate: ReleaseCandidate,
    *,
    now: datetime,
) -> None:
    """Refuse unless every role has its yeses to exactly this verdict: fresh, of many people, no author.

    Who approves is asked of the policy as it is now. A person counts once, for the role of the first yes.
    Where signatures are asked for, only a yes that this person's own key signed counts. A no needs none.
    Whoever was an author when the run began is one, whatever ``candidate`` says by now.
    """
    if not environment.approvals:
        return
    _check_authors(candidate)
    candidate = _with_authors(candidate, run)
    check_not_refused(events, run, verdict, environment, candidate)
    given = list(_answers(events, run, verdict, environment.name, candidate))
    counted = _counted(given, environment, candidate, now)
    short = [role for role in environment.approvals if len(counted.by_role.get(role.name, ())) < role.least]
    if short:
        missing = ", ".join(
            f"{role.name} {len(counted.by_role.get(role.name, ()))} of {role.least}" for role in short
        )
        without = f". Not counted: {'; '.join(counted.left_out[-SHOWN:])}" if counted.left_out else ""
        raise PromotionRefused(
            f"the promotion to {environment.name} on run {run.started.run} is not approved: "
            f"{missing}{without}.",
            slug="not-approved",
            hint=f"`release-gates approve {environment.name}`, by {_who(short)}; by no author.",
        )


def check_not_refused(
    events: Sequence[Event],
    run: RunView,
    verdict: Verdict,
    environment: EnvironmentPolicy,
    candidate: ReleaseCandidate,
) -> None:
    """Refuse where somebody said no to a promotion on exactly this verdict."""
    given = _answers(events, run, verdict, environment.name, candidate)
    if refusal := next((fact for _, fact in given if fact.answer == "no"), None):
        raise PromotionRefused(
            f"{refusal.by} ({refusal.role}) refused the promotion on run {refusal.run}: {refusal.reason}.",
            slug="approval-refused",
            hint="Another verdict may be approved: mend it, and run the gate again.",
        )


def approvers(
    events: Sequence[Event],
    run: RunView,
    verdict: Verdict,
    environment: EnvironmentPolicy,
    candidate: ReleaseCandidate,
    *,
    now: datetime,
) -> tuple[str, ...]:
    """Return who said yes to exactly this verdict in a way that counts now."""
    given = list(_answers(events, run, verdict, environment.name, candidate))
    return tuple(_counted(given, environment, candidate, now).persons)


def answer_to(
    run: RunView,
    verdict: Verdict,
    environment: EnvironmentPolicy,
    candidate: ReleaseCandidate,
    *,
    by: str,
    role: str | None,
    answer: Literal["yes", "no"],
    reason: str,
    now: datetime,
) -> Approved:
    """Return a person's answer to a promotion that could be made now; ``PromotionRefused`` otherwise."""
    asked, person = _asked(environment, by, role)
    if answer == "yes":
        _check_authors(candidate)
        _check_no_author(person, _with_authors(candidate, run))
    if answer == "no" and not reason.strip():
        raise PromotionRefused("a no needs a reason.", slug="no-reason", hint="--reason TEXT.")
    return Approved(
        environment=environment.name,
        candidate=candidate.digest,
        run=run.started.run,
        verdict=digest(verdict),
        by=person,
        role=asked.name,
        answer=answer,
        reason=reason.strip(),
        until=now + timedelta(seconds=environment.approval_valid_for_s),
    )


def check_answer(fact: Approved, environment: EnvironmentPolicy, *, now: datetime) -> None:
    """Refuse an answer that would not count: a bad signature, or none on a yes where one is asked for."""
    unsigned = fact.envelope is UNSET
    if unsigned and (fact.answer == "no" or not asks_signature(environment)):
        return
    try:
        check_approval(fact, environment.trust or Trust(), now=now)
    except TrustError as error:
        raise PromotionRefused(
            f"what {fact.by} says to {environment.name} would not count: {error.message}",
            slug=error.slug,
            hint="`release-gates approve --key KEYFILE`: that person's key, with the role approval in "
            "gates/trust.toml.",
        ) from None


def _answers(
    events: Sequence[Event], run: RunView, verdict: Verdict, environment: str, candidate: ReleaseCandidate
) -> Iterator[tuple[datetime, Approved]]:
    about = (environment, candidate.digest, run.started.run, digest(verdict))
    for event in events:
        fact = event.fact
        if not isinstance(fact, Approved) or event.seq <= run.verdict_seq:
            continue
        if (fact.environment, fact.candidate, fact.run, fact.verdict) == about:
            yield event.at, fact


@dataclass(frozen=True, slots=True)
class _Counted:
    """Who said yes for each role in a way that counts now, and why others did not."""

    by_role: dict[str, list[str]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    @property
    def persons(self) -> list[str]:
        return [person for persons in self.by_role.values() for person in persons]


def _counted(
    given: Sequence[tuple[datetime, Approved]],
    environment: EnvironmentPolicy,
    candidate: ReleaseCandidate,
    now: datetime,
) -> _Counted:
    counted = _Counted()
    for at, fact in given:
        why = (
            _fault_of_person(fact, environment, candidate, counted.persons)
            or _fault_of_signature(fact, environment, now)
            or _fault_of_time(at, fact, environment, now)
        )
        if why:
            counted.left_out.append(f"{fact.by[:80]} ({fact.role[:40]}): {why}")
        else:
            counted.by_role.setdefault(fact.role, []).append(fact.by)
    return counted


def _fault_of_person(
    fact: Approved, environment: EnvironmentPolicy, candidate: ReleaseCandidate, persons: Sequence[str]
) -> str:
    role = next((each for each in environment.approvals if each.name == fact.role), None)
    if role is None or fact.by not in role.persons:
        return "has no such role"
    if any(may_be_same(fact.by, author) for author in candidate.authors):
        return "is an author"
    return "is counted already" if any(may_be_same(fact.by, other) for other in persons) else ""


def _fault_of_signature(fact: Approved, environment: EnvironmentPolicy, now: datetime) -> str:
    if environment.trust is None or not asks_signature(environment):
        return ""
    try:
        signed = check_approval(fact, environment.trust, now=now)
    except TrustError as error:
        return error.message.removesuffix(".")
    return _fault_of_time(signed, fact, environment, now)


def _fault_of_time(at: datetime, fact: Approved, environment: EnvironmentPolicy, now: datetime) -> str:
    """Return why a yes of that moment does not count now; a signature has a moment of its own."""
    if fact.until.tzinfo is None:
        return "does not say until when"
    until = min(fact.until, at + timedelta(seconds=environment.approval_valid_for_s))
    if at > now + CLOCK_TOLERANCE:
        return f"said so in the future, at {at:%Y-%m-%d %H:%M:%S} UTC"
    return "" if now < until else f"said so until {until:%Y-%m-%d %H:%M:%S} UTC"


def _asked(environment: EnvironmentPolicy, by: str, role: str | None) -> tuple[AskedRole, str]:
    found = [
        (asked, person)
        for asked in environment.approvals
        for person in asked.persons
        if role in (None, asked.name) and may_be_same(person, by)
    ]
    if len(found) != 1:
        roles = ", ".join(asked.name for asked, _ in found)
        why = f"may speak for {roles}: say which by --role" if found else "has no role in it"
        raise PromotionRefused(
            f"'{by}' {why}; {environment.name} asks {_who(environment.approvals) or 'nobody'}.",
            slug="no-role",
            hint="--by NAME; who has which role stands in gates/environments.toml.",
        )
    return found[0]


def _with_authors(candidate: ReleaseCandidate, run: RunView) -> ReleaseCandidate:
    """Return a candidate with all its authors, also those whose names were taken out since its run."""
    known = dict.fromkeys((*candidate.authors, *run.started.candidate.authors))
    return structs.replace(candidate, authors=tuple(known))


def _check_authors(candidate: ReleaseCandidate) -> None:
    if not candidate.authors:
        raise PromotionRefused(
            f"nobody knows the authors of {candidate.name} {candidate.version}, and authors may not approve.",
            slug="authors-unknown",
            hint="`release-gates candidate create` takes them from git.",
        )


def _check_no_author(person: str, candidate: ReleaseCandidate) -> None:
    own = [author for author in candidate.authors if may_be_same(person, author)]
    if own:
        raise PromotionRefused(
            f"{person} is an author of {candidate.name} {candidate.version} ({own[0]}).",
            slug="approved-by-author",
            hint="Somebody else has to approve it.",
        )


def _who(roles: Sequence[AskedRole]) -> str:
    return "; ".join(f"{role.least} of {role.name} ({', '.join(role.persons)})" for role in roles)
