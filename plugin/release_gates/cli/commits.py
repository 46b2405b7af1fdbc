"""The commits between two builds, as git knows them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

COMMIT = re.compile(r"[0-9a-f]{7,64}")
MOST = 200
TIMEOUT_S = 10


def commits_between(root: Path, before: str, after: str) -> tuple[str, ...] | None:
    """Return abbreviated hash and subject of each commit that ``after`` has and ``before`` has not.

    The newest first, at most 200. None where git cannot tell: no repository, a shallow clone, another one.
    """
    if not (COMMIT.fullmatch(before) and COMMIT.fullmatch(after)):
        return None
    command = ["git", "log", f"--max-count={MOST}", "--format=%h %s", "--no-decorate", "--no-color"]
    try:
        done = subprocess.run(
            [*command, f"{before}..{after}", "--"],
            cwd=root,
            capture_output=True,
            check=False,
            timeout=TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    return tuple(done.stdout.decode("utf-8", "replace").splitlines())
