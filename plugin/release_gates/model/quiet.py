"""How quiet a host was when an exclusive gate began to measure on it."""

from __future__ import annotations

from release_gates.model.record import Record


class Quiet(Record, frozen=True, kw_only=True):
    """A wait for a quiet host: how long, whether it became quiet, and the noise at its end.

    ``noise`` is the share of the host's processors that other processes and the hypervisor took, 0 to 1; None
    where the host does not tell.
    """

    waited_s: float
    noise: float | None
    quiet: bool
