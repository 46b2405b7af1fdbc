"""A proof: the clean system first, then each planted defect on its gate, one row after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from release_gates.model.outcome import Outcome, Severity
from release_gates.model.proof import CleanGate, Matrix, Proof, ProofOutcome
from release_gates.proof.assess import Finding, Judged, classify, is_red
from release_gates.proof.bench import Bench, NotPlanted, Planted
from release_gates.proof.registry import CLEAN, Defect, Registry


class Tell(Protocol):
    """Hears how the proof gets on: what begins, and in a word how it ended."""

    def begins(self, number: int, of: int, what: str) -> None:
        """Hear what begins."""

    def ended(self, outcome: str) -> None:
        """Hear how it ended."""


class Proving:
    """One proof of one environment's gates. Gates are measured on the clean system once each."""

    def __init__(self, bench: Bench, registry: Registry, tell: Tell) -> None:
        self._bench = bench
        self._registry = registry
        self._tell = tell
        self._clean: Planted | None = None
        self._why_not = ""
        self._on_clean: dict[str, CleanGate] = {}
        self.spoiled = ""
        """Why the system may not be clean any more; "" while every ``undo`` did its work."""

    def prove(self, defects: Sequence[Defect]) -> Matrix:
        """Return the matrix of these defects. Raises ``Stopped``; then every ``undo`` has run."""
        environment, policy = self._bench.environment, self._bench.policy
        declared = self._registry.declared(environment)
        guarded = [defect for defect in defects if environment.gate(defect.gate)]
        unguarded = [defect for defect in defects if defect.unguarded]
        steps = len(guarded) + bool(guarded)
        if guarded:
            self._begin(guarded, steps)
        proofs = [self._told(defect, number, steps) for number, defect in enumerate(guarded, start=2)]
        return Matrix(
            environment=environment.name,
            rules=policy.digest,
            candidate=self._clean.candidate.digest if self._clean else "",
            clean=tuple(self._on_clean.values()),
            proofs=(*proofs, *(_row(each, ProofOutcome.UNGUARDED, each.unguarded) for each in unguarded)),
            declared=declared,
            bare=tuple(gate for gate, number in declared.items() if not number),
            advisory=tuple(gate.name for gate in environment.gates if gate.severity is not Severity.BLOCKING),
            elsewhere=tuple(
                each.name for each in defects if not (environment.gate(each.gate) or each.unguarded)
            ),
        )

    # -- the clean system -------------------------------------------------------------------------

    def _begin(self, guarded: Sequence[Defect], steps: int) -> None:
        self._tell.begins(1, steps, "the clean system")
        try:
            self._clean = self._bench.plant(CLEAN, self._registry.clean)
        except NotPlanted as error:
            self._why_not = str(error)
        greens = [self._clean_gate(gate) for gate in dict.fromkeys(defect.gate for defect in guarded)]
        red = ", ".join(f"{clean.gate} {clean.outcome}" for clean in greens if not clean.green)
        self._tell.ended(red or "green")

    def _clean_gate(self, name: str) -> CleanGate:
        if name not in self._on_clean:
            self._on_clean[name] = _clean(name, self._judged_clean(name))
        return self._on_clean[name]

    def _judged_clean(self, name: str) -> Judged:
        if self._clean is None:
            return Judged(None, f"there is no clean system: {self._why_not}")
        return self._measured(self._clean, name)

    def _measured(self, planted: Planted, name: str) -> Judged:
        gate = self._bench.environment.gate(name)
        if gate is None:
            return Judged(None, f"the policy has no gate {name}")
        return self._bench.measure(planted, gate)

    # -- one defect -------------------------------------------------------------------------------

    def _told(self, defect: Defect, number: int, steps: int) -> Proof:
        self._tell.begins(number, steps, f"{defect.name} ({defect.gate})")
        proof = self._proof(defect)
        self._tell.ended(proof.outcome)
        return proof

    def _proof(self, defect: Defect) -> Proof:
        clean = self._clean_gate(defect.gate)
        if not clean.green:
            return _row(defect, ProofOutcome.NOT_PROVEN, clean.sentence)
        if self.spoiled:
            return _row(defect, ProofOutcome.NOT_PROVEN, f"not tried: {self.spoiled}")
        try:
            planted, finding, others = self._tried(defect)
        finally:
            left = self._undone(defect)
        if left := left or self._red_after(defect, others):
            before = f"{finding.said}; " if finding.outcome is ProofOutcome.NOT_PROVEN else ""
            finding = Finding(ProofOutcome.NOT_PROVEN, before + left)
        elif finding.outcome is ProofOutcome.MISSED:
            finding = self._missed(defect, finding, others)
        digest = planted.candidate.digest if planted else ""
        return _row(defect, finding.outcome, finding.said, tests=finding.tests, candidate=digest)

    def _undone(self, defect: Defect) -> str:
        """Take a defect back, whatever came of it; return why that failed, or ""."""
        why = self._bench.undo(defect.name, defect.undo) if defect.undo else ""
        return self._not_undone(defect, f"the undo failed: {why}") if why else ""

    def _red_after(self, defect: Defect, others: Sequence[str]) -> str:
        """Measure the clean system again: an ``undo`` that ends with 0 need not have undone anything."""
        for name in (defect.gate, *others) if defect.undo else ():
            before, after = self._on_clean.get(name), _clean(name, self._judged_clean(name))
            if not after.green and (before is None or before.green):
                return self._not_undone(defect, f"after the undo, {after.sentence}: {after.because}")
        return ""

    def _not_undone(self, defect: Defect, why: str) -> str:
        self.spoiled = f"{defect.name} is not undone, so the system may not be clean any more ({why})"
        return why

    def _missed(self, defect: Defect, finding: Finding, others: Sequence[str]) -> Finding:
        red = [name for name in others if self._clean_gate(name).green]
        if not red:
            return finding._replace(said=f"{finding.said}, and no other gate went red")
        return Finding(ProofOutcome.WRONG_GATE, f"{' and '.join(red)} went red, {defect.gate} did not")

    def _tried(self, defect: Defect) -> tuple[Planted | None, Finding, list[str]]:
        """Return the known-bad candidate, what its gate says, and if that missed it, which others are red."""
        try:
            planted = self._bench.plant(defect.name, defect.apply)
        except NotPlanted as error:
            return None, Finding(ProofOutcome.NOT_PROVEN, str(error)), []
        if self._is_clean(planted) and not defect.undo:
            return planted, Finding(ProofOutcome.NOT_PROVEN, _EQUAL), []
        finding = classify(defect.message, self._measured(planted, defect.gate), defect.outcome)
        if finding.outcome is not ProofOutcome.MISSED:
            return planted, finding, []
        names = [gate.name for gate in self._bench.environment.gates if gate.name != defect.gate]
        return planted, finding, [name for name in names if is_red(self._measured(planted, name))]

    def _is_clean(self, planted: Planted) -> bool:
        return self._clean is not None and planted.candidate.digest == self._clean.candidate.digest


_EQUAL = (
    "its candidate has the clean one's digests, so the defect was not planted in it "
    "(one that is planted elsewhere has an undo)"
)


def _clean(name: str, judged: Judged) -> CleanGate:
    gate = judged.gate
    if judged.because or gate is None:
        return CleanGate(gate=name, outcome=Outcome.ERROR, because=judged.because)
    return CleanGate(gate=name, outcome=gate.outcome, because=gate.because)


def _row(
    defect: Defect,
    outcome: ProofOutcome,
    said: str,
    *,
    tests: tuple[str, ...] = (),
    candidate: str = "",
) -> Proof:
    return Proof(
        defect=defect.name,
        gate=defect.gate,
        outcome=outcome,
        message=defect.message,
        said=said,
        tests=tests,
        candidate=candidate,
    )
