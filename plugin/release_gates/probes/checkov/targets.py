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
NOT_SOURCES = frozenset({".git", ".terraform"})


def lay_out_terraform(folder: Path, shown: str, into: Path) -> int:
    """Write the sources of a folder; return how many resources they declare.

    Raises MeasurementError (``checkov-not-whole``) for files that checkov would pass over.
    """
    count = 0
    for name, data in _files(folder, shown):
        if name.endswith(PASSED_OVER):
            raise not_whole(f"{shown}/{name}", "checkov does not read this form of a source")
        if name.endswith(READ):
            _write(into / name, data)
            count += len(RESOURCE.findall(data)) if name.endswith(".tf") else 0
    return count


def lay_out_plan(file: Path, shown: str, into: Path) -> int:
    """Write a plan that `terraform show -json` wrote; return how many resources there would be."""
    data = _bytes(file, shown, most=4 * MOST_BYTES)
    try:
        changes = json.loads(data)["resource_changes"]
        managed = [one["change"]["after"] for one in changes if one["mode"] == "managed"]
    except (ValueError, TypeError, KeyError, RecursionError) as problem:
        raise not_whole(shown, f"it is no plan ({plain(problem)})") from None
    _write(into / "plan.json", data)
    return len([after for after in managed if after is not None])


def lay_out_manifests(source: Path, shown: str, into: Path) -> int:
    """Write the manifests of a file or folder; return how many objects they have, those of lists too."""
    if source.is_dir():
        count = 0
        for name, data in _files(source, shown):
            if name.endswith(MANIFESTS) and not Path(name).name.startswith(".checkov"):
                _write(into / name, data)
                count += sum(map(_objects, _documents(data, f"{shown}/{name}")))
        return count
    data = _bytes(source, shown)
    _write(into / f"{Path(shown).stem}{Path(shown).suffix or '.yaml'}", data)
    return sum(map(_objects, _documents(data, shown)))


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


def _objects(document: Any) -> int:
    if not isinstance(document, dict):
        return 0
    items = document.get("items")
    return len(items) if str(document.get("kind", "")).endswith("List") and isinstance(items, list) else 1


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
