"""May so many of many break a limit? Counted in blocks of time, because what breaks it comes in bursts.

A limit allows a share: one of a hundred for a p99, 0.1 % for an error rate. FAIL if so many would break it
by chance in fewer than ``WRONG`` of the cases that lie on the limit, PASS if so few would; the samples
count as many as they are worth (`judge.clusters`). PASS of a latency asks for one thing more: had stalls of
``STALL_S`` seconds broken the limit, which nobody saw, one of them would have been seen (but for ``UNSEEN``).
A clean minute proves a p99; a p99.9 takes ten. A request that fails does so by itself: 3,000 without one
prove 0.1 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from release_gates.judge.binomial import at_least_about, at_most_about
from release_gates.judge.clusters import STALL_S, Counts, effective
from release_gates.judge.early import ENOUGH, e_value
from release_gates.judge.tails import WRONG
from release_gates.model.outcome import Outcome

UNSEEN = 0.065
_SIGMAS = 1.645
_CLOSE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: of what, by which limit, and what its value is, for the sentence.

    ``allowed`` of all samples may break the limit; ``window_s`` asks it of every stretch of that length.
    ``stopped`` says for which measurement the run was ended early, "" for a whole run; ``broke`` what those
    did that are counted ("took longer than 1 s"). ``stalls`` says that a stall nobody saw may break it.
    """

    name: str
    shown: str
    limit: str
    allowed: float
    window_s: float | None = None
    stopped: str = ""
    broke: str
    stalls: bool = True
    noun: str = "requests"

    @property
    def opening(self) -> str:
        """How every sentence begins."""
        return f"{self.name} is {self.shown}; the limit is {self.limit}"


def judge_counts(question: Question, counts: Counts) -> tuple[Outcome, str]:
    """Judge sound counts (`clusters.flaw`) by what is allowed, in (0, 1); PASS comes without a sentence."""
    if counts.total == 0:
        return Outcome.MISSING, f"{question.name} rests on no request at all"
    if question.stopped:
        return _stopped(question, counts)
    worth = math.floor(effective(counts))
    if _at_least(counts, worth, question.allowed) < WRONG:
        return Outcome.FAIL, f"{question.opening}: {_rests(question, counts, worth)}"
    if question.window_s is not None:
        return _windows(question, counts, worth)
    return _passed(question, counts, worth)


def seconds_needed(counts: Counts, allowed: float, *, stalls: bool = True) -> float | None:
    """Return how long a run would decide if the share that was seen is the truth; None if none would."""
    gap = allowed - counts.share
    if abs(gap) < _CLOSE:
        return None
    rate = effective(counts) / counts.seconds
    clean = math.log(WRONG) / math.log1p(-allowed)
    wanted = max(clean, allowed * (1 - allowed) * (2 * _SIGMAS / gap) ** 2 if counts.broken else 0.0)
    return max(wanted / rate, _unseen_s(gap)) if gap > 0 and stalls else wanted / rate


def _passed(question: Question, counts: Counts, worth: int) -> tuple[Outcome, str]:
    gap = question.allowed - counts.share
    few = worth > 0 and at_most_about(counts.share * worth, worth, question.allowed) < WRONG
    if few and gap > 0 and (counts.seconds >= _unseen_s(gap) or not question.stalls):
        return Outcome.PASS, ""
    return Outcome.INCONCLUSIVE, (
        f"{question.opening}, and that is not proven: {_rests(question, counts, worth)}. "
        f"{_more(question, counts)}"
    )


def _unseen_s(gap: float) -> float:
    """Return how long a run has to be so that stalls which fill the gap do not all stay unseen."""
    return -math.log(UNSEEN) * STALL_S / gap


def _at_least(counts: Counts, worth: int, allowed: float) -> float:
    return at_least_about(counts.share * worth, worth, allowed) if worth > 0 else 1.0


def _stopped(question: Question, counts: Counts) -> tuple[Outcome, str]:
    """Judge a run that was ended early: only what may be looked at at any time says anything."""
    found = e_value(counts.samples, counts.over, counts.length_s, question.allowed)
    rests = f"{counts.broken} of {counts.total} {question.noun} {question.broke}"
    if found >= ENOUGH:
        return Outcome.FAIL, (
            f"{question.opening}: {rests}, and the run was ended early (e-value {found:.3g}; {ENOUGH:g} is "
            f"enough)"
        )
    return Outcome.INCONCLUSIVE, (
        f"{question.opening}: {rests}, and the run was ended early, for {question.stopped}: nothing is "
        f"proven (e-value {found:.3g}; {ENOUGH:g} is needed)"
    )


def _windows(question: Question, counts: Counts, worth: int) -> tuple[Outcome, str]:
    """Judge every stretch: FAIL if one fails, corrected for their number; PASS if all keep the limit.

    What happened in a stretch is what is asked, so that the requests of a stall count one by one there. The
    whole run has to pass too: that no stretch was bad by luck takes as much evidence as without windows.
    """
    stretches = list(_stretches(counts, question.window_s or 0.0))
    if not stretches:
        return Outcome.INCONCLUSIVE, (
            f"{question.opening}, and {counts.seconds:g} s were measured, less than one window"
        )
    every = [(at_s, window) for at_s, window in stretches if window.total]
    at_s, worst = max(every, key=lambda each: each[1].share)
    where = f"in the {worst.length_s * len(worst.samples):g} s from {at_s:g} s on"
    if any(_at_least(each, each.total, question.allowed) < WRONG / len(every) for _, each in every):
        return Outcome.FAIL, f"{question.opening}: {where} {_rests(question, worst, worst.total)}"
    if len(every) < len(stretches):
        return Outcome.INCONCLUSIVE, f"{question.opening}, and a window has no request at all"
    if worst.share > question.allowed:
        rests = f"{worst.broken} of {worst.total} {question.noun} {question.broke}"
        return Outcome.INCONCLUSIVE, (
            f"{question.opening}, and that is not proven: {where} {rests}, which may be chance"
        )
    return _passed(question, counts, worth)


def _stretches(counts: Counts, window_s: float) -> Iterator[tuple[float, Counts]]:
    """Yield windows and where they begin: each half a window behind the one before, one at the end."""
    size, number = math.ceil(window_s / counts.length_s - _CLOSE), len(counts.samples)
    if size > number:
        return
    firsts = sorted({*range(0, number - size + 1, max(size // 2, 1)), number - size})
    for first in firsts:
        yield first * counts.length_s, counts.stretch(first, first + size)


def _rests(question: Question, counts: Counts, worth: int) -> str:
    """Say what was seen beside what is allowed, and what it is worth where that is less."""
    less = f", worth {worth} independent ones" if worth < counts.total else ""
    return (
        f"{counts.broken} of {counts.total} {question.noun} ({counts.share * 100:.3g} %) {question.broke}"
        f"{less}; {question.allowed * 100:.3g} % may"
    )


def _more(question: Question, counts: Counts) -> str:
    """Say how much more would decide, at the rate that was seen."""
    needed = seconds_needed(counts, question.allowed, stalls=question.stalls)
    if needed is None:
        return "It lies exactly on the limit: no number of requests decides"
    more_s = max(needed - counts.seconds, counts.length_s)
    requests = math.ceil(more_s * counts.total / counts.seconds)
    return f"It needs about {requests} more requests or {_minutes(more_s)} more minutes"


def _minutes(seconds: float) -> str:
    minutes = math.ceil(seconds / 6) / 10
    return f"{minutes:g}" if minutes < 100 else f"{minutes:.0f}"
