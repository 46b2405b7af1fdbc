"""The four figures of DORA in words, each with how many events it is of, and the formulas behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from release_gates.model.chronicle import Deliveries, Period, Typical
from release_gates.report.tally import count
from release_gates.report.text import lasting

FEW = 5
"""Below so many events a figure is an anecdote."""
DAY_S = 86400
SHOWN = {"days": 14, "weeks": 12, "months": 12}
"""So many of the newest periods are shown; JSON and CSV have all."""

FORMULAS = {
    "Deployment frequency": "deliveries / length of the period. A delivery is a promotion of a build "
    "(digests) that had never been live in that environment before. What was adopted, and a return to an "
    "older build, are none; returns are counted beside them.",
    "Lead time": "median over the deliveries of (promoted - first event of the ledger that names the build). "
    "The ledger does not know when a commit was written: this begins with the first gate run.",
    "Change failure rate": "failed deliveries / deliveries, by the day of delivery. Failed: while the build "
    "was live, a gate of that entry failed on the same digests, or the run behind its promotion was "
    "invalidated; or it was rolled back, or an older build came back in its place. A deployment that "
    "was undone before the build was live is none.",
    "Time to restore": "median over the failed deliveries that ended of (next build live - first sign of the "
    "failure). Where the return is the only sign, from the moment when the failed build went live: the "
    "longest that it can have been.",
}
"""What each figure is made of; they are computed in ``ledger/stays.py`` and ``ledger/periods.py``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One period in words; ``few`` says why no trend can be read from it, "" where one can."""

    name: str
    frequency: str
    lead: str
    failure: str
    restore: str
    returns: int
    few: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """One environment: all of it in four figures, then its newest periods, the newest first."""

    environment: str
    whole: Figures
    tables: tuple[tuple[str, tuple[Figures, ...]], ...]


def delivered(found: Deliveries) -> Delivered:
    """Return what was delivered to one environment, in words."""
    return Delivered(
        environment=found.environment,
        whole=_whole(found.whole),
        tables=tuple(_tables(found)),
    )


def _tables(found: Deliveries) -> Iterator[tuple[str, tuple[Figures, ...]]]:
    for title, periods in (("days", found.days), ("weeks", found.weeks), ("months", found.months)):
        yield title, tuple(_figures(each, str(each.deliveries)) for each in periods[: -SHOWN[title] - 1 : -1])


def _whole(period: Period) -> Figures:
    days = (period.end - period.begin).total_seconds() / DAY_S
    within = lasting(days * DAY_S)
    said = f"{count(period.deliveries, 'delivery')} in {within}".replace("deliverys", "deliveries")
    if period.deliveries >= FEW and days >= 7:
        said = f"{period.deliveries / days * 7:.2g} a week ({said})"
    return _figures(period, said)


def _figures(period: Period, frequency: str) -> Figures:
    return Figures(
        name=f"{period.name}, so far" if period.open else period.name,
        frequency=frequency,
        lead=_median(period.lead),
        failure=_share(period.failed, period.deliveries),
        restore=_median(period.restore),
        returns=period.returns,
        few=_few(period),
    )


def _median(typical: Typical) -> str:
    return "none" if typical.median_s is None else f"{lasting(typical.median_s)} (n = {typical.of})"


def _share(failed: int, deliveries: int) -> str:
    if not deliveries:
        return "none"
    said = f"{failed} of {deliveries}"
    return f"{failed / deliveries:.0%} ({said})" if deliveries >= FEW else said


def _few(period: Period) -> str:
    if period.deliveries >= FEW:
        return ""
    return f"n = {period.deliveries}: too few deliveries for a rate or a trend (at least {FEW})."
