"""SBOMs: what is read, what is refused, which licences pass; whatever the bytes are, no component is made up."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_gates.errors import CandidateError, GateError, MeasurementError
from release_gates.probes.sbom.component import Component
from release_gates.probes.sbom.document import read_sbom
from release_gates.probes.sbom.gate_sbom import GateSbom
from release_gates.probes.sbom.licences import Licensed, judge_licences
from release_gates.probes.sbom.settings import SbomSettings

DIGEST = "ab" * 32
MIT = [{"license": {"id": "MIT"}}]


def part(name, **more):
    return {"type": "library", "name": name, "version": "1.0", "purl": f"pkg:pypi/{name}@1.0", **more}


def document(*components, digest=DIGEST, **more):
    subject = {"type": "application", "name": "engine", "hashes": [{"alg": "SHA-256", "content": digest}]}
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": {"component": subject},
            "components": list(components), **more}  # fmt: skip


def encoded(*components, **more):
    return json.dumps(document(*components, **more)).encode()


def test_components_within_components_count_too():
    sbom = read_sbom("sbom.json", encoded(part("a", licenses=MIT, components=[part("b")])))
    assert [(each.name, each.licences) for each in sbom.components] == [("a", ("MIT",)), ("b", ())]
    assert sbom.subject is not None
    assert dict(sbom.subject.hashes) == {"SHA-256": DIGEST}
    within = document(part("a"))
    within["metadata"]["component"]["components"] = [part("c", components=[part("d")])]
    sbom = read_sbom("sbom.json", json.dumps(within).encode())
    assert [each.name for each in sbom.components] == ["c", "d", "a"], "what lies in the subject is in it too"


@pytest.mark.parametrize(
    ("data", "slug", "words"),
    [
        (b"", "sbom-unreadable", "no whole JSON"),
        (encoded(part("a"))[:-9], "sbom-unreadable", "no whole JSON"),
        (b"[]", "sbom-unreadable", "neither CycloneDX (bomFormat) nor SPDX"),
        (b'{"bomFormat": "CycloneDX", "spdxVersion": "SPDX-2.3"}', "sbom-unreadable", "neither CycloneDX"),
        (b'{"bomFormat": "Other"}', "sbom-unreadable", "not 'CycloneDX'"),
        (b"\xff", "sbom-unreadable", "not UTF-8"),
        (b'{"bomFormat": "CycloneDX", "bomFormat": "CycloneDX"}', "sbom-unreadable", "a key twice"),
        (encoded(part("a"), specVersion="9.9"), "sbom-unreadable", "'9.9', which this reader does not know"),
        (encoded(part("a"), invented=1), "sbom-unreadable", "does not keep to CycloneDX 1.6"),
        (encoded({"type": "library"}), "sbom-unreadable", "does not keep to CycloneDX 1.6"),
        (encoded(), "sbom-empty", "no component at all"),
    ],
)
def test_what_proves_nothing_is_refused_by_name(data, slug, words):
    with pytest.raises(MeasurementError, match=r"sbom\.json") as refused:
        read_sbom("sbom.json", data)
    assert refused.value.slug == slug
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("licences", "stated", "verdict"),
    [
        (("MIT",), {}, ""),
        (("MIT OR AGPL-3.0-only",), {}, ""),
        (("MIT AND AGPL-3.0-only",), {}, "forbidden"),
        (("MIT", "AGPL-3.0-only"), {}, "forbidden"),
        (("GPL-3.0-or-later WITH GCC-exception-3.1",), {}, ""),
        (("GPL-3.0-or-later",), {}, "forbidden"),
        ((), {}, "unknown"),
        (("",), {}, "unknown"),
        (("BSD License",), {}, "unknown"),
        (("MIT", "Proprietary"), {}, "unknown"),
        (("MIT AND",), {}, "unknown"),
        (("BSD License",), {"a": "MIT"}, ""),
        (("MIT",), {"a@1": "AGPL-3.0-only"}, "forbidden"),
        (("AGPL-3.0-only",), {"a@1": "MIT"}, ""),
        (("AGPL-3.0-only",), {"a@2": "MIT"}, "forbidden"),
        (("AGPL-3.0-only",), {"a": "MIT"}, "forbidden"),
        (("BSD License",), {"a@2": "MIT"}, "unknown"),
        (("MIT", "AGPL-3.0-only"), {"a": "MIT"}, "forbidden"),
        (("MIT",), {"A": "AGPL-3.0-only"}, ""),
    ],
)
def test_licences(licences, stated, verdict):
    allowed = {"MIT", "GPL-3.0-or-later WITH GCC-exception-3.1"}
    found = judge_licences([Component(name="a", version="1", licences=licences)], allowed, stated)
    bad = [kind for kind, names in found._asdict().items() if names and kind != "stated"]
    assert bad == ([verdict] if verdict else [])
    replaced = bool(stated) and not verdict and licences != ("MIT",)
    assert not replaced or found.stated == ("a 1",), "what stands in policy alone is counted"


def test_an_accepted_component_is_counted_and_never_accepts_an_unknown_licence():
    components = [Component(name="a", licences=("GPL-2.0-only",)), Component(name="b", licences=("?",))]
    accepted = {"a": "GPL-2.0-only", "b": "?"}
    found = judge_licences(components, {"MIT"}, {}, accepted)
    assert (len(found.accepted), len(found.unknown), found.forbidden) == (1, 1, ())


@pytest.mark.parametrize(
    "said", [("AGPL-3.0-only",), ("GPL-2.0-only", "AGPL-3.0-only"), ("GPL-2.0-only AND MIT",)]
)
def test_what_is_accepted_is_one_licence_and_no_later_one(said):
    component = Component(name="a", version="2", licences=said)
    found = judge_licences([component], {"MIT"}, {}, {"a": "GPL-2.0-only"})
    assert (len(found.forbidden), found.accepted) == (1, ())
    assert judge_licences(
        [Component(name="a", licences=("GPL-2.0-only", "MIT"))], {"MIT"}, {}, {"a": "GPL-2.0-only"}
    ).accepted


def oci(**subject):
    return {"type": "container", "name": "engine", **subject}


@pytest.mark.parametrize(
    ("subject", "is_ours"),
    [
        (oci(version=f"sha256:{DIGEST}"), True),
        (oci(purl=f"pkg:oci/engine@sha256%3A{DIGEST}?arch=amd64&repository_url=r.io%2Fengine"), True),
        (oci(purl=f"pkg:oci/engine@sha256:{DIGEST}"), True),
        (oci(purl=f"pkg:oci/engine@sha256:{'cd' * 32}", version=f"sha256:{DIGEST}"), False),
        (oci(version=f"sha256:{DIGEST}", hashes=[{"alg": "SHA-256", "content": "cd" * 32}]), False),
        (oci(version=f"sha256:{'cd' * 32}"), False),
        (oci(version=f"1.0-sha256:{DIGEST}"), False),
        (oci(version=DIGEST), False),
        (oci(purl=f"pkg:generic/engine@sha256:{DIGEST}"), False),
        (oci(purl=f"pkg:oci/engine@1?tag=sha256:{DIGEST}"), False),
    ],
)
def test_an_sbom_may_name_an_image_by_its_digest_alone(tmp_path, subject, is_ours):
    """As Syft and Trivy do, which hash no file of the candidate."""
    data = document(part("a", licenses=MIT))
    data["metadata"]["component"] = subject
    gate = GateSbom(Fake(tmp_path, json.dumps(data).encode()))
    if is_ours:
        gate.measure_licences()
    else:
        with pytest.raises(MeasurementError, match="describes"):
            gate.measure_licences()


class Fake:
    """A gate and its candidate: an SBOM in a folder, and a binary that is named by its digest."""

    def __init__(self, folder, data):
        self.folder, self.candidate, self.measured, self.absent = folder, self, {}, {}
        (folder / "sbom.json").write_bytes(data)
        (folder / DIGEST).touch()

    def artifact(self, name):
        return self.folder / (DIGEST if name == "engine" else name)

    def artifact_digest(self, name):
        return self.artifact(name).name

    def settings(self, kind):
        return SbomSettings(subject="engine", licences=["MIT"])

    def attach(self, name, path):
        pass

    def missing(self, name, because):
        self.absent[name] = because

    def measure(self, name, value, unit, *, samples=None):
        self.measured[name] = (value, samples)


def test_a_component_that_is_missing_or_vague_fails(tmp_path):
    gate = Fake(tmp_path, encoded(part("a"), {"type": "library", "name": "b", "version": "2"}))
    with pytest.raises(AssertionError, match="the SBOM does not name c 1"):
        GateSbom(gate).measure_components({"A": "1.0", "c": "1"})
    assert gate.measured == {"sbom.missing": (1, 2), "sbom.unidentified": (1, 2)}
    with pytest.raises(AssertionError, match="neither purl nor hash, of b 2"):
        GateSbom(gate).measure_components({"a": "1.0"})


def test_another_version_is_not_the_component(tmp_path):
    with pytest.raises(AssertionError, match=r"does not name a 1\.1"):
        GateSbom(Fake(tmp_path, encoded(part("a")))).measure_components({"a": "1.1"})


def test_an_unknown_licence_is_an_error_and_a_forbidden_one_fails(tmp_path):
    with pytest.raises(MeasurementError, match=r"no known licence: a 1\.0 \(none is named\)"):
        GateSbom(Fake(tmp_path, encoded(part("a")))).measure_licences()
    agpl = part("a", licenses=[{"license": {"id": "AGPL-3.0-only"}}])
    with pytest.raises(AssertionError, match=r"does not allow the licence of a 1\.0 \(AGPL-3\.0-only\)"):
        GateSbom(Fake(tmp_path, encoded(agpl))).measure_licences()


@pytest.mark.parametrize("digest", ["cd" * 32, None])
def test_an_sbom_of_another_build_is_refused(tmp_path, digest):
    data = document(part("a", licenses=MIT), digest=digest or DIGEST)
    if digest is None:
        del data["metadata"]["component"]["hashes"]
    gate = Fake(tmp_path, json.dumps(data).encode())
    with pytest.raises(MeasurementError, match="describes"):
        GateSbom(gate).measure_licences()
    assert not gate.measured
    assert set(gate.absent) == {f"licences.{kind}" for kind in Licensed._fields}
    assert "describes" in gate.absent["licences.unknown"]


def test_an_sbom_that_is_absent_leaves_what_was_to_be_measured_missing(tmp_path):
    gate = Fake(tmp_path, encoded(part("a")))
    gate.artifact = refuse
    with pytest.raises(CandidateError, match="has no artifact"):
        GateSbom(gate).measure_components({"a": "1.0"})
    assert not gate.measured
    assert set(gate.absent) == {"sbom.missing", "sbom.unidentified"}


def refuse(name):
    raise CandidateError(f"the candidate has no artifact {name}.", slug="artifact-unknown", hint="Name it.")


@pytest.mark.parametrize(
    "wrong",
    [
        {"licences": []},
        {"licences": [""]},
        {"accepted": {"a": {"licence": "MIT", "because": " "}}},
        {"accepted": {"a": {"licence": "", "because": "x"}}},
    ],
)
def test_settings_that_would_allow_by_accident_are_refused(wrong):
    with pytest.raises(ValueError, match=r"licences|must say something"):
        msgspec.convert({"subject": "engine", "licences": ["MIT"], **wrong}, SbomSettings)


WHOLE = encoded(part("a", licenses=MIT), part("b"))


@settings(max_examples=60, deadline=None)
@given(start=st.integers(0, len(WHOLE)), end=st.integers(0, len(WHOLE)), piece=st.binary(max_size=8))
def test_damaged_bytes_are_refused_or_name_no_component_that_was_not_there(start, end, piece):
    try:
        sbom = read_sbom("sbom.json", WHOLE[:start] + piece + WHOLE[end:])
    except GateError:
        return
    assert 0 < len(sbom.components) <= 4


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30))
def test_no_text_is_taken_for_an_allowed_licence(text):
    found = judge_licences([Component(name="a", licences=(text,))], {"MIT"}, {})
    assert found.unknown or found.forbidden or "mit" in text.lower()
