"""A proof: the clean system first, then each planted defect on its gate.

One after the other; with several jobs, what is planted in candidates alone is measured side by side, and the
clean system was measured in such company before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

from release_gates.model.outcome import Outcome, Severity
from release_gates.model.proof import CleanGate, Matrix, Proof, ProofOutcome
from release_gates.proof.assess import Finding, Judged, classify, is_red
from release_gates.proof.bench import Bench, NotPlanted, Planted
from release_gates.proof.registry import CLEAN, Defect, Registry


class Tell(Protocol):
    """Hears how the proof gets on."""

    def begins(self, number: int, of: int, what: str) -> Callable[[str], None]:
        """Hear what begins; what is returned hears, in a word, how it ended."""


class Tried(NamedTuple):
    """A defect that was planted and measured: its candidate (or why there is none), what its gate says."""

    planted: Planted | str
    finding: Finding


class Proving:
    """One proof of one environment's gates; ``jobs`` is how many measurements may run at the same time.

    Exclusive gates, and defects that lie on the host (they have an ``undo``), are always measured alone.
    """

    def __init__(self, bench: Bench, registry: Registry, tell: Tell, *, jobs: int = 1) -> None:
        self._bench = bench
        self._registry = registry
        self._tell = tell
        self._jobs = jobs
        self._company: Mapping[str, int] = {}
        """Of which gates several measurements run at the same time, and how many."""
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
        self._company = self._companies(guarded)
        if guarded:
            self._begin(guarded)
        proofs = self._proofs(guarded)
        return Matrix(
            environment=environment.name,
            rules=policy.digest,
            candidate=self._clean.candidate.digest if self._clean else "",
            clean=tuple(self._on_clean.values()),
            proofs=(
                *proofs,
                *(_row(each, Finding(ProofOutcome.UNGUARDED, each.unguarded)) for each in unguarded),
            ),
            declared=declared,
            bare=tuple(gate for gate, number in declared.items() if not number),
            advisory=tuple(gate.name for gate in environment.gates if gate.severity is not Severity.BLOCKING),
            elsewhere=tuple(
                each.name for each in defects if not (environment.gate(each.gate) or each.unguarded)
            ),
        )

    # -- the clean system -------------------------------------------------------------------------

    def _begin(self, guarded: Sequence[Defect]) -> None:
        ended = self._tell.begins(1, len(guarded) + 1, "the clean system")
        try:
            self._clean = self._bench.plant(CLEAN, self._registry.clean)
        except NotPlanted as error:
            self._why_not = str(error)
        greens = [self._clean_gate(gate) for gate in dict.fromkeys(defect.gate for defect in guarded)]
        red = ", ".join(f"{clean.gate} {clean.outcome}" for clean in greens if not clean.green)
        ended(red or "green")

    def _clean_gate(self, name: str) -> CleanGate:
        if name not in self._on_clean:
            self._on_clean[name] = _clean(name, self._judged_clean(name))
        return self._on_clean[name]

    def _judged_clean(self, name: str) -> Judged:
        if self._clean is None:
            return Judged(None, f"there is no clean system: {self._why_not}")
        clean, many = self._clean, self._company.get(name, 1)
        with ThreadPoolExecutor(many) as pool:
            found = list(pool.map(lambda number: self._measured(clean, name, number), range(many)))
        return next((judged for judged in found if not _clean(name, judged).green), found[0])

    def _measured(self, planted: Planted, name: str, number: int = 0) -> Judged:
        gate = self._bench.environment.gate(name)
        if gate is None:
            return Judged(None, f"the policy has no gate {name}")
        return self._bench.measure(planted, gate, number)

    # -- side by side -----------------------------------------------------------------------------

    def _companies(self, guarded: Sequence[Defect]) -> dict[str, int]:
        """Return of which gates several defects can be measured at the same time, and how many."""
        shared = Counter(defect.gate for defect in guarded if not defect.undo)
        many = {name: min(self._jobs, count) for name, count in shared.items()}
        alone = {gate.name for gate in self._bench.environment.gates if gate.exclusive}
        return {name: count for name, count in many.items() if count > 1 and name not in alone}

    def _proofs(self, guarded: Sequence[Defect]) -> list[Proof]:
        """Return the rows in the order of the defects; those on the host come last, after all others."""
        numbers = {defect.name: number for number, defect in enumerate(guarded, start=2)}
        known: dict[str, Tried] = {}
        for name in self._company:
            shared = [defect for defect in guarded if defect.gate == name and not defect.undo]
            if self._clean_gate(name).green:
                known |= self._side_by_side(shared, numbers)
        rows = {
            defect.name: self._told(defect, numbers[defect.name], len(numbers) + 1, known.get(defect.name))
            for defect in sorted(guarded, key=lambda defect: defect.name not in known)
        }
        return [rows[defect.name] for defect in guarded]

    def _side_by_side(self, defects: Sequence[Defect], numbers: Mapping[str, int]) -> dict[str, Tried]:
        """Plant a gate's defects one after the other, as builds share folders; then measure them together."""
        gate, steps = defects[0].gate, len(numbers) + 1
        ended = self._tell.begins(1, steps, f"{len(defects)} defects of {gate} are planted")
        planted = [self._planted(defect) for defect in defects]
        ended("done")

        def measured(defect: Defect, made: Planted | str) -> Finding:
            ended = self._tell.begins(numbers[defect.name], steps, f"{defect.name} ({gate})")
            finding = self._finding(defect, made)
            if finding.outcome is not ProofOutcome.MISSED:  # else the other gates are asked too
                ended(finding.outcome)
            return finding

        with ThreadPoolExecutor(self._company[gate]) as pool:
            findings = list(pool.map(measured, defects, planted))
        return {
            defect.name: Tried(made, finding)
            for defect, made, finding in zip(defects, planted, findings, strict=True)
        }

    # -- one defect -------------------------------------------------------------------------------

    def _told(self, defect: Defect, number: int, steps: int, known: Tried | None) -> Proof:
        if known is not None and known.finding.outcome is not ProofOutcome.MISSED:
            return self._concluded(defect, known)
        ended = self._tell.begins(number, steps, f"{defect.name} ({defect.gate})")
        proof = self._concluded(defect, known) if known else self._proof(defect)
        ended(proof.outcome)
        return proof

    def _proof(self, defect: Defect) -> Proof:
        clean = self._clean_gate(defect.gate)
        if not clean.green:
            return _row(defect, Finding(ProofOutcome.NOT_PROVEN, clean.sentence))
        if self.spoiled:
            return _row(defect, Finding(ProofOutcome.NOT_PROVEN, f"not tried: {self.spoiled}"))
        others: list[str] = []
        try:
            planted = self._planted(defect)
            tried = Tried(planted, self._finding(defect, planted))
            others = self._other_reds(defect, tried)
        finally:
            left = self._undone(defect)
        if left := left or self._red_after(defect, others):
            said = tried.finding.said
            before = f"{said}; " if tried.finding.outcome is ProofOutcome.NOT_PROVEN else ""
            return _row(defect, Finding(ProofOutcome.NOT_PROVEN, before + left), tried.planted)
        return self._concluded(defect, tried, others)

    def _concluded(self, defect: Defect, tried: Tried, others: Sequence[str] | None = None) -> Proof:
        """Return the row of a defect that was tried; ``others`` are the other gates that it turned red."""
        finding = tried.finding
        if finding.outcome is ProofOutcome.MISSED:
            others = self._other_reds(defect, tried) if others is None else others
            finding = self._missed(defect, finding, others)
        return _row(defect, finding, tried.planted)

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

    def _planted(self, defect: Defect) -> Planted | str:
        """Return the known-bad candidate, or why there is none."""
        try:
            return self._bench.plant(defect.name, defect.apply)
        except NotPlanted as error:
            return str(error)

    def _finding(self, defect: Defect, planted: Planted | str) -> Finding:
        """Return what the defect's own gate says of what was planted."""
        if isinstance(planted, str):
            return Finding(ProofOutcome.NOT_PROVEN, planted)
        if self._is_clean(planted) and not defect.undo:
            return Finding(ProofOutcome.NOT_PROVEN, _EQUAL)
        return classify(defect.message, self._measured(planted, defect.gate), defect.outcome)

    def _other_reds(self, defect: Defect, tried: Tried) -> list[str]:
        """Return which other gates are red, if the defect's own one missed it."""
        if isinstance(tried.planted, str) or tried.finding.outcome is not ProofOutcome.MISSED:
            return []
        names = [gate.name for gate in self._bench.environment.gates if gate.name != defect.gate]
        return [name for name in names if is_red(self._measured(tried.planted, name))]

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


def _row(defect: Defect, finding: Finding, planted: Planted | str = "") -> Proof:
    return Proof(
        defect=defect.name,
        gate=defect.gate,
        outcome=finding.outcome,
        message=defect.message,
        said=finding.said,
        tests=finding.tests,
        candidate="" if isinstance(planted, str) else planted.candidate.digest,
    )
