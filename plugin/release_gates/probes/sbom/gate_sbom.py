"""The SBOM of a candidate, judged for one gate: whole, about this candidate, under allowed licences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from release_gates.errors import GateError
from release_gates.probes.sbom.component import Sbom
from release_gates.probes.sbom.document import read_sbom
from release_gates.probes.sbom.faults import other_subject, unknown_licence
from release_gates.probes.sbom.licences import Licensed, judge_licences
from release_gates.probes.sbom.settings import SbomSettings

NAMED = 3
"""So many components stand in a sentence before "and N more"."""


class Candidate(Protocol):
    """What this probe needs of the candidate."""

    def artifact(self, name: str) -> Path:
        """Return the artifact from the store, hashed again and named by its SHA-256; raises GateError."""

    def artifact_digest(self, name: str) -> str:
        """Return the SHA-256 of a file, or the digest of an image, in hex; raises GateError."""


class Gate(Protocol):
    """What this probe needs of the fixture ``gate``."""

    @property
    def candidate(self) -> Candidate:
        """Return the candidate."""

    def settings(self, kind: type[SbomSettings]) -> SbomSettings:
        """Return the probe's settings from policy."""

    def measure(self, name: str, value: float, unit: str, *, samples: int | None = None) -> None:
        """Record a measurement."""

    def missing(self, name: str, because: str) -> None:
        """Say why a value could not be had."""

    def attach(self, name: str, path: Path) -> None:
        """Keep a file with the evidence."""


class GateSbom:
    """One candidate's SBOM. It is read, and has to be about the candidate, before anything is measured."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._settings = gate.settings(SbomSettings)

    def measure_components(self, expected: Mapping[str, str]) -> None:
        """Measure ``sbom.missing`` and ``sbom.unidentified`` in ``count``; samples are the components.

        ``expected`` maps the name of each component that has to be there to its version. Raises
        AssertionError (FAIL) that names what is missing or not identified, MeasurementError for an SBOM that
        proves nothing.
        """
        components = self._read("sbom.missing", "sbom.unidentified").components
        there = {(each.name.lower(), each.version) for each in components}
        missing = sorted(f"{name} {v}" for name, v in expected.items() if (name.lower(), v) not in there)
        vague = sorted(str(each) for each in components if not each.identified)
        self._gate.measure("sbom.missing", len(missing), "count", samples=len(components))
        self._gate.measure("sbom.unidentified", len(vague), "count", samples=len(components))
        assert not missing, f"the SBOM does not name {_some(missing)}"
        assert not vague, f"the SBOM has no version, or neither purl nor hash, of {_some(vague)}"

    def measure_licences(self) -> None:
        """Measure ``licences.forbidden``, ``.unknown``, ``.accepted``, ``.stated`` in ``count``.

        Samples are all components. Raises AssertionError (FAIL) that names what is not allowed,
        MeasurementError for what nobody knows and for an SBOM that proves nothing.
        """
        components = self._read(*(f"licences.{name}" for name in Licensed._fields)).components
        said = self._settings
        accepted = {name: each.licence for name, each in said.accepted.items()}
        found = judge_licences(components, frozenset(said.licences), said.stated, accepted)
        for name, which in found._asdict().items():
            self._gate.measure(f"licences.{name}", len(which), "count", samples=len(components))
        assert not found.forbidden, f"policy does not allow the licence of {_some(found.forbidden)}"
        if found.unknown:
            raise unknown_licence(self._settings.artifact, _some(found.unknown))

    def _read(self, *measured: str) -> Sbom:
        """Return the SBOM; what was to be measured is MISSING where it is absent or about another build."""
        try:
            return self._about_candidate()
        except GateError as error:
            for name in measured:
                self._gate.missing(name, str(error))
            raise

    def _about_candidate(self) -> Sbom:
        name, candidate = self._settings.artifact, self._gate.candidate
        file = candidate.artifact(name)
        self._gate.attach(name, file)
        sbom = read_sbom(name, file.read_bytes())
        wanted = candidate.artifact_digest(self._settings.subject)
        said = (sbom.subject.digest if sbom.subject else "") or "no SHA-256"
        if said != wanted:
            raise other_subject(
                name, f"describes {said}, and the candidate's {self._settings.subject} is {wanted}"
            )
        return sbom


def _some(names: Sequence[str]) -> str:
    more = f"; and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{'; '.join(names[:NAMED])}{more}"
