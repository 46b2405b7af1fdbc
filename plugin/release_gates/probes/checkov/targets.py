"""What is scanned, laid out in a folder of its own, and counted.

checkov leaves out, without a word, manifests that it cannot parse and files of forms that it does not know.
So we read them first, as simply as can be, to refuse such files and to know how many resources it has to see.
Only what it reads is laid out, so that a ``.checkov.yaml`` of the candidate switches nothing off.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from release_gates.errors import ProbeUnavailable
from release_gates.model.foreign import plain
from release_gates.probes.checkov.faults import not_whole

MOST_FILES = 20_000
MOST_BYTES = 16 << 20
"""checkov skips what is larger than 50 MB, without a word."""
RESOURCE = re.compile(rb'^[ \t]*resource[ \t]+"[^"\n]+"[ \t]+"[^"\n]+"[ \t]*\{', re.MULTILINE)
READ = (".tf", ".tfvars")
PASSED_OVER = (".tf.json", ".tfvars.json", ".tofu", ".tofu.json")
"""Forms of sources that checkov does not read."""
MANIFESTS = (".yaml", ".yml", ".json")
WITH_PODS = frozenset(
    {"CronJob", "DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "ReplicationController", "StatefulSet"}
)
NOT_SOURCES = frozenset({".git", ".terraform"})


@dataclass(frozen=True, slots=True)
class Laid:
    """What was laid out: so many resources at least, and files that a report has to name."""

    resources: int
    named: frozenset[str] = frozenset()


def lay_out_terraform(folder: Path, shown: str, into: Path) -> Laid:
    """Write the sources of a folder and count the resources that they declare.

    Raises MeasurementError (``checkov-not-whole``) for files that checkov would pass over.
    """
    count = 0
    for name, data in _files(folder, shown):
        if name.endswith(PASSED_OVER):
            raise not_whole(f"{shown}/{name}", "checkov does not read this form of a source")
        if name.endswith(READ):
            _write(into / name, data)
            count += len(RESOURCE.findall(data)) if name.endswith(".tf") else 0
    return Laid(count)


def lay_out_plan(file: Path, shown: str, into: Path) -> Laid:
    """Write a plan that `terraform show -json` wrote and count the resources that there would be."""
    data = _bytes(file, shown, most=4 * MOST_BYTES)
    try:
        changes = json.loads(data)["resource_changes"]
        managed = [one["change"]["after"] for one in changes if one["mode"] == "managed"]
    except (ValueError, TypeError, KeyError, RecursionError) as problem:
        raise not_whole(shown, f"it is no plan ({plain(problem)})") from None
    _write(into / "plan.json", data)
    return Laid(len([after for after in managed if after is not None]))


def lay_out_manifests(source: Path, shown: str, into: Path) -> Laid:
    """Write the manifests of a file or folder and count their objects, those of lists too.

    Each file with something that starts pods has to be named in the report: there are many checks of pods.
    """
    if source.is_dir():
        found = {
            name: data
            for name, data in _files(source, shown)
            if name.endswith(MANIFESTS) and not Path(name).name.startswith(".checkov")
        }
    else:
        name = Path(shown).name
        found = {name if name.endswith(MANIFESTS) else f"{name}.yaml": _bytes(source, shown)}
    count, named = 0, set()
    for name, data in found.items():
        _write(into / name, data)
        place = f"{shown}/{name}" if source.is_dir() else shown
        objects = [one for document in _documents(data, place) for one in _objects(document)]
        count += len(objects)
        if any(isinstance(one, dict) and one.get("kind") in WITH_PODS for one in objects):
            named.add(f"/{name}")
    return Laid(count, frozenset(named))


def _documents(data: bytes, shown: str) -> Iterator[Any]:
    try:
        import yaml
    except ImportError:
        raise ProbeUnavailable(
            "manifests are counted by PyYAML, which is not installed.",
            slug="checkov-extra",
            hint="pip install 'pytest-release-gates[kubernetes]'",
        ) from None
    try:
        yield from yaml.load_all(data, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        raise not_whole(
            shown, f"it is no YAML, and checkov would pass over it ({plain(problem, 160)})"
        ) from None


def _objects(document: Any) -> list[Any]:
    if not isinstance(document, dict):
        return []
    items = document.get("items")
    if str(document.get("kind", "")).endswith("List") and isinstance(items, list):
        return items
    return [document]


def _files(folder: Path, shown: str) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of every file; a link is an error, because it may lead anywhere."""
    if not folder.is_dir():
        raise not_whole(shown, "there is no such folder")
    count = 0
    for top, below, names in os.walk(folder):
        below[:] = sorted(set(below) - NOT_SOURCES)
        for name in sorted((*names, *below)):
            path, count = Path(top, name), count + 1
            place = path.relative_to(folder).as_posix()
            if path.is_symlink() or count > MOST_FILES:
                what = "it is a link" if path.is_symlink() else f"there are more than {MOST_FILES} files"
                raise not_whole(f"{shown}/{place}", what)
            if path.is_file() and name.endswith((*READ, *PASSED_OVER, *MANIFESTS)):
                yield place, _bytes(path, f"{shown}/{place}")


def _bytes(file: Path, shown: str, *, most: int = MOST_BYTES) -> bytes:
    try:
        with file.open("rb") as opened:
            data = opened.read(most + 1)
    except OSError as error:
        raise not_whole(shown, f"it cannot be read: {error.strerror}") from None
    if len(data) > most:
        raise not_whole(shown, f"it is larger than {most >> 20} MiB")
    return data


def _write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
