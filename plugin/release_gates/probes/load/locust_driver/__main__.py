"""``python -m release_gates.probes.load.locust_driver``: the generator's process, or a worker of one.

``--frames FD`` reads a Plan as a line of JSON from stdin and tells frames through FD. ``--worker HOST:PORT
--locustfile FILE`` joins the master of such a run, from this or another host.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from pathlib import Path

import msgspec

from release_gates.probes.load.frames import Bye
from release_gates.probes.load.locust_driver import leash
from release_gates.probes.load.locust_driver.version import check_locust
from release_gates.probes.load.locust_driver.voice import Voice
from release_gates.probes.load.open.refusal import CannotRun
from release_gates.probes.load.plan import Plan


def main() -> int:
    """Run what the arguments ask for and return the exit status: 1 where it could not be."""
    arguments = _parsed()
    if arguments.worker:
        leash.hold()
        check_locust()
        from release_gates.probes.load.locust_driver.worker import work

        return work(arguments.worker, arguments.locustfile, arguments.root)
    plan = msgspec.json.decode(leash.read_line(), type=Plan)
    leash.hold()
    voice = Voice(arguments.frames)
    bye = _run(plan, voice)
    sys.stdout.flush()  # behind the last frame, the parent may end this process at any moment
    voice.say(bye)
    return int(bye.reason == "failed")


def _run(plan: Plan, voice: Voice) -> Bye:
    try:
        check_locust()
        from release_gates.probes.load.locust_driver.driver import run  # imports locust, which patches all

        return run(plan, os.getpid(), voice)
    except CannotRun as error:
        return Bye(reason="failed", because=str(error))
    except SystemExit as error:
        return Bye(reason="failed", because=f"{plan.locustfile}: called sys.exit({error.code!r})")


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m release_gates.probes.load.locust_driver")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--frames", type=int, metavar="FD", help="tell frames through this descriptor")
    what.add_argument("--worker", metavar="HOST:PORT", help="join the master that listens there")
    parser.add_argument(
        "--locustfile", type=Path, default=Path("locustfile.py"), help="the master's own file"
    )
    parser.add_argument("--root", default="", help="what is put first on sys.path")
    return parser.parse_args()


def _status() -> int:
    try:
        return main()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 - the last frame is missing then, which says enough
        traceback.print_exc()
        return 1


if __name__ == "__main__":
    status = _status()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # nothing that a locustfile has started keeps this process
