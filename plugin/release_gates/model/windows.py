"""Candidate and live build in alternating turns: one ratio for each pair."""

from __future__ import annotations

from release_gates.model.record import Record


class Windows(Record, frozen=True, kw_only=True):
    """``ratios`` are ln(candidate / baseline) of pairs of turns that took ``length_s`` seconds each."""

    length_s: float
    ratios: tuple[float, ...]
