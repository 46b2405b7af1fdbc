"""Names of images: name, tag and digest, and the one name of an image that can be written in several ways."""

from __future__ import annotations

from functools import lru_cache

DOCKER_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


def split_image(image: str) -> tuple[str, str, str]:
    """Return name, tag and digest of an image reference, empty where there is none."""
    rest, _, digest = image.partition("@")
    folder, slash, last = rest.rpartition("/")
    name, _, tag = last.partition(":")
    return f"{folder}{slash}{name}", tag, digest


@lru_cache(maxsize=1024)
def whole_name(name: str) -> str:
    """Return the name of an image with its registry: the same image for every way to write it."""
    registry, slash, rest = name.partition("/")
    if not slash or not ("." in registry or ":" in registry or registry == "localhost"):
        registry, rest = "docker.io", name
    if registry not in DOCKER_HUB:
        return name
    return f"docker.io/{rest}" if "/" in rest else f"docker.io/library/{rest}"


def below(name: str, prefix: str) -> bool:
    """Tell whether a name is a prefix or below it, by whole parts."""
    return name == prefix or name.startswith(prefix.rstrip("/") + "/")
