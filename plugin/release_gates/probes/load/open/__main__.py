"""``python -m release_gates.probes.load.open --frames FD``: the plan is a line of JSON on standard input."""

from __future__ import annotations

import signal
import sys
import traceback
from argparse import ArgumentParser
from types import FrameType

from release_gates.probes.load.frames import Bye
from release_gates.probes.load.open.parent import Parent, leave
from release_gates.probes.load.open.refusal import CannotRun
from release_gates.probes.load.open.run import run


class Stopped(BaseException):
    """SIGTERM came before the event loop took it over."""


def main() -> None:
    """Run a plan and say how it ended. Status 0, or 1 where the run failed; the last frame says why."""
    arguments = ArgumentParser(prog="release_gates.probes.load.open")
    arguments.add_argument("--frames", type=int, required=True, metavar="FD")
    signal.signal(signal.SIGTERM, _stop)
    parent = Parent(arguments.parse_args().frames)
    bye = ended(parent)
    parent.tell(bye)
    leave(int(bye.reason == "failed"))


def ended(parent: Parent) -> Bye:
    """Run the parent's plan; return how it ended, whatever happened."""
    try:
        plan = parent.plan()
        import uvloop

        return uvloop.run(run(plan, parent))
    except CannotRun as error:
        return Bye(reason="failed", because=str(error))
    except Stopped:
        return Bye(reason="stopped", because="it was told to stop")
    except ImportError as error:
        return Bye(reason="failed", because=f"{error}; pip install 'pytest-release-gates[load]'")
    except Exception as error:  # noqa: BLE001  the last frame is owed whatever happens
        traceback.print_exc(file=sys.stderr)
        return Bye(reason="failed", because=f"an error in the driver itself: {type(error).__name__}: {error}")


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise Stopped


if __name__ == "__main__":
    main()
