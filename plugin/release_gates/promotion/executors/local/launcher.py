"""Become the program, on its own: nobody's child, with a log. Run as a script, on the standard library only.

``python -I -S launcher.py LOCK LOG FOLDER PROGRAM NAME ARGUMENT...`` ends with 0 once the program runs. LOCK
is a descriptor that stays open until then: whoever waits for its lock sees the program, whoever was killed.
"""

import errno
import os
import sys
import time

_BUSY_TRIES = 100


def main() -> None:
    """Fork and exec; end with a line on stderr where that fails."""
    log, folder, program = sys.argv[2:5]
    os.set_inheritable(int(sys.argv[1]), False)  # the fork has it, the program has not
    told, tell = os.pipe()  # closed by exec, so that reading ends
    if os.fork():
        os.close(tell)
        said = os.read(told, 400).decode("utf-8", "replace")
        sys.exit(f"cannot execute {program}: {said}" if said else 0)
    try:
        os.setsid()
        os.chdir(folder)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        _execute(program)
    except OSError as error:
        os.write(tell, (error.strerror or str(error)).encode())
    os._exit(126)


def _execute(program: str) -> None:
    for attempt in range(_BUSY_TRIES):
        try:
            os.execv(program, sys.argv[5:])
        except OSError as error:  # another thread's fork may hold the fresh copy open for a moment
            if error.errno != errno.ETXTBSY or attempt == _BUSY_TRIES - 1:
                raise
        time.sleep(0.01)


if __name__ == "__main__":
    main()
