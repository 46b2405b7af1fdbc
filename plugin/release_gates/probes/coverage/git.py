"""Ask git, with an argument list, a clean environment and errors that say what to do."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from release_gates.errors import MeasurementError, ProbeUnavailable

TIMEOUT_S = 120
_CONFIG = ("core.quotePath=false", "core.fsmonitor=false", "diff.suppressBlankEmpty=false")


def git(root: Path, *arguments: str) -> bytes:
    """Return what git prints in ``root``.

    Raises ProbeUnavailable without git; MeasurementError ``coverage-diff-failed`` with git's last sentence.
    """
    done = _run(root, arguments)
    if done.returncode != 0:
        said = (done.stderr.decode(errors="replace").strip().splitlines() or [f"status {done.returncode}"])[
            -1
        ]
        raise MeasurementError(
            f"{root}: git {arguments[0]} failed: {said}.",
            slug="coverage-diff-failed",
            hint="Run the gate in a healthy git checkout of the candidate's commit.",
        )
    return done.stdout


def check_repository(root: Path) -> None:
    """Raise MeasurementError ``coverage-diff-no-repository`` unless ``root`` lies in a work tree."""
    done = _run(root, ("rev-parse", "--is-inside-work-tree"))
    if done.stdout.strip() != b"true":
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no work tree"]
        raise MeasurementError(
            f"{root} is not in a git checkout ({said[0]}), so changed lines cannot be found.",
            slug="coverage-diff-no-repository",
            hint="Run the gate in the candidate's checkout, or set `diff = false` in policy.",
        )


def commit_id(root: Path, commit: str, whose: str) -> str:
    """Return the full id of a commit given by its hexadecimal id.

    Raises MeasurementError ``coverage-commit-unknown``: no such id here; the remedy knows shallow clones.
    """
    if re.fullmatch("[0-9a-fA-F]{7,64}", commit):
        done = _run(root, ("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"))
        if done.returncode == 0:
            return done.stdout.decode().strip()
    shallow = git(root, "rev-parse", "--is-shallow-repository").strip() == b"true"
    hint = "This is a shallow clone: run `git fetch --unshallow` (in CI: fetch-depth 0)." if shallow else ""
    raise MeasurementError(
        f"{root}: commit {commit!r} of the {whose} is not in this repository.",
        slug="coverage-commit-unknown",
        hint=hint or "Fetch it, or correct the commit that is recorded for it.",
    )


def _run(root: Path, arguments: tuple[str, ...]) -> subprocess.CompletedProcess[bytes]:
    options = [part for setting in _CONFIG for part in ("-c", setting)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        return subprocess.run(
            ["git", *options, *arguments],
            cwd=root,
            env=environment,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        raise ProbeUnavailable(
            "Changed lines are found with git, which is not installed.",
            slug="coverage-git-missing",
            hint="Install git, or set `diff = false` in policy.",
        ) from None
    except subprocess.TimeoutExpired:
        raise MeasurementError(
            f"{root}: git {arguments[0]} did not finish in {TIMEOUT_S} s.",
            slug="coverage-diff-failed",
            hint="Look for a hanging file system or credential prompt.",
        ) from None
