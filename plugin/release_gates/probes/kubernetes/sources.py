"""Where manifests come from: files, folders, artifacts of the candidate, ``kubectl kustomize``."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from release_gates.errors import ProbeUnavailable
from release_gates.probes.kubernetes.documents import MAX_BYTES, Document, read_documents
from release_gates.probes.kubernetes.faults import clip, unreadable

ENDINGS = frozenset({".yaml", ".yml", ".json"})
KUSTOMIZATIONS = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
CHARTS = frozenset({"Chart.yaml", "Chart.yml"})
MOST_FILES = 20_000
RENDER_SECONDS = 60


def read_path(path: Path, shown: str) -> Iterator[Document]:
    """Yield the documents of a file, or of every manifest below a folder, in sorted order.

    Raises MeasurementError for what cannot be read, a folder without a manifest, one that has to be rendered
    first (kustomize, Helm), and links that leave the folder.
    """
    if path.is_dir():
        files = sorted(_manifests(path, shown))
        if not files:
            raise unreadable(
                shown, "the folder has no manifest (.yaml, .yml, .json)", "Name the right folder."
            )
        for file in files:
            yield from read_documents(_bytes(file, shown), f"{shown}/{file.relative_to(path).as_posix()}")
    else:
        yield from read_documents(_bytes(path, shown), shown)


def read_kustomize(folder: Path, shown: str) -> tuple[Document, ...]:
    """Return what ``kubectl kustomize`` renders from a folder.

    Raises ProbeUnavailable without kubectl, MeasurementError if it does not render.
    """
    try:
        done = subprocess.run(
            ["kubectl", "kustomize", str(folder)], capture_output=True, timeout=RENDER_SECONDS, check=False
        )
    except FileNotFoundError:
        raise ProbeUnavailable(
            f"{shown}: kubectl is not installed, so nothing renders it.",
            slug="kubernetes-no-kubectl",
            hint="Install kubectl, or let the build render it and name the result in `manifests`.",
        ) from None
    except subprocess.TimeoutExpired:
        raise unreadable(shown, f"kubectl kustomize did not end within {RENDER_SECONDS} s") from None
    if done.returncode != 0:
        why = clip(done.stderr.decode("utf-8", "replace"), 300)
        raise unreadable(shown, f"kubectl kustomize failed: {why}", "Mend the kustomization.")
    return read_documents(done.stdout, f"{shown} (kustomize)")


def _manifests(folder: Path, shown: str) -> Iterator[Path]:
    root = folder.resolve()
    for count, path in enumerate(folder.rglob("*")):
        if count > MOST_FILES:
            raise unreadable(
                shown, f"it has more than {MOST_FILES} files", "Name the folder of the manifests."
            )
        if path.name in KUSTOMIZATIONS:
            raise unreadable(
                shown, f"{path.name} has to be rendered first", "Name the folder in `kustomize`."
            )
        if path.name in CHARTS:
            raise unreadable(
                shown,
                "a Helm chart has to be rendered first",
                "Keep what `helm template` writes, and name that.",
            )
        if path.suffix in ENDINGS and (path.is_symlink() or path.is_file()):
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
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        why = error.strerror or error
        raise unreadable(shown, f"{file.name} cannot be read: {why}", "Name a file that is there.") from None
