"""What Terraform itself says of sources: are they formatted, and are they valid."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from release_gates.errors import MeasurementError, ProbeUnavailable
from release_gates.model.foreign import plain

TIMEOUT_S = 120
QUIET = {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}


def unformatted(program: str, folder: Path) -> tuple[str, ...]:
    """Return the files below a folder that ``terraform fmt`` would change; none is changed.

    Raises ProbeUnavailable (``terraform-program``) without the program, and MeasurementError
    (``terraform-program-failed``) where it says anything but that.
    """
    done = _run(program, folder, "fmt", "-check", "-recursive", "-list=true", "-no-color", ".")
    names = tuple(line for line in done.stdout.splitlines() if line.strip())
    if (done.returncode, bool(names)) not in {(0, False), (3, True)}:
        raise _failed(program, "fmt", done)
    return names


def invalid(program: str, folder: Path) -> tuple[str, ...]:
    """Return what ``terraform validate`` finds in a folder where ``terraform init`` was run.

    Raises as ``unformatted`` does; without the providers nothing is validated, which is an error too.
    """
    done = _run(program, folder, "validate", "-json", "-no-color")
    try:
        said = json.loads(done.stdout)
        problems = tuple(
            plain(f"{one['summary']}: {one.get('detail', '')}", 200)
            for one in said["diagnostics"]
            if one["severity"] == "error"
        )
        valid = said["valid"]
    except (ValueError, TypeError, KeyError):
        raise _failed(program, "validate", done) from None
    if (done.returncode, valid, bool(problems)) not in {(0, True, False), (1, False, True)}:
        raise _failed(program, "validate", done)
    return problems


def _run(program: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [program, *arguments],
            cwd=folder,
            env={**os.environ, **QUIET},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise ProbeUnavailable(
            f"{program} cannot be run in {folder.name}: {plain(problem)}.",
            slug="terraform-program",
            hint="Install Terraform or OpenTofu, name it in `program`, or leave `program` out.",
        ) from None


def _failed(program: str, command: str, done: subprocess.CompletedProcess[str]) -> MeasurementError:
    said = plain(done.stderr.strip() or done.stdout.strip() or "nothing", 300)
    return MeasurementError(
        f"{program} {command} ended with status {done.returncode} and said: {said}.",
        slug="terraform-program-failed",
        hint=f"Run `{program} {command}` in that folder by hand; `validate` needs `{program} init` before.",
    )
