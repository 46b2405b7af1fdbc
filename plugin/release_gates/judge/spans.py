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
    """Return what both cover."""
    return union(
        Span(max(a.begins, b.begins), min(a.ends, b.ends))
        for a in one
        for b in other
        if a.begins < b.ends and b.begins < a.ends
    )


def without(spans: Iterable[Span], holes: Iterable[Span]) -> Spans:
    """Return what the spans cover and no hole does."""
    left = list(union(spans))
    for hole in union(holes):
        left = [
            part
            for span in left
            for part in (
                Span(span.begins, min(span.ends, hole.begins)),
                Span(max(span.begins, hole.ends), span.ends),
            )
            if part.begins < part.ends
        ]
    return tuple(left)


def at(spans: Iterable[Span], moment: datetime) -> Span | None:
    """Return the span that covers a moment, or None."""
    return next((span for span in spans if span.begins <= moment < span.ends), None)
