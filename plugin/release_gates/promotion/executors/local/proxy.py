"""haproxy before the two slots: one word in a map says which of them is live, or that none is.

Its configuration never changes. The word is set in the running process, from one request to the next and
without a lost connection, and in the file from which a proxy that starts anew reads it.
"""

from __future__ import annotations

import csv
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from release_gates.errors import DeployError, LiveDiffers

CLOSED = "closed"
HEADER = "x-live-slot"
_MAP, _SOCKET, _CONFIG = "live.map", "proxy.sock", "haproxy.cfg"
_TALK_S = 5.0
_START_S = 30.0
_LATE_S = 1.0
_MOST_BYTES = 1 << 20
_PAUSE_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy that listens at ``listen`` (address:port), before slots by name with a port each."""

    folder: Path
    program: str
    listen: str
    ports: Mapping[str, int]
    environ: Mapping[str, str]

    @property
    def runs(self) -> bool:
        """Whether it answers."""
        return self._try("show info") is not None

    @property
    def pid(self) -> int:
        """Its process, 0 if it does not run."""
        lines = (self._try("show info") or "").splitlines()
        return next((int(line.split(":")[1]) for line in lines if line.startswith("Pid:")), 0)

    @property
    def target(self) -> str:
        """What is live by the running proxy: a slot, or ``closed``; by its file where it does not run."""
        answer = self._try(f"show map ./{_MAP}")
        return _word(self._file() if answer is None else answer)

    @property
    def kept(self) -> str:
        """What would be live if the proxy started anew."""
        return _word(self._file())

    def ensure(self) -> None:
        """Let it run with this configuration; what was live before is live then."""
        config = self._configuration()
        if self.runs:
            if self._read(_CONFIG) != config:
                raise self._failed(
                    "it runs with another configuration: the settings changed since",
                    f"End process {self.pid}, which breaks connections, and try again.",
                )
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / _CONFIG, config)
        if not self._file():
            write_whole(self.folder / _MAP, f"live {CLOSED}\n")
        self._start("-c")
        try:
            self._start("-D")
        except DeployError:
            if not self._came_up():
                raise

    def _came_up(self) -> bool:
        """Tell whether a proxy answers all the same: one that a deployer started before it was killed."""
        deadline = time.monotonic() + _LATE_S
        while not self.runs and time.monotonic() < deadline:
            time.sleep(_PAUSE_S)
        return self.runs

    def switch(self, target: str) -> float:
        """Make a slot live, or none (``closed``); return how long it took, in seconds."""
        begun = time.monotonic()
        write_whole(self.folder / _MAP, f"live {target}\n")
        self._ask(f"set map ./{_MAP} live {target}")
        if (found := self.target) != target:
            raise self._failed(f"it was told {target}, and says {found}")
        return time.monotonic() - begun

    def drain(self, slot: str, within_s: float) -> int:
        """Wait until a slot has no request under way; return how many there are left."""
        deadline = time.monotonic() + within_s
        while (left := self._requests(slot)) and time.monotonic() < deadline:
            time.sleep(_PAUSE_S)
        return left

    def _requests(self, slot: str) -> int:
        rows = csv.DictReader(self._ask("show stat").removeprefix("# ").splitlines())
        return sum(int(row["scur"]) for row in rows if (row["pxname"], row["svname"]) == (slot, "BACKEND"))

    def _configuration(self) -> str:
        slots = "".join(
            f"""
backend {slot}
  http-after-response set-header {HEADER} {slot}
  server {slot} 127.0.0.1:{port}
"""
            for slot, port in self.ports.items()
        )
        return f"""\
# Written by release-gates; {_MAP} says which backend is live.
global
  stats socket unix@./{_SOCKET} mode 600 level admin
defaults
  mode http
  retries 0
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout http-request 10s
frontend live
  bind {self.listen}
  use_backend %[str(live),map(./{_MAP})]
  default_backend {CLOSED}
{slots}
backend {CLOSED}
  http-after-response set-header {HEADER} {CLOSED}
  http-request return status 503 content-type application/json string "{{\\"error\\":\\"unavailable\\"}}"
"""

    def _start(self, how: str) -> None:
        program = shutil.which(self.program)
        if program is None:
            raise DeployError(
                f"{self.program} is not installed.",
                slug="deploy-unavailable",
                hint="apt-get install haproxy",
            )
        with tempfile.TemporaryFile() as said:  # a pipe would be held open by what stays
            try:
                status = subprocess.run(
                    (program, how, "-f", _CONFIG),
                    cwd=self.folder,
                    env=dict(self.environ),
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    timeout=_START_S,
                    check=False,
                ).returncode
            except (OSError, subprocess.TimeoutExpired) as error:
                raise self._failed(f"it does not start ({error})") from None
            said.seek(0)
            words = " ".join(said.read(4096).decode("utf-8", "replace").split())
        if status:
            raise self._failed(f"it does not start: {words[-300:] or f'status {status}'}")

    def _ask(self, command: str) -> str:
        answer = self._try(command)
        if answer is None:
            raise self._failed("it does not run")
        if command.startswith("set ") and answer.strip():
            raise self._failed(f"it refused '{command}': {answer.strip()[:200]}")
        return answer

    def _try(self, command: str) -> str | None:
        """Return what the proxy answers, None if nobody listens there."""
        try:
            with _connected(self.folder, _SOCKET) as line:
                line.sendall(command.encode() + b"\n")
                answer = b""
                while chunk := line.recv(65536):
                    answer += chunk
                    if len(answer) > _MOST_BYTES:
                        raise self._failed("it says more than anybody reads")
                return answer.decode("utf-8", "replace")
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            raise self._failed(f"it does not answer ({error})") from None

    def _file(self) -> str:
        return self._read(_MAP)

    def _read(self, name: str) -> str:
        try:
            return (self.folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    def _failed(self, because: str, hint: str = "Look into its folder, then resume.") -> DeployError:
        return DeployError(
            f"the proxy at {self.listen} ({self.folder}): {because}.", slug="deploy-proxy", hint=hint
        )


def write_whole(path: Path, text: str) -> None:
    """Write a file so that everybody sees the old or the new one, also after a crash."""
    handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    with os.fdopen(handle, "w", encoding="utf-8") as new:
        new.write(text)
        new.flush()
        os.fsync(new.fileno())
    Path(name).replace(path)


def check_target(proxy: Proxy, allowed: Sequence[str]) -> str:
    """Return what is live; ``LiveDiffers`` if it is nothing that this deployment left there."""
    found = proxy.target
    if found not in allowed:
        raise LiveDiffers(
            f"the proxy at {proxy.listen} says {found}, and this deployment left it at "
            f"{' or '.join(allowed)}. Somebody else changed it, so it is left alone.",
            slug="deploy-moved",
            hint="Find out who did, then set it back, or `release-gates adopt` what is there.",
        )
    return found


@contextmanager
def _connected(folder: Path, name: str) -> Iterator[socket.socket]:
    """Connect to a socket in a folder whose path may be longer than a socket's may be."""
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(_TALK_S)
            line.connect(f"/proc/self/fd/{handle}/{name}")
            yield line
    finally:
        os.close(handle)


def _word(text: str) -> str:
    """Return the value of ``live`` in a map, as a file has it or the proxy shows it."""
    words = [line.split() for line in text.splitlines()]
    return next((line[-1] for line in words if line[-2:-1] == ["live"]), CLOSED)
