"""A program that deploys into a folder, as a `command` executor runs it: what is live is in files.

``releases`` holds files by the digest of their candidate; ``proxy`` says which of them runs. ``broken`` says
what goes wrong, a line each: ``ACTION STEP`` fails, ``STEP is forgotten`` does nothing, ``verify after undo``
fails once something was undone. ``log`` has a line for each thing that was asked.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

STEPS = {"copy": "copies the artifacts", "switch": "points the proxy at them"}


def main(place: str) -> int:
    told = json.load(sys.stdin)
    action, step = told["action"], told.get("step")
    broken, before = read(f"{place}/broken").splitlines(), read(f"{place}/log")
    write(f"{place}/log", f"{before}{action} {step}\n")
    if f"{action} {step}" in broken or (f"{action} after undo" in broken and "undo" in before):
        print(f"{action} {step} is broken", file=sys.stderr)
        return 3
    if action == "plan":
        print(json.dumps({"steps": [{"name": name, "does": does} for name, does in STEPS.items()]}))
    elif action == "verify":
        print(json.dumps({"candidate": running(place)}))
    elif f"{step} is forgotten" not in broken:
        deploy(place, told)
    return 0


def deploy(place: str, told: dict[str, Any]) -> None:
    target = told["candidate"] if told["action"] == "apply" else told["previous"]
    if told.get("step") == "switch":
        write(f"{place}/proxy", target["digest"] if target else "")
    elif told.get("step") == "copy" and told["action"] == "apply":
        folder = f"{place}/releases/{target['digest']}"
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name, artifact in told["artifacts"].items():
            write(f"{folder}/{name}", read(artifact["path"]))


def running(place: str) -> str | None:
    """Return the digest of what the proxy points at, computed from the files that lie there."""
    name = read(f"{place}/proxy")
    if not name:
        return None
    folder = f"{place}/releases/{name}"
    files = [file.read_bytes() for file in Path(folder).iterdir()]
    digests = sorted({("file", hashlib.sha256(file).hexdigest()) for file in files})
    return hashlib.sha256(json.dumps(digests, separators=(",", ":")).encode()).hexdigest()


def read(path: str) -> str:
    return Path(path).read_text() if Path(path).exists() else ""


def write(path: str, text: str) -> None:
    Path(f"{path}.new").write_text(text)
    Path(f"{path}.new").replace(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
