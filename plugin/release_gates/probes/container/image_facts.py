"""What is known of one image: its configuration, and the file system that its layers add up to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from release_gates.errors import MeasurementError
from release_gates.probes.container.archive import Saved
from release_gates.probes.container.layer import Layer
from release_gates.probes.container.oci_index import Index
from release_gates.probes.container.secret_search import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSecret:
    """One secret in a layer, counted from 1. ``hidden``: a higher layer took its file away, no more."""

    secret: Secret
    layer: int
    layers: int
    sha256: str
    hidden: bool

    @property
    def place(self) -> str:
        """Path, line and layer."""
        line = f", line {self.secret.line}" if self.secret.line else ""
        return f"/{self.secret.path}{line}, layer {self.layer} of {self.layers} (sha256:{self.sha256[:12]})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The file system of an image. ``secrets`` includes those that a higher layer only hides.

    ``links`` maps /etc and the files of accounts to where they point, if they are links.
    """

    setuid: Mapping[str, int]
    capabilities: Mapping[str, frozenset[str]]
    tools: Mapping[str, str]
    secrets: tuple[LayerSecret, ...]
    accounts: Mapping[str, str]
    links: Mapping[str, str]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """One image. ``size`` in bytes, uncompressed; ``platform`` as ``os/architecture[/variant]``.

    ``index`` is the OCI index that it belongs to, if one was given. ``commands`` are all words that it starts
    something with. ``now`` is when it was looked at. ``healthcheck`` is None without one. ``created`` is None
    where the image does not say, or says year 0 or 1970, as reproducible builds do.
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
    platform: str
    index: Index | None
    commands: tuple[str, ...]
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
    index: Index | None = None,
) -> ImageFacts:
    """Return the facts of a saved image; ``MeasurementError`` for a configuration of another shape."""
    try:
        return _facts(saved, name, now, tuple(repo_digests), tuple(repo_tags), index)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MeasurementError(
            f"{name}: the image's configuration has another shape: {type(error).__name__} {error}.",
            slug="container-inspect",
            hint="Is it an image by the OCI specification? `docker image inspect` shows it.",
        ) from error


def files_of(layers: Sequence[Layer]) -> Files:
    """Return what is there once every layer lies on those below it."""
    setuid: dict[str, int] = {}
    capabilities: dict[str, frozenset[str]] = {}
    tools: dict[str, str] = {}
    accounts: dict[str, str] = {}
    links: dict[str, str] = {}
    paths: set[str] = set()
    for layer in layers:
        gone = _hidden(layer, paths)
        for table in (setuid, capabilities, tools, accounts, links):
            for path in [path for path in table if path in gone or path in layer.paths]:
                del table[path]
        paths -= gone
        paths |= layer.paths
        setuid |= layer.setuid
        capabilities |= layer.capabilities
        tools |= layer.tools
        accounts |= layer.accounts
        links |= layer.links
    return Files(
        setuid=setuid,
        capabilities=capabilities,
        tools=tools,
        secrets=tuple(_secrets(layers, paths)),
        accounts=accounts,
        links=links,
        count=len(paths),
    )


def _secrets(layers: Sequence[Layer], paths: set[str]) -> Iterator[LayerSecret]:
    """Yield the secrets of all layers, also those of files that a higher layer takes away or replaces."""
    for number, layer in enumerate(layers, 1):
        for secret in layer.secrets:
            replaced = any(secret.path in above.paths for above in layers[number:])
            yield LayerSecret(
                secret=secret,
                layer=number,
                layers=len(layers),
                sha256=layer.sha256,
                hidden=replaced or secret.path not in paths,
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
    index: Index | None,
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
        platform=own,
        index=index,
        commands=tuple(_commands(config)),
        created=_time(saved.config.get("created")),
        history=tuple(
            " ".join(filter(None, (_text(each.get("created_by")), _text(each.get("comment")))))
            for each in saved.config.get("history") or ()
        ),
        files=files_of(saved.layers),
        now=now,
    )


def _commands(config: Mapping[str, Any]) -> Iterator[str]:
    for key in ("Entrypoint", "Cmd", "OnBuild", "Shell"):
        yield from (_text(word) for word in config.get(key) or ())
    yield from (_text(word) for word in (config.get("Healthcheck") or {}).get("Test") or ())


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
