"""An OCI index (or Docker manifest list): which image is meant for which platform."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from release_gates.probes.container.report_file import document, listed, unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """One index. ``images`` are pairs of platform (``os/architecture[/variant]``) and digest in hex."""

    digest: str
    images: tuple[tuple[str, str], ...]

    @property
    def platforms(self) -> tuple[str, ...]:
        """Every platform, as often as it stands there."""
        return tuple(platform for platform, _ in self.images)


def read_index(data: bytes, place: str) -> Index:
    """Return the images of an index in JSON; attestations are none. ``MeasurementError`` for another form."""
    found = document(data, place)
    try:
        images = tuple(_image(each) for each in listed(found["manifests"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise unreadable(place, f"{type(error).__name__}: {error}") from None
    kept = tuple(each for each in images if not each[0].startswith("unknown"))
    return Index(digest=hashlib.sha256(data).hexdigest(), images=kept)


def serves(platform: str, wanted: str) -> bool:
    """Tell whether an image for a platform is one for another: a variant is one of its architecture."""
    return platform == wanted or platform.startswith(f"{wanted}/") or wanted.startswith(f"{platform}/")


def _image(entry: dict[str, object]) -> tuple[str, str]:
    platform, (kind, _, digest) = entry["platform"], str(entry["digest"]).partition(":")
    if not isinstance(platform, dict) or kind != "sha256" or len(digest) != 64:
        raise ValueError("an entry has no platform, or no digest sha256:…")
    parts = (platform["os"], platform["architecture"], platform.get("variant"))
    return "/".join(str(part) for part in parts if part), digest
