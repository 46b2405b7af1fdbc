"""Promotion: the ledger event, and every reason to refuse it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from release_gates.errors import LedgerError, PromotionRefused
from release_gates.ledger.history import RunView, live_in, runs
from release_gates.ledger.protocol import Ledger
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Adopted, Event, FirstRelease, Promoted, RunInvalidated
from release_gates.model.gate import EnvironmentPolicy
from release_gates.model.verdict import Verdict


def promote(
    ledger: Ledger,
    *,
    environment: EnvironmentPolicy,
    candidate: ReleaseCandidate,
    rules: str,
    by: str,
    now: datetime,
    root: Path,
    heads: Sequence[str] = (),
) -> Event:
    """Record that a candidate enters an environment, or refuse by ``PromotionRefused``.

    The newest run for exactly these digests and rules has to stand for a PROMOTE that is fresh, and the
    evidence that it was decided on has to be unchanged. Checked and appended with nobody in between.
    """
    if damage := ledger.verify(heads=heads):
        raise PromotionRefused(
            f"the ledger is damaged: {damage[0].sentence} ({len(damage)} finding(s)).",
            slug="ledger-damaged",
            hint="`release-gates verify` names all; bring the ledger back from its backup.",
        )

    def checked(events: Sequence[Event]) -> Promoted:
        run = _newest(runs(events), environment.name, candidate, rules)
        _check_verdict(run, environment, now)
        _check_evidence(run, root)
        _check_not_live(events, environment.name, candidate)
        return Promoted(environment=environment.name, candidate=candidate, run=run.started.run, by=by)

    return ledger.append_after(checked, at=now)


def adopt(
    ledger: Ledger, *, environment: str, candidate: ReleaseCandidate, by: str, reason: str, now: datetime
) -> Event:
    """Record that a candidate is live already, without a promotion of ours."""
    _check_reason(reason)
    return ledger.append(
        Adopted(environment=environment, candidate=candidate, by=by, reason=reason.strip()), at=now
    )


def first_release(ledger: Ledger, *, environment: str, by: str, reason: str, now: datetime) -> Event:
    """Record that nothing is live yet; refused where the ledger knows of something live."""
    _check_reason(reason)

    def checked(events: Sequence[Event]) -> FirstRelease:
        live = live_in(events, environment)
        if live is not None and live.candidate is not None:
            raise PromotionRefused(
                f"{live.candidate.name} {live.candidate.version} is live in {environment} since "
                f"{live.since:%Y-%m-%d %H:%M} UTC, so this is no first release.",
                slug="not-first-release",
            )
        return FirstRelease(environment=environment, by=by, reason=reason.strip())

    return ledger.append_after(checked, at=now)


def invalidate(ledger: Ledger, *, run: str, by: str, reason: str, now: datetime) -> Event:
    """Record that a run counts for nothing; by somebody else than who ran it."""
    _check_reason(reason)

    def checked(events: Sequence[Event]) -> RunInvalidated:
        view = next((view for view in runs(events) if view.started.run == run), None)
        if view is None:
            raise LedgerError(
                f"the ledger knows no run '{run}'.",
                slug="unknown-run",
                hint="`release-gates status` lists runs.",
            )
        if by.strip().casefold() == view.started.actor.strip().casefold():
            raise PromotionRefused(
                f"{by} ran {run}; somebody else has to invalidate it.",
                slug="invalidated-by-runner",
                hint="--by names the person who decided this.",
            )
        return RunInvalidated(run=run, by=by.strip(), reason=reason.strip())

    return ledger.append_after(checked, at=now)


def _newest(views: Sequence[RunView], environment: str, candidate: ReleaseCandidate, rules: str) -> RunView:
    of_candidate = [
        view
        for view in views
        if view.started.environment == environment and view.started.candidate.digest == candidate.digest
    ]
    if not of_candidate:
        raise PromotionRefused(
            f"no run ever measured {candidate.name} {candidate.version} (digest {candidate.digest[:12]}) "
            f"for the entry to {environment}.",
            slug="never-measured",
            hint=f"`release-gates run {environment}` measures it.",
        )
    newest = of_candidate[-1]
    if newest.started.rules != rules:
        raise PromotionRefused(
            f"the rules changed since run {newest.started.run}: "
            f"it was decided under {newest.started.rules[:12]}, gates/ is now {rules[:12]}.",
            slug="rules-changed",
            hint=f"`release-gates run {environment}` decides under the rules of today.",
        )
    return newest


def _check_verdict(run: RunView, environment: EnvironmentPolicy, now: datetime) -> None:
    name, verdict = run.started.run, run.verdict
    if run.invalidated:
        raise PromotionRefused(f"run {name} was invalidated: {run.invalidated}.", slug="run-invalidated")
    if verdict is None:
        raise PromotionRefused(
            f"the newest run {name} has no verdict: it is in progress, or was killed.",
            slug="run-unfinished",
            hint=f"Wait for it, or `release-gates run {environment.name}` again.",
        )
    if not verdict.promotes:
        raise PromotionRefused(
            f"the newest run {name} ended in {verdict.title}: {verdict.because}.",
            slug="verdict-is-hold",
            hint=f"`release-gates explain {environment.name}`.",
        )
    if verdict.local and not environment.local_may_promote:
        raise PromotionRefused(
            f"the verdict of run {name} is LOCAL, and {environment.name} does not accept that.",
            slug="local-verdict",
        )
    _check_age(name, verdict, environment, now)


def _check_age(name: str, verdict: Verdict, environment: EnvironmentPolicy, now: datetime) -> None:
    age = now - verdict.decided
    most = timedelta(seconds=min(gate.valid_for_s for gate in environment.gates))
    if age < timedelta(0):
        raise PromotionRefused(
            f"run {name} was decided at {verdict.decided:%Y-%m-%d %H:%M:%S} UTC, after now "
            f"({now:%Y-%m-%d %H:%M:%S}).",
            slug="verdict-from-the-future",
            hint="Set the clock right (chronyc tracking).",
        )
    if age > most:
        raise PromotionRefused(
            f"the verdict of run {name} is {age.total_seconds() / 3600:.1f} h old; it is valid for "
            f"{most.total_seconds() / 3600:g} h.",
            slug="verdict-stale",
            hint=f"`release-gates run {environment.name}` again.",
        )


def _check_evidence(run: RunView, root: Path) -> None:
    name, decided_on = run.started.run, run.verdict.inputs.evidence if run.verdict else ()
    found = tuple(_sha256(root / path, name) for path in run.started.evidence)
    if found != decided_on:
        raise PromotionRefused(
            f"{', '.join(run.started.evidence)}: the evidence of run {name} is not that of its verdict.",
            slug="evidence-changed",
            hint="Bring the original back, or run again.",
        )


def _sha256(path: Path, run: str) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise PromotionRefused(
            f"{path}: the evidence of run {run} cannot be read ({error.strerror or error}).",
            slug="evidence-absent",
            hint="Bring it back, or run again.",
        ) from error


def _check_not_live(events: Sequence[Event], environment: str, candidate: ReleaseCandidate) -> None:
    live = live_in(events, environment)
    if live is not None and live.candidate is not None and live.candidate.digest == candidate.digest:
        raise PromotionRefused(
            f"{candidate.name} {candidate.version} is live in {environment} already, "
            f"since {live.since:%Y-%m-%d %H:%M} UTC.",
            slug="already-live",
        )


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise PromotionRefused(
            "a reason is needed, and this one is empty.", slug="no-reason", hint="--reason TEXT."
        )
