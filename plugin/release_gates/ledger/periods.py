"""Deliveries by day, week and month: the four figures of DORA, as far as a ledger can tell them.

Source of the four: https://dora.dev/guides/dora-metrics-four-keys/; what stands for each is in ``FORMULAS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median

from release_gates.model.chronicle import Deliveries, Kind, Period, Stay, Typical

_DAY = timedelta(days=1)


def deliveries(environment: str, stays: Sequence[Stay], first: datetime, made: datetime) -> Deliveries:
    """Return what was delivered to one environment from the ledger's ``first`` event until ``made``.

    Days, ISO weeks and months are those of UTC, without a gap: one in which nothing happened counts 0.
    """
    own = [stay for stay in stays if stay.environment == environment]
    last = max([made, *(stay.since for stay in own)])
    whole = _period("all", "all", first, last, own, still_open=True)
    return Deliveries(
        environment=environment,
        whole=whole,
        days=_by("day", own, first, last),
        weeks=_by("week", own, first, last),
        months=_by("month", own, first, last),
    )


def _by(kind: Kind, own: Sequence[Stay], first: datetime, last: datetime) -> tuple[Period, ...]:
    start, name, step = _CALENDAR[kind]
    within: dict[datetime, list[Stay]] = {}
    for stay in own:
        within.setdefault(start(stay.since), []).append(stay)
    return tuple(
        _period(
            kind,
            name(begin),
            begin,
            begin + step(begin),
            within.get(begin, ()),
            still_open=begin + step(begin) > last,
        )
        for begin in _begins(start(first), last, step)
    )


def _begins(begin: datetime, last: datetime, step: Callable[[datetime], timedelta]) -> Iterator[datetime]:
    while begin <= last:
        yield begin
        begin += step(begin)


def _period(
    kind: Kind, name: str, begin: datetime, end: datetime, own: Sequence[Stay], *, still_open: bool
) -> Period:
    delivered = [stay for stay in own if stay.delivers]
    failed = [stay for stay in delivered if stay.failed]
    return Period(
        kind=kind,
        name=name,
        begin=begin,
        end=end,
        open=still_open,
        deliveries=len(delivered),
        returns=sum(stay.returned for stay in own),
        failed=len(failed),
        lead=_typical([stay.lead_s for stay in delivered]),
        restore=_typical([stay.restored_s for stay in failed if stay.restored_s is not None]),
    )


def _typical(seconds: Sequence[float]) -> Typical:
    return Typical(median_s=median(seconds) if seconds else None, of=len(seconds))


def _day(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _week(at: datetime) -> datetime:
    day = _day(at)
    return day - day.weekday() * _DAY


def _month(at: datetime) -> datetime:
    return _day(at).replace(day=1)


def _until_next_month(begin: datetime) -> timedelta:
    return _month(begin + 31 * _DAY) - begin


_CALENDAR: dict[
    Kind,
    tuple[Callable[[datetime], datetime], Callable[[datetime], str], Callable[[datetime], timedelta]],
] = {
    "day": (_day, lambda at: f"{at:%Y-%m-%d}", lambda _: _DAY),
    "week": (_week, lambda at: f"{at:%G-W%V}", lambda _: 7 * _DAY),
    "month": (_month, lambda at: f"{at:%Y-%m}", _until_next_month),
}
