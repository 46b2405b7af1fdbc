"""A run as the ledger knows it: begun, concluded, taken back. pytest and the command line both use it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from msgspec import UNSET

from release_gates.candidate.keep import keep_candidate
from release_gates.candidate.store import ArtifactStore
from release_gates.candidate.verify import verify_artifacts
from release_gates.errors import GateError, LedgerError
from release_gates.host.facts import host_facts
from release_gates.judge.decide import decide, short_parts
from release_gates.judge.gates import own_outcome
from release_gates.ledger.bearing import history
from release_gates.ledger.evidence import EvidenceWriter
from release_gates.ledger.history import ITS_OWN, runs
from release_gates.ledger.opening import without_passwords
from release_gates.ledger.protocol import Ledger
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Event, GateFailed, RunFinished, RunInvalidated, RunStarted
from release_gates.model.evidence import Evidence, RunHeader, Source, TestRecord
from release_gates.model.gate import EnvironmentPolicy, GateSpec, Policy, observed
from release_gates.model.outcome import Outcome
from release_gates.model.record import canonical
from release_gates.model.route import named_route
from release_gates.model.verdict import Verdict
from release_gates.policy.measuring import changed_names
from release_gates.policy.selection import expected_in
from release_gates.policy.snapshot import TOOL_KEY, read_snapshot
from release_gates.session.verdict_file import write_hold, write_verdict

MOST_NAMED = 5
"""So many changed files are named; the rest is counted."""

RUN_VARIABLE = "GATE_RUN"
"""Environment variable by which ``release-gates run`` hands its run over to the pytest that it started."""


def new_run_id(now: datetime) -> str:
    """Return an id that sorts by time and is unique: ``20260131T120000Z-3f9a1c``."""
    return f"{now:%Y%m%dT%H%M%SZ}-{os.urandom(3).hex()}"


def actor() -> str:
    """Return who runs this: ``GATE_ACTOR``, else the operating system's user."""
    import getpass  # loads the terminal's modules, for a name that is often given

    return os.environ.get("GATE_ACTOR") or getpass.getuser()


def begun_for(started: RunStarted) -> tuple[str, str, str, str]:
    """Return what a run is about: environment, route, candidate digest, rules digest."""
    return started.environment, named_route(started.route), started.candidate.digest, started.rules


def header_of(
    run: str,
    environment: EnvironmentPolicy,
    candidate: ReleaseCandidate,
    policy: Policy,
    *,
    command: Sequence[str],
    plugins: Sequence[str] = (),
    sources: Sequence[Source] = (),
) -> RunHeader:
    """Return the first line of an evidence file that this process begins now, on this host."""
    return RunHeader(
        run=run,
        environment=environment.name,
        candidate=candidate,
        rules=policy.digest,
        host=host_facts(),
        actor=actor(),
        command=without_passwords(command),
        plugins=tuple(plugins),
        started=datetime.now(UTC),
        sources=tuple(sources),
        route=environment.route.name if environment.route else UNSET,
    )


