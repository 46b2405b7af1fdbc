"""A verdict with its evidence, keys that were made just now, and everything signed by them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from securesystemslib.signer import CryptoSigner

from release_gates.ledger.attestations.checks import Signed, Wanted, check_attestations
from release_gates.ledger.attestations.envelope import sealed
from release_gates.ledger.attestations.files import signed_lines
from release_gates.ledger.attestations.keys import public_of
from release_gates.ledger.evidence import EvidenceWriter, read_evidence
from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.model.evidence import Evidence, HostFacts, RunHeader, TestRecord
from release_gates.model.outcome import Outcome, Severity
from release_gates.model.trust import Trust, TrustedKey
from release_gates.model.verdict import CandidateName, GateJudgement, Inputs, TestProblem, Verdict

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
RULES = "a" * 64
HOST = HostFacts(
    hostname="h", cpu_model="c", cores=1, numa_nodes=1, kernel="k", governor="", python="3", fingerprint="f"
)


def new_signer() -> CryptoSigner:
    """Return a key of this moment; none is ever stored with the tests."""
    signer = CryptoSigner.generate_ed25519()
    signer.public_key.keyid = public_of(signer)
    return signer


def trusted(signer: CryptoSigner, **changes: Any) -> TrustedKey:
    made = TrustedKey(
        name="ci",
        public=public_of(signer),
        holder="machine",
        roles=("evidence", "verdict"),
        valid_from=date(2026, 1, 1),
        valid_until=date(2026, 12, 31),
    )
    return msgspec.structs.replace(made, **changes)


def candidate(content: str = "1", name: str = "engine") -> ReleaseCandidate:
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    return ReleaseCandidate(
        name=name, version="1.1.0", commit="abc", artifacts=(Artifact(name="a", sha256=sha256, path="a"),)
    )


def evidence(
    folder: Path, run: str = "run-1", *, outcome: Outcome = Outcome.PASS, because: str = ""
) -> Evidence:
    header = RunHeader(
        run=run,
        environment="staging",
        candidate=candidate(),
        rules=RULES,
        host=HOST,
        actor="x",
        command=(),
        plugins=(),
        started=NOW,
    )
    path = folder / f"{run}.jsonl"
    writer = EvidenceWriter(path, header)
    writer.write(TestRecord(id="s.py::a", gate="smoke", outcome=outcome, because=because, finished=NOW))
    writer.end(ended=NOW, problems=())
    return read_evidence(path)


def judged(outcome: Outcome = Outcome.PASS, **changes: Any) -> GateJudgement:
    problem = TestProblem(test="s.py::a", outcome=outcome, because="so it is")
    made = GateJudgement(
        name="smoke",
        owner="me",
        severity=Severity.BLOCKING,
        outcome=outcome,
        because="",
        expected=1,
        ran=1,
        limits=(),
        problems=() if outcome is Outcome.PASS else (problem,),
    )
    return msgspec.structs.replace(made, **changes)


def verdict(of: Evidence, *gates: GateJudgement, run: str = "run-1", **changes: Any) -> Verdict:
    gates = gates or (judged(),)
    promotes = all(gate.outcome.promotes for gate in gates)
    made = Verdict(
        verdict="PROMOTE" if promotes else "HOLD",
        kind="" if promotes else "not proven",
        because="",
        environment="staging",
        candidate=CandidateName(name="engine", version="1.1.0", commit="abc", digest=candidate().digest),
        run=run,
        local=False,
        attempt=1,
        attempts_allowed=3,
        decided=NOW,
        gates=gates,
        reasons=(),
        inputs=Inputs(rules=RULES, evidence=(of.sha256,), history="h"),
    )
    return msgspec.structs.replace(made, **changes)


@dataclass
class SignedWorld:
    """One signed verdict, and how it is looked at."""

    folder: Path
    signer: CryptoSigner = field(default_factory=new_signer)

    def __post_init__(self) -> None:
        self.evidence = evidence(self.folder)
        self.verdict = verdict(self.evidence)
        self.lines = self.sign()

    @property
    def trust(self) -> Trust:
        return Trust(keys=(trusted(self.signer),))

    def sign(
        self,
        of: Verdict | None = None,
        *,
        about: ReleaseCandidate | None = None,
        at: datetime = NOW,
        by: CryptoSigner | None = None,
    ) -> tuple[bytes, ...]:
        return signed_lines(
            [self.evidence],
            of or self.verdict,
            about or candidate(),
            lambda statement: sealed(statement, by or self.signer),
            now=at,
        )

    def check(
        self,
        lines: tuple[bytes, ...] | None = None,
        *,
        trust: Trust | None = None,
        now: datetime | None = NOW + timedelta(hours=1),
        **changes: Any,
    ) -> Signed:
        facts = {"candidate": candidate(), "environment": "staging", "rules": RULES, "verdict": self.verdict}
        wanted = Wanted(**{**facts, **changes}, now=now, most=timedelta(hours=24))  # type: ignore[arg-type]
        return check_attestations(self.lines if lines is None else lines, trust or self.trust, wanted)
