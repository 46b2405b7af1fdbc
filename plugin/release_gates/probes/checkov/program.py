"""The program: found where policy says, run without network and configuration, within bounds, ended whole."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from release_gates.model.foreign import plain
from release_gates.probes.checkov.faults import failed

LARGEST_BYTES = 256 << 20
SAID = 300
TICK_S = 0.02
QUIET = {
    "LANG": "C.UTF-8",
    "LOG_LEVEL": "WARNING",
    "PYTHONWARNINGS": "ignore",
    "CKV_IGNORE_HIDDEN_DIRECTORIES": "False",
    "CKV_IGNORED_DIRECTORIES": ".no-such-folder",
}
"""Nothing of our own environment reaches it: no key, no proxy, no variable that switches checks off."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How the program ended, and what it wrote to its output."""

    status: int
    output: bytes


def find_program(name: str, root: Path) -> Path | None:
    """Return the program that policy names: a path below the root, or a name on the PATH. None without it."""
    if "/" in name:
        path = root / name
        return path if path.is_file() and os.access(path, os.X_OK) else None
    found = shutil.which(name)
    return Path(found) if found else None


def run_program(program: Path, framework: str, target: Path, *, timeout_s: float) -> Ended:
    """Return what checkov says of a folder.

    It runs in a folder and home of its own, because it obeys a ``.checkov.yaml`` where it runs or scans.
    Raises MeasurementError (``checkov-failed``) if it cannot be started, ends with a status other than 0 and
    1, complains, takes too long, or says more than 256 MiB. Nothing that it started outlives it.
    """
    command = [
        str(program),
        "--directory",
        str(target),
        "--framework",
        framework,
        "--output",
        "json",
        "--compact",
    ]
    with tempfile.TemporaryDirectory() as home, (Path(home) / "out").open("w+b") as output:
        with (Path(home) / "err").open("w+b") as errors:
            status = _run([*command, "--skip-download"], Path(home), output, errors, timeout_s)
            said = _content(program, errors).decode("utf-8", "replace").strip()
        if status not in {0, 1}:
            raise failed(
                program.name, f"it ended with status {status}: {plain(said[-SAID:] or 'nothing', SAID)}"
            )
        if said:
            raise failed(program.name, f"it complains: {plain(said[-SAID:], SAID)}")
        return Ended(status, _content(program, output))


def _run(command: list[str], home: Path, output: IO[bytes], errors: IO[bytes], timeout_s: float) -> int:
    environment = {"PATH": os.defpath, "HOME": str(home), "TMPDIR": str(home), **QUIET}
    (home / "cwd").mkdir()
    try:
        child = subprocess.Popen(
            command,
            cwd=home / "cwd",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
    except OSError as error:
        raise failed(command[0], f"it cannot be started: {error.strerror}") from None
    try:
        if not _ends(child.pid, timeout_s):
            raise failed(Path(command[0]).name, f"it took longer than {timeout_s:g} s")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)  # its workers too; nobody else has that number yet
        status = child.wait()
    return status


def _ends(pid: int, timeout_s: float) -> bool:
    """Wait until a child has ended and leave it as it is; False where it takes too long."""
    deadline = time.monotonic() + timeout_s
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        if time.monotonic() > deadline:
            return False
        time.sleep(TICK_S)
    return True


def _content(program: Path, file: IO[bytes]) -> bytes:
    file.seek(0)
    content = file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise failed(program.name, f"it says more than {LARGEST_BYTES >> 20} MiB")
    return content
