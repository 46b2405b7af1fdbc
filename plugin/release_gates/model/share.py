"""How many of many: failed requests of all requests, counted in blocks, because failures come in bursts."""

from __future__ import annotations

from release_gates.model.record import Record


class Share(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A share with the blocks behind it: ``hits`` of ``of`` in each, ``length_s`` seconds long.

    ``stopped`` says that the run was ended early, and for which measurement.
    """

    length_s: float
    of: tuple[int, ...]
    hits: tuple[int, ...]
    stopped: str = ""
