"""What policy may say of an SBOM, as ``[gate.security.sbom]``."""

from __future__ import annotations

import msgspec


class Accepted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A licence that is not allowed and is accepted for one component, as long as that is its licence.

    Raises ValueError without a licence or a reason.
    """

    licence: str
    because: str

    def __post_init__(self) -> None:
        if not self.licence.strip() or not self.because.strip():
            raise ValueError("accepted: `licence` and `because` must say something")


class SbomSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the components of a candidate may be licensed under.

    ``artifact`` names the candidate's SBOM, ``subject`` the artifact whose SHA-256 it has to name as what it
    describes. ``licences`` are the SPDX ids that are allowed; those with an exception stand there whole.
    ``stated`` maps a component to the SPDX expression that a person read in its own files: by name it counts
    for those whose metadata name none, by ``name@version`` it replaces what the metadata say. ``accepted``
    maps a component to the one licence, allowed for nothing else, that is accepted for it; one that nobody
    knows is not. Raises ValueError without an allowed licence.
    """

    artifact: str = "sbom.json"
    subject: str
    licences: list[str]
    stated: dict[str, str] = {}
    accepted: dict[str, Accepted] = {}

    def __post_init__(self) -> None:
        if not self.licences or "" in self.licences:
            raise ValueError("licences must name at least one SPDX id, as in ['MIT', 'Apache-2.0']")
