"""Every reason to refuse a promotion. Each check is silent, or raises ``PromotionRefused``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import dropwhile
from pathlib import Path

from release_gates.candidate.store import ArtifactStore
from release_gates.errors import PromotionRefused
from release_gates.ledger.history import RunView, failures, live_in, live_since, runs
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Adopted, Event, PriorFailure, Promoted, RolledBack
from release_gates.model.gate import EnvironmentPolicy, observed
from release_gates.model.outcome import Severity
from release_gates.model.record import CLOCK_TOLERANCE
from release_gates.model.verdict import Verdict


def check_candidate(candidate: ReleaseCandidate) -> None:
    """Refuse a candidate that identifies nothing."""
    if not candidate.artifacts:
        raise PromotionRefused(
            f"{candidate.name} {candidate.version} has no artifact, so nothing is identified.",
            slug="nothing-to-promote",
            hint="`release-gates candidate create` records what was built.",
        )


def newest_run(
    views: Sequence[RunView], environment: EnvironmentPolicy, candidate: ReleaseCandidate, rules: str
) -> RunView:
    """Return the newest run of exactly these digests; it has to be one under these rules, too.

    Newer ones on another route count for nothing where each stands for a PROMOTE under these rules: none of
    them speaks against this one. Whatever else is newer counts.
    """
    entries = [view for view in views if view.started.environment == environment.name]
    own = [view for view in entries if view.started.candidate.digest == candidate.digest]
    again = f"`release-gates run {environment.name}`"
    if not own:
        raise PromotionRefused(
            f"no run ever measured {_name(candidate)} for the entry to {environment.name}{_other(entries)}.",
            slug="never-measured",
            hint=f"{again} measures it.",
        )

    def beside(view: RunView) -> bool:
        return view.promotes and view.started.rules == rules and view.route_name != environment.route_name

    newest = next(dropwhile(beside, reversed(own)), own[-1])
    if newest.route_name != environment.route_name or not newest.promotes:
        newest = own[-1]
    if newest.started.rules != rules:
        raise PromotionRefused(
            f"the rules changed since run {newest.started.run}: "
            f"it was decided under {newest.started.rules[:12]}, the rules are now {rules[:12]}.",
            slug="rules-changed",
            hint=f"Run the gate again: {again}; `release-gates check --against REF` names what changed.",
        )
    return newest


def check_verdict(run: RunView, environment: EnvironmentPolicy, *, now: datetime, local: bool) -> Verdict:
    """Return the run's verdict if it is a PROMOTE that is in force and fresh.

    Where the whole entry is only observed, now as well as when it was decided, a HOLD will do.
    """
    name, verdict = run.started.run, run.verdict
    again = f"`release-gates run {environment.name}`"
    if run.invalidated:
        raise PromotionRefused(
            f"run {name} was invalidated: {run.invalidated}.", slug="run-invalidated", hint=f"{again} again."
        )
    if verdict is None:
        raise PromotionRefused(
            f"the newest run {name} has no verdict: it is in progress, or was killed.",
            slug="run-unfinished",
            hint=f"Wait for it, or {again} again.",
        )
    _check_still_observed(name, verdict, environment, now)
    if verdict.is_observed:
        _check_age(name, verdict, environment, now)
        return verdict
    if not verdict.promotes:
        raise PromotionRefused(
            f"the newest run {name} ended in {verdict.title}: {verdict.because}.",
            slug="verdict-is-hold",
            hint=f"`release-gates explain {environment.name}`.",
        )
    _check_sound(name, verdict, environment)
    if (verdict.local or local) and not environment.local_may_promote:
        raise PromotionRefused(
            f"the verdict of run {name} is LOCAL, and {environment.name} does not accept that.",
            slug="local-verdict",
            hint="Run it against a ledger that is not local, or set local_may_promote in gates/.",
        )
    _check_age(name, verdict, environment, now)
    _check_waivers(name, verdict, environment, now)
    return verdict


def check_no_failure(
    events: Sequence[Event], run: RunView, candidate: ReleaseCandidate, environment: str
) -> None:
    """Refuse where a gate failed for these digests and the verdict does not know of it."""
    failure = next(unaccounted(events, run, candidate, environment), None)
    if failure is not None:
        raise PromotionRefused(
            f"gate {failure.gate} failed for these digests in run {failure.run}, and the verdict of run "
            f"{run.started.run} does not take that into account: {failure.because}.",
            slug="failed-since",
            hint="Mend it and measure the new candidate; or somebody else, with a reason, "
            f"`release-gates invalidate {failure.run}`, then run the gate again.",
        )


def unaccounted(
    events: Sequence[Event], run: RunView, candidate: ReleaseCandidate, environment: str
) -> Iterator[PriorFailure]:
    """Yield each FAIL of these digests that the verdict of a run does not know of, or does not waive."""
    for seq, failure in failures(events, candidate=candidate.digest, environment=environment):
        own = failure.run == run.started.run
        if seq > run.verdict_seq or (own and not is_waived(run, failure)):
            yield failure


def check_stored(candidate: ReleaseCandidate, root: Path) -> None:
    """Refuse by ``CandidateError`` unless every artifact file in the store is what its digest says."""
    store = ArtifactStore(root / ".gates/artifacts")
    for artifact in candidate.artifacts:
        if artifact.path:
            store.get(artifact.sha256)


def check_still(
    events: Sequence[Event], run: str, candidate: ReleaseCandidate, environment: str
) -> tuple[RunView, Verdict]:
    """Return on what a deployment was begun, unless it was invalidated or a gate failed since."""
    own = [
        view for view in runs(events) if view.started.run == run and view.started.environment == environment
    ]
    verdict = own[0].verdict if len(own) == 1 else None
    if verdict is None or own[0].started.candidate.digest != candidate.digest:
        raise PromotionRefused(
            f"the ledger has no verdict of run '{run}' on {_name(candidate)}.",
            slug="run-unfinished",
            hint="`release-gates verify`.",
        )
    if own[0].invalidated:
        raise PromotionRefused(
            f"run {run} was invalidated since: {own[0].invalidated}.",
            slug="run-invalidated",
            hint=f"`release-gates run {environment}` again.",
        )
    check_no_failure(events, own[0], candidate, environment)
    return own[0], verdict


def check_evidence(run: RunView, verdict: Verdict, root: Path) -> None:
    """Refuse unless each evidence file is there, byte for byte what the verdict was decided on."""
    name, files, digests = run.started.run, run.started.evidence, verdict.inputs.evidence
    if not digests or len(files) != len(digests):
        raise _evidence_changed(f"run {name} names {len(files)} evidence file(s), its verdict {len(digests)}")
    for file, digest in zip(files, digests, strict=True):
        if (found := _sha256(root / file, name)) != digest:
            raise _evidence_changed(
                f"{root / file}: is not what run {name} was decided on: "
                f"its SHA-256 is {found[:12]}, the verdict names {digest[:12]}"
            )


def check_live(events: Sequence[Event], run: RunView, candidate: ReleaseCandidate, environment: str) -> None:
    """Refuse what is live already, and a verdict on the difference from what is live no longer."""
    live = live_in(events, environment)
    if live is None:
        return
    since = f"{live.since:%Y-%m-%d %H:%M} UTC"
    if live.candidate is not None and live.candidate.digest == candidate.digest:
        raise PromotionRefused(
            f"{_name(candidate)} is already live in {environment} since {since}{_by(events, environment)}.",
            slug="already-live",
            hint="Nothing is left to do.",
        )
    if live_since(events, environment) > run.verdict_seq:
        what = "nothing" if live.candidate is None else _name(live.candidate)
        raise PromotionRefused(
            f"since run {run.started.run} was decided, what is live in {environment} changed: it is "
            f"{what} since {since}.",
            slug="baseline-changed",
            hint=f"`release-gates run {environment}` compares with what is live now.",
        )


def _by(events: Sequence[Event], environment: str) -> str:
    """Return who said last what is live."""
    facts = [event.fact for event in events if event.seq == live_since(events, environment)]
    return "".join(f", by {fact.by}" for fact in facts if isinstance(fact, (Adopted, Promoted, RolledBack)))


def _check_still_observed(name: str, verdict: Verdict, environment: EnvironmentPolicy, now: datetime) -> None:
    """Refuse a verdict that only observed what is enforced now, whatever it says."""
    asked = {gate.name for gate in environment.gates if observed(gate, now)}
    enforced = [f"gate {gate.name}" for gate in verdict.gates if gate.is_observed and gate.name not in asked]
    if verdict.is_observed and not observed(environment, now):
        enforced.insert(0, f"the entry to {environment.name}")
    if enforced:
        raise PromotionRefused(
            f"run {name} only observed {', '.join(enforced)}, which is enforced now.",
            slug="verdict-observed",
            hint=f"Decide under enforcement: `release-gates run {environment.name}`.",
        )


def _check_sound(name: str, verdict: Verdict, environment: EnvironmentPolicy) -> None:
    """Refuse a PROMOTE that its own parts contradict, whoever wrote it."""
    judged = {gate.name: gate for gate in verdict.gates if gate.severity is Severity.BLOCKING}
    asked = {gate.name for gate in environment.gates if gate.severity is Severity.BLOCKING}
    bad = sorted(gate.name for gate in judged.values() if not (gate.outcome.promotes or gate.is_observed))
    absent = sorted(asked - judged.keys())
    if judged and all(gate.is_observed for gate in judged.values()):
        absent.append("every gate is only observed")
    if verdict.reasons or verdict.kind or bad or absent or not environment.gates:
        named = ", ".join([*bad, *absent]) or "; ".join(reason.sentence for reason in verdict.reasons)
        raise PromotionRefused(
            f"run {name} says PROMOTE, and its own record does not bear that out ({named or 'no gate'}).",
            slug="verdict-unsound",
            hint=f"`release-gates replay {name}` decides it again; then run the gate again.",
        )


def is_waived(run: RunView, failure: PriorFailure) -> bool:
    """Tell whether a run's own verdict says of exactly this failure that it is waived."""
    gates = run.verdict.gates if run.verdict else ()
    parts = [part for gate in gates if gate.name == failure.gate for part in gate.waived]
    return any(part.test == failure.test and part.waived for part in parts)


