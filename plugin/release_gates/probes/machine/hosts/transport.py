"""How a host is reached: pytest-testinfra's backends, one command, bounded in time and size."""

from __future__ import annotations

import os
import secrets
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from release_gates.errors import GateError, ProbeUnavailable
from release_gates.probes.machine.hosts.answer import parse_answer
from release_gates.probes.machine.hosts.facts import LARGEST_BYTES, Facts, garbled
from release_gates.probes.machine.hosts.script import build_script

BACKENDS = ("local", "ssh", "docker", "podman", "kubectl")
_SAID = 300

_REMEDIES = (
    ("Host key verification failed", "Verify the host's key once, and keep it in known_hosts"),
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", "Find out why its key changed before anything else"),
    ("Permission denied (", "Give a key that the host knows: ssh://USER@HOST?ssh_identity_file=FILE"),
    ("Could not resolve", "Look at the name, and at the DNS of who measures"),
    ("Connection refused", "Look whether sshd listens there: ssh -v"),
    ("timed out", "Look at the route and the firewall: ssh -v"),
    ("No route to host", "Look at the route and the firewall: ssh -v"),
    ("No such container", "docker ps: name a container that runs"),
    ("is not running", "docker ps: name a container that runs"),
    ("no container with name or ID", "podman ps: name a container that runs"),
    ("container state improper", "podman ps: name a container that runs"),
    ("Cannot connect to the Docker daemon", "Start the engine, or let DOCKER_HOST name one that runs"),
    ("permission denied while trying to connect", "Let who measures use the engine's socket"),
    (
        "executable file not found",
        "It needs /bin/sh, grep and cat; record a container without them from its host",
    ),
    (
        "command not found",
        "Install the program that the transport needs (ssh, docker, podman, kubectl, sudo)",
    ),
    (": not found", "Install the program that the transport needs (ssh, docker, podman, kubectl, sudo)"),
    ("a password is required", "Let that user call /bin/sh by sudo without a password, or look as root"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is to be looked at: the host, the engine's process, network devices, and for how long."""

    host: str
    engine: str = ""
    nics: tuple[str, ...] = ()
    watch_ms: int = 50
    timeout_s: float = 30.0
    slow: bool = True


def check_host(spec: str) -> str:
    """Return a host in full, as testinfra writes it: ``local://``, ``ssh://user@host:22?sudo=true`` ….

    A bare name is reached by ssh, ``local`` is this machine. ValueError for another backend, for no name, for
    one that a program would take for an option, and for a password: those belong into an agent or a file.
    """
    if spec in {"local", "local://"}:
        return "local://"
    kind, found, rest = spec.partition("://")
    kind, rest = (kind, rest) if found else ("ssh", spec)
    if kind not in BACKENDS or kind == "local":
        raise ValueError(f"{spec!r}: a host is reached by {', '.join(BACKENDS)}, as in ssh://user@host")
    place = rest.partition("?")[0]
    user, _, name = place.rpartition("@")
    if not name or name.startswith("-") or user.startswith("-") or not spec.isprintable() or " " in spec:
        raise ValueError(f"{spec!r} names no host")
    if ":" in user:
        raise ValueError(f"{name!r}: write no password here; let ssh use a key")
    return f"{kind}://{rest}"


def read_hosts(looks: Sequence[Look], *, most: int = 8) -> tuple[Facts | GateError, ...]:
    """Read several hosts, at most so many at a time; what went wrong with one stands in its place."""

    def read(look: Look) -> Facts | GateError:
        try:
            return read_host(look)
        except GateError as error:
            return error

    with ThreadPoolExecutor(max_workers=max(1, min(most, len(looks)))) as pool:
        return tuple(pool.map(read, looks))


def read_host(look: Look, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Facts:
    """Return the facts of a host, read by one command.

    ``ProbeUnavailable`` where it cannot be reached or does not answer in time, ``MeasurementError`` for an
    answer that is none.
    """
    nonce = f"@{secrets.token_hex(12)}"
    text = build_script(nonce, engine=look.engine, nics=look.nics, watch_ms=look.watch_ms, slow=look.slow)
    began = clock()
    output, said = _run(look, text)
    if f"{nonce} begin\n".encode() not in output:
        raise _unreachable(look.host, said or output[:_SAID].decode("utf-8", "replace"))
    return parse_answer(output, host=look.host, nonce=nonce, now=began, engine=look.engine, nics=look.nics)


def _run(look: Look, text: str) -> tuple[bytes, str]:
    """Return what the command printed, and what went to its standard error."""
    try:
        import testinfra  # type: ignore[import-untyped]
    except ImportError:
        raise ProbeUnavailable(
            "hosts are read by pytest-testinfra, which is not installed.",
            slug="testinfra-absent",
            hint="pip install 'pytest-release-gates[infra]'",
        ) from None
    more: dict[str, Any] = {}
    if look.host.startswith("ssh://"):
        more = {
            "controlpersist": 0,
            "timeout": max(1, int(look.timeout_s)),
            "ssh_extra_args": "-o BatchMode=yes",
        }
    backend = testinfra.get_host(look.host, **more).backend
    bounded = _Bounded(backend, look)
    backend.run_local = bounded.run_local
    try:
        result = backend.run(text)
    except RuntimeError:  # what testinfra makes of ssh's own status 255
        return bounded.output, bounded.said
    return result.stdout_bytes, bounded.said


class _Bounded:
    """Runs the command of a backend: in a session of its own, so that all of it ends when time is over."""

    def __init__(self, backend: Any, look: Look) -> None:
        self._backend, self._look = backend, look
        self.output, self.said = b"", ""

    def run_local(self, command: str, *arguments: str) -> Any:
        """Do what testinfra's method of that name does, within bounds of time and size."""
        line = self._backend.quote(command, *arguments)
        process = subprocess.Popen(
            ["/bin/sh", "-c", line],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self.output, errors = _collect(process, self._look)
            status = process.wait(timeout=self._look.timeout_s)
        except subprocess.TimeoutExpired:
            raise _late(self._look) from None
        finally:
            _end(process)
        self.said = errors.decode("utf-8", "replace").strip()
        return self._backend.result(status, line.encode(), self.output, errors)


def _collect(process: subprocess.Popen[bytes], look: Look) -> tuple[bytes, bytes]:
    deadline = time.monotonic() + look.timeout_s
    assert process.stdout is not None
    assert process.stderr is not None
    collected = {process.stdout: bytearray(), process.stderr: bytearray()}
    with selectors.DefaultSelector() as selector:
        for pipe in collected:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(deadline - time.monotonic())
            if not ready or time.monotonic() > deadline:
                raise _late(look)
            for key, _ in ready:
                pipe = process.stdout if key.fileobj is process.stdout else process.stderr
                chunk = os.read(key.fd, 1 << 16)
                collected[pipe] += chunk
                if not chunk:
                    selector.unregister(pipe)
                if len(collected[pipe]) > LARGEST_BYTES:
                    raise garbled(look.host, f"it answers more than {LARGEST_BYTES >> 20} MiB")
    return bytes(collected[process.stdout]), bytes(collected[process.stderr])


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command with all that it started, and close its pipes."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _late(look: Look) -> ProbeUnavailable:
    return ProbeUnavailable(
        f"{look.host} did not answer within {look.timeout_s:g} s.",
        slug="host-unreachable",
        hint="Look whether it is overloaded or hangs; `timeout` in policy gives it longer.",
    )


def _unreachable(host: str, said: str) -> ProbeUnavailable:
    shown = " ".join(said.split())[-_SAID:] or "nothing"
    hint = next((remedy for sign, remedy in _REMEDIES if sign in said), "Run one command there by hand")
    return ProbeUnavailable(
        f"{host} could not be read: {shown}.".replace("..", "."), slug="host-unreachable", hint=f"{hint}."
    )
