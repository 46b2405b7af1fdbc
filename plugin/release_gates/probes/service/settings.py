"""What policy may say to the service probe, as ``[gate.smoke.service]``."""

from __future__ import annotations

import msgspec

from release_gates.host.surroundings import check_variables

LONGEST_S = 600.0
"""No service is waited for any longer."""


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a candidate's binary is started and stopped.

    ``artifact`` names the candidate's binary, ``arguments`` is its command line (port 0 lets it choose a
    free port), ``ready_path`` answers 200 when it takes orders. Times in seconds. ``variables`` of our
    environment are passed on besides PATH, LANG and TZ. Raises ValueError for a path that does not begin with
    "/", for a time that is not within 0 and 600 s, and for a variable that is never passed on.
    """

    artifact: str = "trading-engine"
    arguments: tuple[str, ...] = ("--port", "0")
    ready_path: str = "/ready"
    start_timeout_s: float = 10
    stop_timeout_s: float = 10
    variables: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.artifact:
            raise ValueError("artifact: must name an artifact of the candidate")
        if not self.ready_path.startswith("/") or self.ready_path.startswith("//"):
            raise ValueError(f"ready_path {self.ready_path!r}: must begin with one '/'")
        if any("\0" in argument for argument in self.arguments):
            raise ValueError("arguments: must not contain the character NUL")
        check_variables(self.variables)
        for name in ("start_timeout_s", "stop_timeout_s"):
            if not 0 < getattr(self, name) <= LONGEST_S:
                raise ValueError(
                    f"{name} = {getattr(self, name)}: must be above 0 and at most {LONGEST_S:g} s"
                )
