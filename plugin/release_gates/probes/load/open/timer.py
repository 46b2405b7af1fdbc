"""A timer of the kernel that a loop can wait for: event loops themselves round up to milliseconds."""

from __future__ import annotations

import ctypes
import os
from time import CLOCK_MONOTONIC


class _Time(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


class _Setting(ctypes.Structure):
    _fields_ = [("interval", _Time), ("value", _Time)]


_ABSOLUTE = 1  # TFD_TIMER_ABSTIME


class Timer:
    """A descriptor (timerfd, see timerfd_create(2)) that is readable from a time on, until it is set anew.

    Python has it since 3.13 as ``os.timerfd_create``; before, the C library is called.
    """

    def __init__(self) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        self.descriptor: int = library.timerfd_create(CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._settime = library.timerfd_settime
        self._setting = _Setting()
        self._reference = ctypes.byref(self._setting)

    def set(self, at_s: float) -> None:
        """Go off at a time of ``time.monotonic``; at once where it has passed."""
        value = self._setting.value
        value.seconds, value.nanoseconds = divmod(max(int(at_s * 1e9), 1), 1_000_000_000)
        self._settime(self.descriptor, _ABSOLUTE, self._reference, None)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.descriptor)
