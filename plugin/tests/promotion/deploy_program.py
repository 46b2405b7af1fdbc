"""A program that deploys into a folder, as a `command` executor runs it: what is live is in files.

``live.json`` says what runs, by the digests of the files that lie in ``releases``; ``proxy`` whom it points at.
``broken`` holds what is to go wrong: lines ``ACTION STEP``. ``log`` has a line for each thing that was asked.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

STEPS = {"copy": "copies the artifacts", "switch": "points the proxy at them"}


def main(place: Path) -> int:
    told = json.load(sys.stdin)
    action, step = told["action"], told.get("step")
    with (place / "log").open("a") as log:
        log.write(f"{action} {step}\n")
    if f"{action} {step}" in read(place / "broken").splitlines():
        print(f"{action} {step} is broken", file=sys.stderr)
        return 3
    if action == "plan":
        print(json.dumps({"steps": [{"name": name, "does": does} for name, does in STEPS.items()]}))
    elif action == "verify":
        print(json.dumps({"candidate": running(place)}))
    elif action in ("apply", "undo"):
        target = told["candidate"] if action == "apply" else told["previous"]
        if step == "copy" and action == "apply":
            copy(place, told)
        elif step == "switch":
            replace(place / "proxy", target["digest"] if target else "")
    return 0


def copy(place: Path, told: dict) -> None:
    folder = place / "releases" / told["candidate"]["digest"]
    folder.mkdir(parents=True, exist_ok=True)
    for name, artifact in told["artifacts"].items():
        shutil.copyfile(artifact["path"], folder / name)


def running(place: Path) -> str | None:
    """Return the digest of what the proxy points at, computed from the files that lie there."""
    name = read(place / "proxy")
    if not name:
        return None
    files = sorted((place / "releases" / name).iterdir())
    digests = sorted({("file", hashlib.sha256(file.read_bytes()).hexdigest()) for file in files})
    return hashlib.sha256(json.dumps(digests, separators=(",", ":")).encode()).hexdigest()


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def replace(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    os.replace(new, path)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
