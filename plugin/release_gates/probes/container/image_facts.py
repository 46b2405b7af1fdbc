"""What is known of one image: its configuration, and the file system that its layers add up to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from release_gates.errors import MeasurementError
from release_gates.probes.container.archive import Saved
from release_gates.probes.container.layer import Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The file system of an image. ``secrets`` includes those that a higher layer only hides."""

    setuid: Mapping[str, int]
    tools: Mapping[str, str]
    secrets: Mapping[str, str]
    accounts: Mapping[str, str]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """One image. ``size`` in bytes, uncompressed; ``platforms`` as ``os/architecture[/variant]``.

    ``now`` is when it was looked at. ``healthcheck`` is None without one. ``created`` is None where the image
    does not say, or says year 0 or 1970, as reproducible builds do.
    """

    name: str
    identity: str
    repo_digests: tuple[str, ...]
    repo_tags: tuple[str, ...]
    size: int
    user: str
    environment: tuple[str, ...]
    labels: Mapping[str, str]
    healthcheck: tuple[str, ...] | None
    platforms: tuple[str, ...]
    created: datetime | None
    history: tuple[str, ...]
    files: Files
    now: datetime


def image_facts(
    saved: Saved,
    *,
    name: str,
    now: datetime,
    repo_digests: Sequence[str] = (),
    repo_tags: Sequence[str] = (),
    platforms: Sequence[str] = (),
) -> ImageFacts:
    """Return the facts of a saved image; ``MeasurementError`` for a configuration of another shape.

    ``platforms`` are those of the OCI index that it belongs to; without one it has its own only.
    """
    try:
        return _facts(saved, name, now, tuple(repo_digests), tuple(repo_tags), tuple(platforms))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MeasurementError(
            f"{name}: the image's configuration has another shape: {type(error).__name__} {error}.",
            slug="container-inspect",
            hint="Is it an image by the OCI specification? `docker image inspect` shows it.",
        ) from error


def files_of(layers: Sequence[Layer]) -> Files:
    """Return what is there once every layer lies on those below it."""
    setuid: dict[str, int] = {}
    tools: dict[str, str] = {}
    accounts: dict[str, str] = {}
    secrets: dict[str, str] = {}
    paths: set[str] = set()
    for layer in layers:
        gone = _hidden(layer, paths)
        for table in (setuid, tools, accounts):
            for path in [path for path in table if path in gone or path in layer.paths]:
                del table[path]
        paths -= gone
        paths |= layer.paths
        setuid |= layer.setuid
        tools |= layer.tools
        accounts |= layer.accounts
        for path, kind in layer.secrets.items():
            secrets[path] = kind
    hidden = {
        path: f"{kind}, which a higher layer only hides"
        for path, kind in secrets.items()
        if path not in paths
    }
    return Files(
        setuid=setuid, tools=tools, accounts=accounts, secrets={**secrets, **hidden}, count=len(paths)
    )


def _hidden(layer: Layer, below: set[str]) -> set[str]:
    """Return the paths of lower layers that this one takes away."""
    folders = tuple(f"{folder}/" for folder in (*layer.removed, *layer.emptied))
    gone = {path for path in layer.removed if path in below}
    if "" in layer.emptied or "." in layer.emptied:
        return set(below)
    return gone | {path for path in below if folders and path.startswith(folders)}


def _facts(
    saved: Saved,
    name: str,
    now: datetime,
    repo_digests: tuple[str, ...],
    repo_tags: tuple[str, ...],
    platforms: tuple[str, ...],
) -> ImageFacts:
    config = saved.config.get("config") or {}
    parts = (saved.config["os"], saved.config["architecture"], saved.config.get("variant"))
    own = "/".join(_text(part) for part in parts if part)
    test = (config.get("Healthcheck") or {}).get("Test")
    return ImageFacts(
        name=name,
        identity=saved.identity,
        repo_digests=repo_digests,
        repo_tags=repo_tags,
        size=sum(layer.size for layer in saved.layers),
        user=_text(config.get("User")),
        environment=tuple(_text(each) for each in config.get("Env") or ()),
        labels={_text(key): _text(value) for key, value in (config.get("Labels") or {}).items()},
        healthcheck=tuple(test) if test and test != ["NONE"] else None,
        platforms=platforms or (own,),
        created=_time(saved.config.get("created")),
        history=tuple(_text(each.get("created_by")) for each in saved.config.get("history") or ()),
        files=files_of(saved.layers),
        now=now,
    )


def _time(text: Any) -> datetime | None:
    if not text:
        return None
    found = datetime.fromisoformat(_text(text)[:19] + "+00:00")
    return found if found.year > 1980 else None


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
