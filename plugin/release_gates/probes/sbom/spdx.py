"""From a document to the packages that it names: SPDX 2.3 in JSON, https://spdx.github.io/spdx-spec/v2.3/."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from release_gates.probes.sbom.component import SHA_256, Component, Sbom
from release_gates.probes.sbom.faults import unreadable

VERSION = "SPDX-2.3"
DOCUMENT = "SPDXRef-DOCUMENT"
SHOWN = 200
_SAYS_NOTHING = ("", "NOASSERTION")
_ALGORITHMS = {"SHA256": SHA_256, "SHA384": "SHA-384", "SHA512": "SHA-512", "SHA1": "SHA-1"}


class Checksum(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The hash of a package or a file, ``checksumValue`` in hex digits."""

    algorithm: str
    checksumValue: str  # noqa: N815 - the format's own word, as all below


class Reference(msgspec.Struct, frozen=True):
    """Where else a package is known: of interest is the type "purl"."""

    referenceCategory: str  # noqa: N815
    referenceType: str  # noqa: N815
    referenceLocator: str  # noqa: N815


class Element(msgspec.Struct, frozen=True, kw_only=True):
    """A package, or a file with ``fileName``; what else it says is of no interest here."""

    SPDXID: str
    name: str = ""
    fileName: str = ""  # noqa: N815
    versionInfo: str = ""  # noqa: N815
    checksums: list[Checksum] = []
    externalRefs: list[Reference] = []  # noqa: N815
    licenseConcluded: str = ""  # noqa: N815
    licenseDeclared: str = ""  # noqa: N815


class Relationship(msgspec.Struct, frozen=True):
    """How two elements belong together; of interest is what the document describes."""

    spdxElementId: str  # noqa: N815
    relationshipType: str  # noqa: N815
    relatedSpdxElement: str  # noqa: N815


class Created(msgspec.Struct, frozen=True):
    """When and by what the document was made."""

    created: str
    creators: list[str]


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """The whole document, as far as it is of interest; the fields without a default have to be there."""

    SPDXID: str
    spdxVersion: str  # noqa: N815
    dataLicense: str  # noqa: N815
    name: str
    documentNamespace: str  # noqa: N815
    creationInfo: Created  # noqa: N815
    documentDescribes: list[str] = []  # noqa: N815
    packages: list[Element] = []
    files: list[Element] = []
    relationships: list[Relationship] = []


def read_spdx(file: str, found: dict[str, Any]) -> Sbom:
    """Return what an SPDX document describes, and all its other packages; ``file`` is how messages name it.

    Where it both declares and concludes a licence, both apply. Raises MeasurementError (``sbom-unreadable``)
    for another version, a field of another type, an id twice or nowhere, and more than one described element.
    """
    document = _converted(file, found)
    elements = _by_id(file, document)
    _check_relationships(file, document, elements)
    described = sorted(set(_described(document)))
    for each in described:
        if each not in elements:
            raise unreadable(file, "$", f"describes {each[:SHOWN]!r}, which it does not hold")
    if len(described) > 1:
        raise unreadable(
            file, "$", f"describes {len(described)} things, so nobody knows which one it is about"
        )
    packages = (each for each in document.packages if each.SPDXID not in described)
    return Sbom(
        subject=_component(elements[described[0]]) if described else None,
        components=tuple(_component(each) for each in packages),
    )


def _converted(file: str, found: dict[str, Any]) -> Document:
    try:
        document = msgspec.convert(found, Document)
    except (msgspec.ValidationError, RecursionError) as problem:
        raise unreadable(file, "$", f"does not keep to {VERSION}: {str(problem)[:SHOWN]}") from problem
    for name, said, wanted in (
        ("spdxVersion", document.spdxVersion, VERSION),
        ("SPDXID", document.SPDXID, DOCUMENT),
        ("dataLicense", document.dataLicense, "CC0-1.0"),
    ):
        if said != wanted:
            raise unreadable(file, f"$.{name}", f"is {said[:SHOWN]!r}, not {wanted!r}")
    return document


def _by_id(file: str, document: Document) -> dict[str, Element]:
    elements: dict[str, Element] = {}
    for each in (*document.packages, *document.files):
        if each.SPDXID == DOCUMENT or each.SPDXID in elements or not each.SPDXID.startswith("SPDXRef-"):
            raise unreadable(file, "$", f"{each.SPDXID[:SHOWN]!r} is no SPDXID, or one that is there twice")
        if not (each.name or each.fileName):
            raise unreadable(file, "$", f"{each.SPDXID[:SHOWN]!r} has no name")
        if len({one.algorithm for one in each.checksums}) != len(each.checksums):
            raise unreadable(file, "$", f"{each.SPDXID[:SHOWN]!r} has two checksums of one algorithm")
        elements[each.SPDXID] = each
    return elements


def _check_relationships(file: str, document: Document, elements: dict[str, Element]) -> None:
    """Refuse a document of which packages were cut off: what its relationships name is not there."""
    everywhere = ("NOASSERTION", "NONE", DOCUMENT)
    for each in document.relationships:
        for end in (each.spdxElementId, each.relatedSpdxElement):
            outside = end.startswith("DocumentRef-") or end.startswith("SPDXRef-Snippet")
            if end not in elements and end not in everywhere and not outside:
                raise unreadable(file, "$.relationships", f"name {end[:SHOWN]!r}, which it does not hold")


def _described(document: Document) -> Iterator[str]:
    yield from document.documentDescribes
    for each in document.relationships:
        if (each.relationshipType, each.spdxElementId) == ("DESCRIBES", DOCUMENT):
            yield each.relatedSpdxElement
        if (each.relationshipType, each.relatedSpdxElement) == ("DESCRIBED_BY", DOCUMENT):
            yield each.spdxElementId


def _component(found: Element) -> Component:
    purls = (each.referenceLocator for each in found.externalRefs if each.referenceType == "purl")
    hashes = {
        _ALGORITHMS.get(each.algorithm, each.algorithm): each.checksumValue.lower()
        for each in found.checksums
    }
    licences = (found.licenseConcluded, found.licenseDeclared)
    return Component(
        name=found.name or found.fileName,
        version=found.versionInfo if found.versionInfo != "NOASSERTION" else "",
        purl=next(purls, ""),
        hashes=tuple(hashes.items()),
        licences=tuple(dict.fromkeys(each for each in licences if each not in _SAYS_NOTHING)),
    )
