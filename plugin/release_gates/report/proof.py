"""A proof as plain text: the matrix, its sentence, and what ``status`` says of each gate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from release_gates.model.outcome import Outcome
from release_gates.model.proof import CleanGate, GateProofs, Matrix, Proof, ProofOutcome, Sighting
from release_gates.report.text import rule, wrapped

LEAST_BESIDE = 24
"""A message stands beside its defect where so many columns are left, else below it."""


class Line(NamedTuple):
    """One line, and whether it is good news: None for neither."""

    text: str
    good: bool | None = None


def matrix_lines(matrix: Matrix, width: int = 80) -> Iterator[Line]:
    """Return the rows of a proof, what is wrong with the clean system and the declarations, the summary."""
    yield Line(rule(f"planted defects: entry to {matrix.environment}", width))
    if matrix.proofs:
        yield from _rows(matrix.proofs, width)
        yield Line("")
    yield from _not_green(matrix.clean, width)
    for gate in matrix.bare:
        text = f"{gate}: a gate without a planted defect. Declare one in gates/defects.toml"
        yield from _lines(text, width, good=False)
    for gate in matrix.advisory:
        text = f"{gate} is no blocking gate: when it goes red, the candidate enters all the same"
        yield from _lines(text, width)
    if matrix.elsewhere:
        text = f"Not for the entry to {matrix.environment}: {', '.join(matrix.elsewhere)}"
        yield from _lines(text, width)
    yield from _lines(summary(matrix), width)


def summary(matrix: Matrix) -> str:
    """Return the whole proof in a sentence."""
    guarded = matrix.guarded
    caught = sum(proof.outcome is ProofOutcome.CAUGHT for proof in guarded)
    unguarded = [proof.defect for proof in matrix.proofs if proof.outcome is ProofOutcome.UNGUARDED]
    parts = [f"{caught} of {len(guarded)} guarded defects caught"]
    if matrix.untried:
        parts.append(f"{matrix.untried} more not tried")
    red = [clean.gate for clean in matrix.clean if not clean.green]
    if red:
        parts.append(f"not green on the clean system: {', '.join(red)}")
    if unguarded:
        parts.append(f"{len(unguarded)} unguarded: {', '.join(unguarded)}")
    parts.append(f"{_count(matrix.bare)} without a defect{_named(matrix.bare)}")
    return "; ".join(parts)


def proofs_sentence(found: GateProofs, *, environment: str, rules: str) -> str:
    """Return when a gate was last seen red; ``rules`` is the digest of the policy that is in force."""
    newest, red = found.newest, found.red
    if newest is None:
        return f"{found.gate}: never seen red (`release-gates prove {environment}`)"
    if red is None:
        return f"{found.gate}: never seen red, {_on(newest)} (newest proof {_when(newest)})"
    other = "" if red.rules == rules else ", under other rules"
    since = "" if newest is red or newest == red else f"; {_on(newest)} in the newest proof, {_when(newest)}"
    return f"{found.gate}: last seen red {_when(red)} {_on(red)}{other}{since}"


def _rows(proofs: Sequence[Proof], width: int) -> Iterator[Line]:
    defects = max(len("defect"), *(len(proof.defect) for proof in proofs))
    gates = max(len("gate"), *(len(proof.gate) for proof in proofs))
    yield Line(f"{'defect':<{defects}}  {'gate':<{gates}}  {'outcome':<12}  message"[:width])
    for proof in proofs:
        head = f"{proof.defect:<{defects}}  {proof.gate:<{gates}}  {proof.outcome:<12}"
        yield from _row(proof, head, width)


def _not_green(clean: Sequence[CleanGate], width: int) -> Iterator[Line]:
    """Yield why gates are not green on the clean system, each reason once."""
    reasons: dict[tuple[Outcome, str], list[str]] = {}
    for each in clean:
        if not each.green:
            reasons.setdefault((each.outcome, each.because), []).append(each.gate)
    for (outcome, because), gates in reasons.items():
        text = f"{' and '.join(gates)}: {outcome} on the clean system: {because}"
        yield from _lines(text, width, good=False)


def _row(proof: Proof, head: str, width: int) -> Iterator[Line]:
    good = {ProofOutcome.CAUGHT: True, ProofOutcome.UNGUARDED: None}.get(proof.outcome, False)
    room = width - len(head) - 2
    beside = wrapped(proof.message, room) if room >= LEAST_BESIDE else []
    yield from _lines(f"{head}  {beside[0]}" if beside else head, width, good=good)
    for line in beside[1:]:
        yield Line(" " * (len(head) + 2) + line, good)
    if not beside:
        yield from (Line(line, good) for line in wrapped(proof.message, width, indent="    "))
    if proof.outcome is not ProofOutcome.CAUGHT:
        yield from (Line(line, good) for line in wrapped(_said(proof), width, indent="    "))


def _said(proof: Proof) -> str:
    if proof.outcome is ProofOutcome.OTHER_REASON:
        return f"said instead: {proof.said}"
    return f"{proof.outcome}: {proof.said}" if proof.outcome.wrong else proof.said


def _lines(text: str, width: int, good: bool | None = None) -> Iterator[Line]:
    fits = len(text) <= width and text.isprintable()
    yield from (Line(line, good) for line in ([text] if fits else wrapped(text, width)))


def _on(sighting: Sighting) -> str:
    noun = "defect" if sighting.declared == 1 else "defects"
    untried = sighting.declared - sighting.tried
    rest = f" ({untried} not tried)" if untried else ""
    return f"on {sighting.caught} of {sighting.declared} {noun}{rest}"


def _when(sighting: Sighting) -> str:
    return f"{sighting.red or sighting.tried_at:%Y-%m-%d %H:%M} UTC"


def _count(gates: Sequence[str]) -> str:
    return "no gate" if not gates else f"{len(gates)} {'gate' if len(gates) == 1 else 'gates'}"


def _named(gates: Sequence[str]) -> str:
    return f": {', '.join(gates)}" if gates else ""
