"""SPDX 2.3: what is read, what is refused; whatever the bytes are, no component is made up."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_gates.errors import GateError, MeasurementError
from release_gates.probes.sbom.document import read_sbom

DIGEST = "ab" * 32


def package(name, digest=None, **more):
    purl = {
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": f"pkg:x/{name}@1",
    }
    sums = [{"algorithm": "SHA256", "checksumValue": digest}] if digest else []
    return {"SPDXID": f"SPDXRef-{name}", "name": name, "versionInfo": "1", "downloadLocation": "NOASSERTION",
            "externalRefs": [purl], "checksums": sums, **more}  # fmt: skip


def describes(name):
    return {
        "spdxElementId": "SPDXRef-DOCUMENT",
        "relationshipType": "DESCRIBES",
        "relatedSpdxElement": f"SPDXRef-{name}",
    }


def document(*packages, **more):
    return {"SPDXID": "SPDXRef-DOCUMENT", "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "name": "engine",
            "documentNamespace": "https://trading.example/engine",
            "creationInfo": {"created": "2026-11-01T00:00:00Z", "creators": ["Tool: syft"]},
            "packages": [package("engine", DIGEST.upper()), *packages],
            "relationships": [describes("engine")], **more}  # fmt: skip


def read(*packages, **more):
    return read_sbom("sbom.spdx.json", json.dumps(document(*packages, **more)).encode())


def test_the_described_package_is_the_subject_and_the_others_are_what_it_is_made_of():
    sbom = read(package("a", licenseConcluded="NOASSERTION", licenseDeclared="MIT"), package("b"))
    assert dict(sbom.subject.hashes) == {"SHA-256": DIGEST}
    assert [(each.name, each.purl, each.licences) for each in sbom.components] == [
        ("a", "pkg:x/a@1", ("MIT",)),
        ("b", "pkg:x/b@1", ()),
    ]
    assert all(each.identified for each in sbom.components)


def test_a_licence_that_is_concluded_does_not_hide_the_one_that_is_declared():
    (found,) = read(package("a", licenseConcluded="MIT", licenseDeclared="AGPL-3.0-only")).components
    assert found.licences == ("MIT", "AGPL-3.0-only")


def test_a_described_file_is_a_subject_and_none_described_is_no_subject():
    file = {
        "SPDXID": "SPDXRef-f",
        "fileName": "./engine",
        "checksums": [{"algorithm": "SHA256", "checksumValue": DIGEST}],
    }
    sbom = read(files=[file], relationships=[], documentDescribes=["SPDXRef-f"])
    assert (sbom.subject.name, [each.name for each in sbom.components]) == ("./engine", ["engine"])
    assert read(relationships=[]).subject is None


def test_a_version_that_nobody_asserts_identifies_nothing():
    (found,) = read(package("a", versionInfo="NOASSERTION")).components
    assert not found.identified


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"spdxVersion": "SPDX-2.2"}, "is 'SPDX-2.2', not 'SPDX-2.3'"),
        ({"spdxVersion": None}, "does not keep to SPDX-2.3"),
        ({"dataLicense": "MIT"}, "$.dataLicense"),
        ({"creationInfo": {}}, "does not keep to SPDX-2.3"),
        ({"packages": [package("a"), package("a")]}, "there twice"),
        ({"packages": [{**package("a"), "name": ""}]}, "has no name"),
        ({"packages": [package("a", SPDXID="a")]}, "is no SPDXID"),
        ({"packages": [package("a", versionInfo=1)]}, "does not keep to SPDX-2.3"),
        ({"packages": [package("engine", checksums=[{"algorithm": "SHA256", "checksumValue": "1"}] * 2)]}, "two checksums"),
        ({"packages": [package("a")]}, "name 'SPDXRef-engine', which it does not hold"),
        ({"documentDescribes": ["SPDXRef-gone"]}, "describes 'SPDXRef-gone'"),
        ({"packages": [package("engine"), package("a")], "documentDescribes": ["SPDXRef-a"]}, "describes 2 things"),
    ],
)  # fmt: skip
def test_what_proves_nothing_is_refused_by_name(more, words):
    with pytest.raises(MeasurementError, match=r"sbom\.spdx\.json") as refused:
        read(**more)
    assert refused.value.slug == "sbom-unreadable"
    assert words in str(refused.value)


def test_a_document_of_its_subject_alone_is_empty():
    with pytest.raises(MeasurementError) as refused:
        read()
    assert refused.value.slug == "sbom-empty"


WHOLE = json.dumps(document(package("a", licenseDeclared="MIT"), package("b"))).encode()


@settings(max_examples=100, deadline=None)
@given(start=st.integers(0, len(WHOLE)), end=st.integers(0, len(WHOLE)), piece=st.binary(max_size=8))
def test_damaged_bytes_are_refused_or_name_no_component_that_was_not_there(start, end, piece):
    try:
        sbom = read_sbom("sbom.spdx.json", WHOLE[:start] + piece + WHOLE[end:])
    except GateError:
        return
    assert 0 < len(sbom.components) <= 4


@settings(max_examples=100, deadline=None)
@given(
    key=st.sampled_from(sorted(document())),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
        max_leaves=6,
    ),
)
def test_another_shape_never_ends_in_anything_but_a_sentence(key, value):
    try:
        sbom = read(package("a"), **{key: value})
    except GateError:
        return
    assert [each.name for each in sbom.components] in (["a"], ["engine", "a"])
