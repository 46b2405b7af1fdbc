"""A run in this one process."""

from __future__ import annotations

from locust.env import Environment

from release_gates.probes.load.frames import Progress
from release_gates.probes.load.locust_driver.notes import Notes


class Alone:
    """The users, and what is noted of them, in this process."""

    def __init__(self, environment: Environment, notes: Notes) -> None:
        self._environment = environment
        self._notes = notes
        self._runner = environment.create_local_runner()

    def ready(self, within_s: float) -> None:
        """Wait for nobody."""

    def begin(self, origin_s: float) -> None:
        """Note from now on."""
        self._notes.begin(origin_s)

    def progress(self) -> Progress:
        """Return what was seen since the last time."""
        return self._notes.progress()

    def trouble(self) -> str:
        """Return why this is not the run that was asked for; "" if it is."""
        return self._notes.trouble(self._runner)

    def conclude(self, grace_s: float) -> None:
        """Let users finish what they asked, and end them."""
        self._notes.conclude(self._environment, grace_s)

    def close(self) -> None:
        """Leave nothing behind: there is nothing."""