def _check_waivers(name: str, verdict: Verdict, environment: EnvironmentPolicy, now: datetime) -> None:
    """Refuse a verdict that rests on a waiver which has ended since, or that nobody answers for."""
    for part in (part for gate in verdict.gates for part in gate.waived):
        waived = part.waived
        if not waived:
            raise PromotionRefused(
                f"run {name} says that something is waived, and not by whom: {part.because}.",
                slug="verdict-unsound",
                hint=f"`release-gates replay {name}` decides it again; then run the gate again.",
            )
        if not now < waived.expires:
            raise PromotionRefused(
                f"the verdict of run {name} rests on waiver {waived.waiver}, which expired at "
                f"{waived.expires:%Y-%m-%d %H:%M:%S} UTC.",
                slug="waiver-expired",
                hint=f"Mend it; or renew the waiver, and `release-gates run {environment.name}` again.",
            )


def _check_age(name: str, verdict: Verdict, environment: EnvironmentPolicy, now: datetime) -> None:
    age = now - verdict.decided
    most = timedelta(seconds=min(gate.valid_for_s for gate in environment.gates))
    if age < -CLOCK_TOLERANCE:
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


def _sha256(path: Path, run: str) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise PromotionRefused(
            f"{path}: the evidence of run {run} cannot be read ({error.strerror or error}).",
            slug="evidence-absent",
            hint="Bring it back, or run again.",
        ) from error


def _evidence_changed(sentence: str) -> PromotionRefused:
    return PromotionRefused(
        f"{sentence}.", slug="evidence-changed", hint="Bring the original back, or run again."
    )


def _other(entries: Sequence[RunView]) -> str:
    if not entries:
        return ""
    newest = entries[-1].started
    return f"; the newest run there, {newest.run}, was of other digests: {_name(newest.candidate)}"


def _name(candidate: ReleaseCandidate) -> str:
    return f"{candidate.name} {candidate.version} ({candidate.digest[:12]})"
