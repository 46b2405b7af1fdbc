"""What an SBOM says, whichever format it is written in."""

from __future__ import annotations

from dataclasses import dataclass

SHA_256 = "SHA-256"


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

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sbom:
    """One document: what it describes (None where it does not say), and what that is made of."""

    subject: Component | None
    components: tuple[Component, ...]
