"""How many samples broke a limit: counted exactly, so that no bucket and no interpolation moves a verdict."""

from __future__ import annotations

from release_gates.model.limit import Bound
from release_gates.model.record import Record


class Blocks(Record, frozen=True, kw_only=True, omit_defaults=True):
    """The samples of a quantile in consecutive blocks of ``length_s`` seconds, because stalls come in bursts.

    ``samples`` counts failed requests too; each is over every bound in ``over``, whose keys are those of
    ``Tail.over``. ``stopped`` says that the run was ended early, and for which measurement.
    """

    length_s: float
    samples: tuple[int, ...]
    over: dict[str, tuple[int, ...]]
    stopped: str = ""


class Tail(Record, frozen=True, kw_only=True, omit_defaults=True):
    """The samples behind a quantile.

    ``quantile`` is in (0, 1). ``over`` maps each bound that policy had for it (`bound_key`) to how many of
    the ``samples`` broke it. ``effective`` is how many independent samples they are worth, where they are
    not independent; ``blocks`` let the judge find that out.
    """

    quantile: float
    samples: int
    over: dict[str, int]
    effective: float | None = None
    blocks: Blocks | None = None


def bound_key(bound: Bound) -> str:
    """Return the key of a bound in ``Tail.over``: ``<= 1.0 ms``."""
    return f"{bound.operator} {bound.value!r} {bound.unit}"
