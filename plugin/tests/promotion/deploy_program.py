"""A program that deploys into a folder, as a `command` executor runs it: what is live is in files.

``releases`` holds files by the digest of their candidate; ``proxy`` says which of them runs. ``broken`` says
what goes wrong, a line each: ``ACTION STEP`` fails, ``STEP is forgotten`` does nothing, ``verify after undo``
fails once something was undone, ``plan anew`` has one more step. ``log`` has a line for each question.
"""

# ruff: noqa: PTH103, PTH105, PTH110, PTH123, PTH208
# pathlib and typing would be half of its start, and it is started hundreds of times.

from __future__ import annotations

import json
import os
import sys

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
        if "plan anew" in broken:
            STEPS["migrate"] = "changes the database"
        print(json.dumps({"steps": [{"name": name, "does": does} for name, does in STEPS.items()]}))
    elif action == "verify":
        print(json.dumps({"candidate": running(place)}))
    elif f"{step} is forgotten" not in broken:
        deploy(place, told)
    return 0


def deploy(place: str, told: dict) -> None:
    target = told["candidate"] if told["action"] == "apply" else told["previous"]
    if told.get("step") == "switch":
        write(f"{place}/proxy", target["digest"] if target else "")
    elif told.get("step") == "copy" and told["action"] == "apply":
        folder = f"{place}/releases/{target['digest']}"
        os.makedirs(folder, exist_ok=True)
        for name, artifact in told["artifacts"].items():
            write(f"{folder}/{name}", read(artifact["path"]))


def running(place: str) -> str | None:
    """Return the digest of what the proxy points at, computed from the files that lie there."""
    import hashlib

    name = read(f"{place}/proxy")
    if not name:
        return None
    folder = f"{place}/releases/{name}"
    files = [read(f"{folder}/{file}").encode() for file in os.listdir(folder)]
    digests = sorted({("file", hashlib.sha256(file).hexdigest()) for file in files})
    return hashlib.sha256(json.dumps(digests, separators=(",", ":")).encode()).hexdigest()


def read(path: str) -> str:
    if not os.path.exists(path):
        return ""
    with open(path) as file:
        return file.read()


def write(path: str, text: str) -> None:
    with open(f"{path}.new", "w") as file:
        file.write(text)
    os.replace(f"{path}.new", path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
