"""Become the program: tie its life to the parent's, then exec. Run as a script, on the standard library only.

``python -I -S launcher.py PARENT PROGRAM ARGUMENT...``. A ``preexec_fn`` would do the same, but is not
safe (and warned of) in a process with threads, as an xdist worker is.
"""

import ctypes
import errno
import os
import signal
import sys
import time

CANNOT_EXECUTE = 126
_PR_SET_PDEATHSIG = 1
_BUSY_TRIES = 100


def main() -> None:
    """Exec the program; end with 126 and a line on stderr where that fails."""
    parent, program = int(sys.argv[1]), sys.argv[2]
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        _give_up(program, os.strerror(ctypes.get_errno()))
    if os.getppid() != parent:
        _give_up(program, "the process that wanted it has ended")
    for _ in range(_BUSY_TRIES):
        try:
            os.execv(program, sys.argv[2:])
        except OSError as error:
            if (
                error.errno != errno.ETXTBSY
            ):  # another thread's fork may hold the fresh copy open for a moment
                _give_up(program, error.strerror)
        time.sleep(0.01)
    _give_up(program, os.strerror(errno.ETXTBSY))


def _give_up(program: str, because: str | None) -> None:
    print(f"cannot execute {program}: {because}", file=sys.stderr, flush=True)
    os._exit(CANNOT_EXECUTE)


if __name__ == "__main__":
    main()
