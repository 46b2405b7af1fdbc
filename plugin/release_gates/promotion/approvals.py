"""A named person's yes to one promotion. Pure but for the ledger: one no blocks, and no author says yes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal

from release_gates.errors import PromotionRefused
from release_gates.ledger.history import RunView
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Approved, Event
from release_gates.model.gate import AskedRole, EnvironmentPolicy
from release_gates.model.person import may_be_same
from release_gates.model.record import digest
from release_gates.model.verdict import Verdict


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
    """
    if not environment.approvals:
        return
    _check_authors(candidate)
    given = list(_answers(events, run, verdict, environment.name, candidate))
    if refusal := next((fact for _, fact in given if fact.answer == "no"), None):
        raise PromotionRefused(
            f"{refusal.by} ({refusal.role}) refused the promotion on run {refusal.run}: {refusal.reason}.",
            slug="approval-refused",
            hint="Another verdict may be approved: mend it, and run the gate again.",
        )
    counted = _counted(given, environment, candidate, now)
    short = [role for role in environment.approvals if len(counted.get(role.name, ())) < role.least]
    if short:
        missing = ", ".join(
            f"{role.name} {len(counted.get(role.name, ()))} of {role.least}" for role in short
        )
        raise PromotionRefused(
            f"the promotion to {environment.name} on run {run.started.run} is not approved: {missing}.",
            slug="not-approved",
            hint=f"`release-gates approve {environment.name}`, by {_who(short)}; by no author.",
        )


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
        _check_no_author(person, candidate)
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


def _counted(
    given: Sequence[tuple[datetime, Approved]],
    environment: EnvironmentPolicy,
    candidate: ReleaseCandidate,
    now: datetime,
) -> dict[str, list[str]]:
    """Return who said yes for each role, in a way that counts now."""
    counted: dict[str, list[str]] = {}
    persons: list[str] = []
    lasting = timedelta(seconds=environment.approval_valid_for_s)
    for at, fact in given:
        role = next((each for each in environment.approvals if each.name == fact.role), None)
        fresh = at <= now < min(fact.until, at + lasting)
        if role is None or fact.by not in role.persons or not fresh:
            continue
        if any(may_be_same(fact.by, other) for other in (*persons, *candidate.authors)):
            continue
        persons.append(fact.by)
        counted.setdefault(role.name, []).append(fact.by)
    return counted


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
