"""A slot: one of two places in which a build runs, with a folder and a port of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from release_gates.candidate.content import file_sha256
from release_gates.errors import DeployError
from release_gates.host.sockets import own_port
from release_gates.model.record import Record
from release_gates.promotion.executors.local.asking import ask
from release_gates.promotion.executors.local.processes import executed, launch, running, starting, stop
from release_gates.promotion.executors.local.proxy import write_whole

_PAUSE_S = 0.01


class Use(Record, frozen=True, kw_only=True):
    """For which deployment a slot is used, and what it runs for it."""

    deployment: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Where a build runs. ``state`` is the folder that its data are in."""

    name: str
    folder: Path
    port: int
    state: Path
    log: Path

    @property
    def use(self) -> Use | None:
        """What the slot was taken for last."""
        try:
            return msgspec.json.decode((self.folder / "use.json").read_bytes(), type=Use)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError, UnicodeError) as error:
            raise self._failed(f"use.json cannot be read ({error})") from None

    def take(self, use: Use) -> None:
        """Note for what the slot is used, before anything starts in it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / "use.json", msgspec.json.encode(use).decode())

    def runs(self, sha256: str) -> bool:
        """Tell whether the slot runs this program and nothing else, and nobody else has its port."""
        pids = running(self.folder)
        return bool(pids) and {executed(pid) for pid in pids} == {sha256} and own_port(pids, self.port)

    def settle(self) -> None:
        """Wait until whatever a killed deployer was starting in it is there to be seen."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with starting(self.folder):
            pass

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes in it."""
        return running(self.folder)

    def start(
        self,
        stored: Path,
        words: Sequence[str],
        *,
        environ: Mapping[str, str],
        ready: str,
        within_s: float,
    ) -> None:
        """Run a stored program and wait until it is ready; ``DeployError`` if it is not in time."""
        program = self._installed(stored)
        self.state.mkdir(parents=True, exist_ok=True)
        launch(program, words, log=self.log, folder=self.state, environ=environ)
        self._wait_ready(stored.name, ready, within_s)

    def stop(self, within_s: float) -> str:
        """End what runs in it; return how it went."""
        return stop(self.folder, within_s)

    def is_ready(self, ready: str) -> bool:
        """Tell whether the program in it answers ready with 200."""
        return ask("127.0.0.1", self.port, ready)[0] == "200"

    def _wait_ready(self, sha256: str, ready: str, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while self.pids:
            said, _ = ask("127.0.0.1", self.port, ready)
            if said == "200" and self.runs(sha256):
                return
            if time.monotonic() > deadline:
                own = "" if own_port(self.pids, self.port) else f", and port {self.port} is not its own"
                raise self._failed(f"{ready} was not 200 within {within_s:g} s: it said {said}{own}")
            time.sleep(_PAUSE_S)
        raise self._failed(f"the program ended before it was ready; what it said is in {self.log}")

    def _installed(self, stored: Path) -> Path:
        """Return a read-only copy of a stored program, hashed where it lies."""
        program = self.folder / stored.name
        self.folder.mkdir(parents=True, exist_ok=True)
        if not program.exists() or file_sha256(program, follow=False) != stored.name:
            handle, name = tempfile.mkstemp(prefix=".new-", dir=self.folder)
            with os.fdopen(handle, "wb") as copy, stored.open("rb") as source:
                shutil.copyfileobj(source, copy)
                os.fchmod(copy.fileno(), 0o555)
                os.fsync(copy.fileno())
            Path(name).replace(program)
        if (found := file_sha256(program, follow=False)) != stored.name:
            raise self._failed(f"the copy of the program has SHA-256 {found}, and not {stored.name}")
        return program

    def _failed(self, because: str) -> DeployError:
        return DeployError(
            f"slot {self.name} ({self.folder}): {because}.",
            slug="deploy-process",
            hint="Look at the log and at who has the port, then resume.",
        )
