"""Where manifests come from: files, folders, artifacts of the candidate, ``kubectl kustomize``."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from release_gates.errors import ProbeUnavailable
from release_gates.probes.kubernetes.documents import MAX_BYTES, Document, read_documents
from release_gates.probes.kubernetes.faults import clip, unreadable

ENDINGS = frozenset({".yaml", ".yml", ".json"})
KUSTOMIZATIONS = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
CHARTS = frozenset({"Chart.yaml", "Chart.yml"})
MOST_FILES = 20_000
MOST_BYTES = 256 << 20
"""Of all manifests of a folder together."""
SAID_BYTES = 10_000
RENDER_SECONDS = 60


def read_path(path: Path, shown: str) -> Iterator[Document]:
    """Yield the documents of a file, or of every manifest below a folder, in sorted order.

    Raises MeasurementError for what cannot be read, a folder without a manifest, one that has to be rendered
    first (kustomize, Helm), links to folders and links that leave the folder, and for more than is read.
    """
    if path.is_dir():
        files = sorted(_manifests(path, shown))
        if not files:
            raise unreadable(
                shown, "the folder has no manifest (.yaml, .yml, .json)", "Name the right folder."
            )
        left = MOST_BYTES
        for file in files:
            data = _bytes(file, shown)
            left -= len(data)
            if left < 0:
                raise unreadable(
                    shown,
                    f"its manifests have more than the {MOST_BYTES >> 20} MiB that are read at most",
                    "Name the folder of one deployment.",
                )
            yield from read_documents(data, f"{shown}/{file.relative_to(path).as_posix()}")
    else:
        yield from read_documents(_bytes(path, shown), shown)


def read_kustomize(folder: Path, shown: str) -> tuple[Document, ...]:
    """Return what ``kubectl kustomize`` renders from a folder.

    Raises ProbeUnavailable without kubectl, MeasurementError if it does not render.
    """
    with tempfile.TemporaryFile() as rendered, tempfile.TemporaryFile() as said:
        try:
            done = subprocess.run(
                ["kubectl", "kustomize", str(folder)],
                stdout=rendered,
                stderr=said,
                timeout=RENDER_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise ProbeUnavailable(
                f"{shown}: kubectl is not installed, so nothing renders it.",
                slug="kubernetes-no-kubectl",
                hint="Install kubectl, or let the build render it and name the result in `manifests`.",
            ) from None
        except subprocess.TimeoutExpired:
            raise unreadable(shown, f"kubectl kustomize did not end within {RENDER_SECONDS} s") from None
        rendered.seek(0)
        said.seek(0)
        if done.returncode != 0:
            why = clip(said.read(SAID_BYTES).decode("utf-8", "replace"), 300)
            raise unreadable(shown, f"kubectl kustomize failed: {why}", "Mend the kustomization.")
        return read_documents(rendered.read(MAX_BYTES + 1), f"{shown} (kustomize)")


def _manifests(folder: Path, shown: str) -> Iterator[Path]:
    root, count = folder.resolve(), 0

    def lost(error: OSError) -> None:
        raise unreadable(
            shown, f"{error.filename} cannot be read: {error.strerror}", "Let the gate read the whole folder."
        )

    for at, folders, files in os.walk(folder, onerror=lost):
        count += len(files) + len(folders)
        if count > MOST_FILES:
            raise unreadable(
                shown, f"it has more than {MOST_FILES} files", "Name the folder of the manifests."
            )
        for name in folders:
            if (Path(at) / name).is_symlink():
                raise unreadable(
                    shown,
                    f"{name} is a link to a folder, which nobody follows",
                    "Copy the folder, or name it.",
                )
        for name in files:
            yield from _manifest(Path(at) / name, root, shown)


def _manifest(path: Path, root: Path, shown: str) -> Iterator[Path]:
    """Yield a file that is a manifest."""
    if path.name in KUSTOMIZATIONS:
        raise unreadable(shown, f"{path.name} has to be rendered first", "Name the folder in `kustomize`.")
    if path.name in CHARTS:
        raise unreadable(
            shown,
            "a Helm chart has to be rendered first",
            "Keep what `helm template` writes, and name that.",
        )
    if path.suffix in ENDINGS:
        if not _resolved(path, shown).is_relative_to(root):
            raise unreadable(shown, f"{path.name} is a link that leaves the folder", "Copy the file.")
        yield path


def _resolved(path: Path, shown: str) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a link to itself
        raise unreadable(
            shown, f"{path.name} cannot be read: it is a link to itself", "Copy the file."
        ) from None


def _bytes(file: Path, shown: str) -> bytes:
    """Return a file, and no more of it than tells that it is too large; a pipe or device is no file."""
    try:
        if file.exists() and not file.is_file():
            raise unreadable(shown, f"{file.name} is no file", "Name a file, or a folder of them.")
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        why = error.strerror or error
        raise unreadable(shown, f"{file.name} cannot be read: {why}", "Name a file that is there.") from None
