"""What policy may say of an SBOM, as ``[gate.security.sbom]``."""

from __future__ import annotations

import msgspec


class SbomSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the components of a candidate may be licensed under.

    ``artifact`` names the candidate's SBOM, ``subject`` the artifact whose SHA-256 it has to name as what it
    describes. ``licences`` are the SPDX ids that are allowed; those with an exception stand there whole.
    ``stated`` maps a component to the SPDX expression that a person read in its own files, for those whose
    metadata name none. ``accepted`` maps a component to the reason why a licence that is not allowed is
    accepted for it; one that nobody knows is not. Raises ValueError without an allowed licence.
    """

    artifact: str = "sbom.json"
    subject: str
    licences: list[str]
    stated: dict[str, str] = {}
    accepted: dict[str, str] = {}

    def __post_init__(self) -> None:
        for name, why in self.accepted.items():
            if not why.strip():
                raise ValueError(f"accepted: {name!r} has no reason")
        if not self.licences or "" in self.licences:
            raise ValueError("licences must name at least one SPDX id, as in ['MIT', 'Apache-2.0']")
