"""An engine on another host, by ssh: its socket as one of this host, for as long as the tunnel is open.

The program `ssh` is asked, so that keys, known hosts and jump hosts are those of whoever runs the gate. It
never asks anybody anything, and ends with this process, however that ends: it waits for the end of a pipe.
"""

from __future__ import annotations

import select
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from release_gates.errors import ProbeUnavailable

CONNECT_S = 15
STOP_S = 5.0
SOCKET = "/var/run/docker.sock"
_READY = b"ready\n"
_OPTIONS = (
    *("-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_S}", "-o", "ExitOnForwardFailure=yes"),
    *("-o", "ServerAliveInterval=15", "-o", "ControlPath=none", "-T"),
)


class Tunnel:
    """One tunnel to the socket of ``ssh://[user@]host[:port][/path]``. Close it."""

    def __init__(self, where: str) -> None:
        """Open it; ``ProbeUnavailable`` says what ssh said where that does not work."""
        self._where = where
        self._folder = Path(tempfile.mkdtemp(prefix="gate-ssh-"))
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._process = self._started()
            self._wait(self._process)
        except BaseException:
            self.close()
            raise

    @property
    def socket(self) -> str:
        """The path of the engine's socket on this host."""
        return str(self._folder / "docker.sock")

    def said(self) -> str:
        """Return the last line that ssh wrote; "" if it wrote none."""
        log = self._folder / "log"
        lines = log.read_text(errors="replace").split("\n") if log.exists() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def close(self) -> None:
        """End ssh, and remove the socket."""
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _started(self) -> subprocess.Popen[bytes]:
        try:
            parts = urlsplit(self._where)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise self._unreachable(str(error)) from None
        if not host or host.startswith("-"):
            raise self._unreachable("it names no host")
        target = f"{parts.username}@{host}" if parts.username else host
        numbered = ["-p", str(port)] if port else []
        forward = f"{self.socket}:{parts.path if len(parts.path) > 1 else SOCKET}"
        command = ["ssh", *_OPTIONS, *numbered, "-L", forward, "--", target, "cat"]
        try:
            with (self._folder / "log").open("wb") as log:
                return subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, bufsize=0
                )
        except OSError as error:
            raise self._unreachable(f"ssh cannot be started: {error.strerror}") from None

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until the other host answers what it was sent."""
        deadline, answer = time.monotonic() + 2 * CONNECT_S, b""
        if process.stdin is None or process.stdout is None:
            raise self._unreachable("ssh has no pipes")
        with suppress(BrokenPipeError):
            process.stdin.write(_READY)
        while not answer.endswith(_READY):
            ready, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            piece = process.stdout.read(4096) if ready else b""
            if not piece:
                raise self._refused()
            answer += piece

    def _refused(self) -> ProbeUnavailable:
        because = self.said() or f"no answer within {2 * CONNECT_S} s"
        if "Permission denied" in because:
            return ProbeUnavailable(
                f"{self._where}: {because}",
                slug="container-engine-denied",
                hint="Give this user a key that the host accepts: `ssh HOST docker version` has to work.",
            )
        return self._unreachable(because)

    def _unreachable(self, because: str) -> ProbeUnavailable:
        return ProbeUnavailable(
            f"{self._where}: {because.rstrip('.')}.",
            slug="container-engine-unreachable",
            hint="`ssh HOST docker version` has to work without a question; its host key has to be known.",
        )