class Run:
    """One run of one candidate against one environment's gates, from ``run_started`` to the verdict."""

    def __init__(
        self,
        *,
        policy: Policy,
        snapshot: Mapping[str, str],
        environment: EnvironmentPolicy,
        candidate: ReleaseCandidate,
        ledger: Ledger,
        root: Path,
        candidate_root: Path,
        run: str,
        policy_dir: Path,
        elsewhere: str = "",
        signed: bool = False,
    ) -> None:
        """Take up a run; ``signed`` says that its verdict will be, so that no ledger makes it LOCAL.

        ``snapshot`` was read from ``policy_dir`` and ``root``, and is compared with them at the end.
        ``elsewhere`` is that folder where it is not the project's own: then the verdict is LOCAL.
        """
        self.id = run
        self._policy_dir = policy_dir
        self._elsewhere = elsewhere
        self._local = ledger.local and not signed
        self._policy = policy
        self._snapshot = snapshot
        self._environment = environment
        self._candidate = candidate
        self._ledger = ledger
        self._candidate_root = candidate_root
        self._root = root
        self._state = root / ".gates"

    @property
    def head(self) -> str:
        """The ledger's head digest."""
        return self._ledger.head()

    def default_evidence(self) -> Path:
        """Return where this run's evidence goes if nobody says otherwise."""
        return self._state / "evidence" / f"{self.id}.jsonl"

    def begin(self, evidence: Sequence[Path]) -> None:
        """Check and keep the artifacts and the rules, and tell the ledger; from here on the entry is on HOLD.

        Raises ``CandidateError`` if an artifact is not what its digest says.
        """
        now = datetime.now(UTC)
        write_hold(self._state, self._environment.name, "run in progress", run=self.id, at=now)
        self.keep_inputs()
        started = RunStarted(
            run=self.id,
            environment=self._environment.name,
            candidate=self._candidate,
            rules=self._policy.digest,
            actor=actor(),
            evidence=tuple(self._relative(path) for path in evidence),
            mode="observe" if observed(self._environment, now) else UNSET,
            route=self._environment.route.name if self._environment.route else UNSET,
        )
        self._ledger.append(started, at=now)

    def _relative(self, path: Path) -> str:
        return str(path.relative_to(self._root) if path.is_relative_to(self._root) else path)

    def keep_inputs(self) -> None:
        """Put every artifact file and the rules into the store.

        ``CandidateError`` if an artifact is not what its digest says.
        """
        keep_candidate(self._candidate, self._candidate_root, self._state)
        ArtifactStore(self._state / "artifacts").put_bytes(canonical(dict(self._snapshot)))

    def header(self, command: Sequence[str], plugins: Sequence[str]) -> RunHeader:
        """Return the first line of this run's evidence."""
        return header_of(
            self.id, self._environment, self._candidate, self._policy, command=command, plugins=plugins
        )

    def failed(self, spec: GateSpec, record: TestRecord, *, limit_broken: bool) -> bool:
        """Tell the ledger at once if a test shows its gate to FAIL; return whether it does.

        What is only observed is left to the verdict: told here, it would stick to the digests.
        """
        now = datetime.now(UTC)
        if observed(self._environment, now) or observed(spec, now):
            return False
        own = own_outcome(spec, record)
        if own is not Outcome.FAIL and not limit_broken:
            return False
        fact = GateFailed(
            run=self.id,
            environment=self._environment.name,
            candidate=self._candidate.digest,
            gate=spec.name,
            test=record.id,
            because=record.because or "a limit is broken",
        )
        self._ledger.append(fact, at=now)
        return True

    def end_evidence(self, writer: EvidenceWriter, problems: Sequence[str]) -> None:
        """Close the evidence: how the run ended, and whether artifacts and rules are still the same."""
        changed = verify_artifacts(self._candidate, self._candidate_root)
        writer.end(ended=datetime.now(UTC), problems=(*problems, *changed, *self._changed_rules()))

    def _changed_rules(self) -> Iterator[str]:
        try:
            now = read_snapshot(self._policy_dir, tool=self._snapshot[TOOL_KEY], root=self._root)
        except GateError as error:
            yield f"the rules cannot be read any more: {error}"
            return
        if changed := changed_names(self._snapshot, now):
            more = f" and {len(changed) - MOST_NAMED} more" if len(changed) > MOST_NAMED else ""
            yield f"the rules changed while the run was going: {', '.join(changed[:MOST_NAMED])}{more}"

    def conclude(self, evidence: Sequence[Evidence]) -> Verdict:
        """Decide, commit the verdict to the ledger, and only then tell the verdict file."""
        now = datetime.now(UTC)
        event = self._ledger.append_after(lambda events: self._finished(evidence, events, now), at=now)
        verdict = cast(RunFinished, event.fact).verdict
        write_verdict(self._state, verdict, self._ledger.head())
        return verdict

    def _finished(self, evidence: Sequence[Evidence], events: Sequence[Event], now: datetime) -> RunFinished:
        known = history(
            events,
            candidate=self._candidate.digest,
            environment=self._environment.name,
            rules=self._policy.digest,
            run=self.id,
        )
        verdict = decide(
            self._environment,
            rules=self._policy.digest,
            expected=expected_in(self._policy, self._environment),
            evidence=evidence,
            history=known,
            now=now,
            local=self._local,
            run=self.id,
            waivers=self._policy.waivers,
            elsewhere=self._elsewhere,
        )
        short = short_parts(self._environment, evidence=evidence, history=known, now=now)
        return RunFinished(run=self.id, verdict=verdict, short=short or UNSET)

    def check_begun(self, evidence: Path) -> None:
        """Refuse to join a run that the ledger does not know as just begun for exactly this."""
        events = tuple(self._ledger.events())
        view = next((view for view in runs(events) if view.started.run == self.id), None)
        entry = self._environment
        asked = (entry.name, entry.route_name, self._candidate.digest, self._policy.digest)
        failed = any(isinstance(event.fact, GateFailed) and event.fact.run == self.id for event in events)
        if (
            view is None
            or view.verdict is not None
            or failed
            or begun_for(view.started) != asked
            or view.started.evidence != (self._relative(evidence),)
        ):
            raise LedgerError(
                f"run {self.id} was not begun for this environment, candidate, policy and evidence file, "
                "or is not fresh.",
                slug="run-not-begun",
                hint="Start it by `release-gates run`, and change nothing while it runs.",
            )

    def take_back(self, reason: str) -> None:
        """Invalidate this run after its verdict; the file says so also where the ledger refuses."""
        now = datetime.now(UTC)
        write_hold(self._state, self._environment.name, reason, run=self.id, at=now)
        self._ledger.append(RunInvalidated(run=self.id, by=ITS_OWN, reason=reason), at=now)
