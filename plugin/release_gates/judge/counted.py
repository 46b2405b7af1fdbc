"""Quantiles and rates that were counted over time: one limit to questions of how many of many."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from release_gates.judge.bounds import holds
from release_gates.judge.clusters import Counts, flaw
from release_gates.judge.shares import Question, judge_counts
from release_gates.model.figures import beside
from release_gates.model.limit import Bound, Limit
from release_gates.model.measurement import Measurement
from release_gates.model.outcome import Outcome
from release_gates.model.share import Share
from release_gates.model.tail import Blocks, Tail, bound_key
from release_gates.model.units import exact, factor

Finding = tuple[Outcome, str]
_CLOSE = 1e-9


def judge_blocks(measurement: Measurement, tail: Tail, blocks: Blocks, limit: Limit) -> Iterator[Finding]:
    """Judge a quantile by one limit; facts that are none were refused before (`flaw_of_tail`)."""
    for bound in limit.bounds:
        over = blocks.over.get(bound_key(bound))
        if bound.operator not in ("<=", "<"):
            yield (
                Outcome.ERROR,
                f"{measurement.name}: a quantile of a latency has an upper limit, not '{limit.text}'",
            )
        elif over is None:
            yield (
                Outcome.INCONCLUSIVE,
                f"{measurement.name}: nobody counted how many requests broke {limit.text}",
            )
        else:
            question = Question(
                name=measurement.name,
                shown=beside(measurement.value or 0.0, measurement.unit, bound),
                limit=limit.text,
                allowed=round(1 - tail.quantile, 12),
                window_s=limit.window_s,
                stopped=blocks.stopped,
                broke=f"took longer than {_edge(bound)}",
            )
            yield judge_counts(question, Counts(blocks.length_s, blocks.samples, over))


def judge_share(measurement: Measurement, share: Share, limit: Limit) -> Iterator[Finding]:
    """Judge a rate by one limit. A limit of none or all is no question of chance: one is too many."""
    counts = Counts(share.length_s, share.of, share.hits)
    for bound in limit.bounds:
        question = Question(
            name=measurement.name,
            shown=beside(measurement.value or 0.0, measurement.unit, bound),
            limit=limit.text,
            allowed=float(exact(bound.value, bound.unit, "ratio")),
            window_s=limit.window_s,
            stopped=share.stopped,
            broke="are counted",
            stalls=False,
        )
        yield _judge_share(question, counts, bound)


def flaw_of_tail(tail: Tail, blocks: Blocks) -> str:
    """Return why a quantile's blocks cannot be what was counted; "" for sound ones."""
    if not 0 < tail.quantile <= 1 - _CLOSE:
        return f"{tail.quantile} is no quantile"
    if (total := sum(blocks.samples)) != tail.samples:
        return f"its blocks hold {total} samples, and it rests on {tail.samples}"
    if set(blocks.over) != set(tail.over):
        return "its blocks count other limits than it does"
    for key, over in blocks.over.items():
        if because := flaw(Counts(blocks.length_s, blocks.samples, over)):
            return because
        if sum(over) != tail.over[key]:
            return f"its blocks count {sum(over)} that broke {key}, and it {tail.over[key]}"
    return flaw(Counts(blocks.length_s, blocks.samples, blocks.samples))


def flaw_of_share(value: float, unit: str, share: Share) -> str:
    """Return why a rate cannot be what was counted; "" for a sound one."""
    counts = Counts(share.length_s, share.of, share.hits)
    if because := flaw(counts):
        return because
    if counts.total == 0:
        return ""
    if not math.isclose(float(exact(value, unit, "ratio")), counts.share, rel_tol=1e-6, abs_tol=_CLOSE):
        return f"its blocks count {counts.broken} of {counts.total}, and it is {value} {unit}"
    return ""


def _judge_share(question: Question, counts: Counts, bound: Bound) -> Finding:
    if bound.operator == "==" and 0 < question.allowed < 1:
        return (
            Outcome.ERROR,
            f"{question.name}: a rate is limited from above or below, not '{question.limit}'",
        )
    if not 0 < question.allowed < 1 and counts.total:
        return _literal(question, counts, bound)
    if bound.operator in (">=", ">"):
        below = Question(
            name=question.name,
            shown=question.shown,
            limit=question.limit,
            allowed=round(1 - question.allowed, 12),
            window_s=question.window_s,
            stopped=question.stopped,
            broke="are not counted",
            stalls=False,
        )
        return judge_counts(below, counts.mirrored())
    return judge_counts(question, counts)


def _literal(question: Question, counts: Counts, bound: Bound) -> Finding:
    """Judge by the counts as they are: ``== 0 %`` says that none was seen."""
    kept = holds(Fraction(counts.broken, counts.total) / factor(bound.unit), bound)
    seen = f"{counts.broken} of {counts.total} requests are counted"
    if not kept:
        return Outcome.FAIL, f"{question.opening}: {seen}"
    if question.stopped:
        return Outcome.INCONCLUSIVE, f"{question.opening}: {seen}, and the run was ended early"
    return Outcome.PASS, ""


def _edge(bound: Bound) -> str:
    return f"{bound.value:g} {bound.unit}"
