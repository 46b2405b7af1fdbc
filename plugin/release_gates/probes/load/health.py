"""Was it the generator or the target? Before anything is judged, the generator judges itself."""

from __future__ import annotations

import math
from collections.abc import Iterable

from release_gates.probes.load.buckets import quantile
from release_gates.probes.load.recording import Health

OFFERED = 0.99
"""A generator sends this share of what it was asked for, or says nothing about the target."""
LAG_S = 0.005
LAG_SHARE = 0.05
"""Its own delays are below 5 ms at the 99th percentile, and below 5 % of each limit that is judged."""
PHASE_SHARE = 0.95
"""In each phase alone, so many delays are below that: a pause of the host is a large part of a spike."""
CPU = 0.8
"""With more of a core than that it measures its own queue."""


def unfit(health: Health) -> str:
    """Return why a generator's run cannot decide anything about the target; "" for a fit one."""
    findings = (_silent(health), short(health), _late(health, LAG_S), _busy(health))
    return _said("; ".join(filter(None, findings)))


def unfit_in(tag: str, health: Health) -> str:
    """Return why one phase of a run was not the one that was asked for; "" if it was.

    A short phase (a spike) hardly moves what is known of the whole run.
    """
    findings = (_silent(health), short(health), _late(health, LAG_S, PHASE_SHARE), _busy(health))
    because = "; ".join(filter(None, findings))
    return _said(f"in phase {tag} {because}" if because else "")


def too_late(health: Health, edges_s: Iterable[float], share: float = 0.99) -> str:
    """Return why a generator's own delays leave limits of a quantile open; "" where they do not.

    ``share`` is that of the quantile: so many of the delays have to be small beside its limits.
    """
    most_s = min((LAG_SHARE * edge_s for edge_s in edges_s), default=math.inf)
    return _said(_late(health, min(LAG_S, most_s)) or _late(health, most_s, max(share, 0.99)))


def _said(because: str) -> str:
    return f"the generator, not the target: {because}" if because else ""


def _silent(health: Health) -> str:
    if health.wall_s <= 0:
        return "it said nothing about its own processor time"
    if not health.lag:
        return "it said nothing about its own delays"
    return ""


def short(health: Health) -> str:
    """Return how much less was offered than asked for, "" for enough."""
    if health.offered >= OFFERED * health.asked:
        return ""
    return (
        f"it offered {health.offered} of {health.asked} requests "
        f"({health.offered / health.asked:.1%}; {OFFERED:.0%} are needed)"
    )


def _late(health: Health, most_s: float, share: float = 0.99) -> str:
    lag_s = quantile(health.lag, share)
    if lag_s is None or lag_s < most_s:
        return ""
    return (
        f"its own delays have a p{share * 100:g} of {lag_s * 1000:.3g} ms; "
        f"below {most_s * 1000:.3g} ms is needed"
    )


def _busy(health: Health) -> str:
    if health.wall_s <= 0 or health.cpu_s < CPU * health.wall_s:
        return ""
    return f"it used {health.cpu_s / health.wall_s:.0%} of a core; below {CPU:.0%} is needed"
