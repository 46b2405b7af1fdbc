"""One command of a deployment: JSON on stdin, an allow-listed environment, bounded in time and output."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO

import msgspec

from release_gates.errors import DeployError
from release_gates.host.surroundings import surroundings
from release_gates.promotion.at_work import note_command
from release_gates.promotion.executors.protocol import Site

ALWAYS = ("PATH", "HOME", "LANG")
"""Variables that every command gets, where they are set."""

MOST_BYTES = 1 << 20
"""A command that writes more is ended: nobody reads that, and it is no answer."""

SHOWN = 300
"""So many characters of what a command said last stand in a sentence."""

TICK_S = 0.02
GRACE_S = 5.0
"""So long a command has between TERM and KILL."""


def run_json(words: Sequence[str], told: object, site: Site, *, changes: bool) -> bytes:
    """Run a command in the project's folder, without a shell, and return what it wrote to stdout.

    ``told`` is JSON on its stdin. One that ``changes`` something is noted beside the lock of ``at_work``,
    which the caller holds: if we are killed, nobody else begins while it runs. Raises ``DeployError`` unless
    it ends with status 0 in time; then it and everything in its process group is ended.
    """
    variables = environment_for(site)
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(msgspec.json.encode(told))
        given.seek(0)
        because = _run(words, site, variables, (given, out, err), changes=changes)
        if because:
            said = hidden(_last_line(err) or _last_line(out), variables)
            raise DeployError(
                f"`{_cut(shlex.join(words), 120)}` {because}{f': {said}' if said else ''}.",
                slug="deploy-command",
                hint="Run it by hand to see more.",
            )
        out.seek(0)
        return out.read()


def environment_for(site: Site) -> dict[str, str]:
    """Return the variables that a command gets: PATH, HOME, LANG, and what policy names by ``env``."""
    return surroundings(os.environ, known=ALWAYS, more=site.policy.env)


def _run(
    words: Sequence[str],
    site: Site,
    variables: Mapping[str, str],
    streams: Sequence[IO[bytes]],
    *,
    changes: bool,
) -> str:
    """Return why a command did not end well, "" where it did."""
    given, out, err = streams
    try:
        child = subprocess.Popen(
            words,
            cwd=site.root,
            env=dict(variables),
            stdin=given,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return f"cannot be started ({getattr(error, 'strerror', None) or error})"
    try:
        if changes:
            note_command(site, child.pid)
        return _waited(child, site.policy.timeout_s, out, err)
    except OSError as error:
        return f"was ended: nobody could write down that it runs ({error.strerror or error})"
    finally:
        if child.returncode is None:
            _end(child)


def _waited(child: subprocess.Popen[bytes], timeout_s: float, *outputs: IO[bytes]) -> str:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with suppress(subprocess.TimeoutExpired):
            status = child.wait(TICK_S)
            return f"ended with status {status}" if status else _too_much(outputs)
        if because := _too_much(outputs):
            return because
    return f"took longer than {timeout_s:g} s and was ended"


def _too_much(outputs: Sequence[IO[bytes]]) -> str:
    many = any(os.fstat(each.fileno()).st_size > MOST_BYTES for each in outputs)
    return f"wrote more than {MOST_BYTES >> 20} MiB" if many else ""


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a command and what it started: TERM, and KILL for what is left."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, number)
        with suppress(subprocess.TimeoutExpired):
            child.wait(GRACE_S)


def _last_line(stream: IO[bytes]) -> str:
    end = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, end - 8192))
    lines = [line.strip() for line in stream.read(8192).decode("utf-8", "replace").splitlines()]
    return next((line for line in reversed(lines) if line), "")


def hidden(text: str, variables: Mapping[str, str]) -> str:
    """Return a command's words as the ledger may keep them: no value of a variable, no control characters."""
    for name, value in variables.items():
        if name not in ALWAYS and value.strip():
            text = text.replace(value, f"${name}")
    return _cut("".join(each if each.isprintable() else "�" for each in text), SHOWN)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
