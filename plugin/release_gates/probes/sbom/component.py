"""What an SBOM says, whichever format it is written in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

SHA_256 = "SHA-256"
_OF_IMAGE = re.compile(r"(?:^|@)sha256:([0-9a-f]{64})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One component. ``licences`` are SPDX ids, expressions and names as they stand there; all apply."""

    name: str
    version: str = ""
    purl: str = ""
    hashes: tuple[tuple[str, str], ...] = ()
    licences: tuple[str, ...] = ()

    @property
    def identified(self) -> bool:
        """Whether name, version and a package URL or a hash say exactly what it is."""
        return bool(self.name and self.version and (self.purl or self.hashes))

    @property
    def digest(self) -> str:
        """The SHA-256 that says what it is, in hex; "" without one.

        A hash comes first; an image may be named by its digest alone, in a package URL
        (``pkg:oci/…@sha256:…``) or as its version, as Syft and Trivy write it.
        """
        hashes = dict(self.hashes)
        if SHA_256 in hashes:
            return hashes[SHA_256]
        named = self.purl.partition("?")[0] if self.purl.startswith("pkg:oci/") else self.version
        found = _OF_IMAGE.search(unquote(named))
        return found[1] if found else ""

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sbom:
    """One document: what it describes (None where it does not say), and what that is made of."""

    subject: Component | None
    components: tuple[Component, ...]
