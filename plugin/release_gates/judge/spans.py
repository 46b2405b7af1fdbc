"""Stretches of time and their algebra: half-open, in order, none touching another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple


class Span(NamedTuple):
    """From ``begins`` until just before ``ends``."""

    begins: datetime
    ends: datetime


Spans = tuple[Span, ...]


def union(spans: Iterable[Span]) -> Spans:
    """Return what any of them covers; empty ones and those that end before they begin cover nothing."""
    joined: list[Span] = []
    for span in sorted(each for each in spans if each.begins < each.ends):
        if joined and span.begins <= joined[-1].ends:
            joined[-1] = Span(joined[-1].begins, max(joined[-1].ends, span.ends))
        else:
            joined.append(span)
    return tuple(joined)


def common(one: Sequence[Span], other: Sequence[Span]) -> Spans:
    """Return what both cover; each of them is in order, as all that this module returns."""
    found: list[Span] = []
    here, there = 0, 0
    while here < len(one) and there < len(other):
        a, b = one[here], other[there]
        if a.begins < b.ends and b.begins < a.ends:
            found.append(Span(max(a.begins, b.begins), min(a.ends, b.ends)))
        here, there = (here + 1, there) if a.ends <= b.ends else (here, there + 1)
    return tuple(found)


def without(spans: Iterable[Span], holes: Iterable[Span]) -> Spans:
    """Return what the spans cover and no hole does."""
    whole = union(spans)
    if not whole:
        return ()
    gaps, begins = [], whole[0].begins
    for hole in union(holes):
        gaps.append(Span(begins, hole.begins))
        begins = max(begins, hole.ends)
    gaps.append(Span(begins, whole[-1].ends))
    return common(whole, union(gaps))


def at(spans: Iterable[Span], moment: datetime) -> Span | None:
    """Return the span that covers a moment, or None."""
    return next((span for span in spans if span.begins <= moment < span.ends), None)
