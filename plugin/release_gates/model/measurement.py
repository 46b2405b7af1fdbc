"""Measurements: what a gate test observed, before anybody judged it."""

from __future__ import annotations

from typing import Literal

from release_gates.model.paired import Paired
from release_gates.model.record import Record
from release_gates.model.series import Series
from release_gates.model.share import Share
from release_gates.model.tail import Tail
from release_gates.model.windows import Windows


class Measurement(Record, frozen=True, kw_only=True, omit_defaults=True):
    """One observed value, identified by gate and name (and ``key`` where one name occurs in a series).

    ``value`` is finite, or None with ``absent`` and the reason: ``missing`` could not be had,
    ``not_applicable`` has no meaning in this run, ``inconclusive`` cannot be decided by what was seen (the
    host lacks the hardware), ``error`` means that measuring it failed. ``baseline`` is
    the value of the live build, measured in the same run and the same unit; ``no_baseline`` says why it
    has none. ``distribution`` maps quantile
    names to values in ``unit``. ``paired`` are the processes behind a benchmark's value and its baseline's,
    ``tail`` the samples behind a quantile, ``share`` those behind a rate, ``series`` the values over time,
    ``windows`` the turns behind value and baseline. ``interval`` is what is proven of the value, from its low
    end to its high one (None: it has none). ``attested`` names who answers for a value that was not measured
    (``release-gates record``).
    """

    name: str
    value: float | None = None
    unit: str = ""
    samples: int | None = None
    baseline: float | None = None
    no_baseline: str = ""
    key: str = ""
    distribution: dict[str, float] = {}
    absent: Literal["", "missing", "not_applicable", "inconclusive", "error"] = ""
    because: str = ""
    attested: str = ""
    paired: Paired | None = None
    tail: Tail | None = None
    share: Share | None = None
    series: Series | None = None
    windows: Windows | None = None
    interval: tuple[float, float | None] | None = None


class Attachment(Record, frozen=True, kw_only=True):
    """A file that a test kept with its evidence, by content in the artifact store."""

    name: str
    sha256: str
