"""Any bytes and any JSON give findings or a refusal with a sentence; damage never removes a finding in silence."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from release_gates.errors import MeasurementError

from .conftest import document, read, result, tool_run

SLOW = settings(deadline=None, suppress_health_check=list(HealthCheck))
WHOLE = document(
    tool_run(
        result(ruleIndex=0, partialFingerprints={"hash": "a"}),
        result("R2", level="error"),
        rules=[{"id": "R1", "properties": {"security-severity": "9.8"}}, {"id": "R2"}],
        invocations=[{"executionSuccessful": True, "endTimeUtc": "2026-01-01T00:00:00Z"}],
    )
)


def attempt(data):
    try:
        return read(data)
    except MeasurementError as error:
        assert error.slug.startswith("sarif-")  # noqa: PT017
        assert error.message.endswith(".")  # noqa: PT017
        return None


@SLOW
@given(data=st.binary(max_size=200))
@example(data=b'{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "\\ud800"}}, "results": []}]}')
def test_any_bytes(data):
    assert not attempt(data)


WORDS = st.sampled_from(
    ["tool", "driver", "name", "rules", "id", "results", "ruleId", "ruleIndex", "rule", "kind", "level", "message",
     "text", "locations", "physicalLocation", "artifactLocation", "uri", "index", "uriBaseId", "region", "startLine",
     "suppressions", "status", "properties", "security-severity", "invocations", "executionSuccessful", "pass",
     "fail", "none", "error", "provenance", "invocationIndex", "originalUriBaseIds", "extensions", "toolComponent",
     "endTimeUtc", "artifacts", "location", "hashes", "fixes", "partialFingerprints", "\ud800", "//[", "%00"]
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers(-3, 12) | st.floats() | WORDS
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4)
)


@SLOW
@given(entry=st.dictionaries(WORDS, JSON, max_size=4), said=st.dictionaries(WORDS, JSON, max_size=4))
def test_any_json(entry, said):
    attempt(document(tool_run(result() | entry) | said))


@SLOW
@given(uri=st.text(max_size=20), base=st.text(max_size=20))
@example(uri="//[", base="")
@example(uri="http://[::1", base="x")
def test_any_uri(uri, base):
    place = {"physicalLocation": {"artifactLocation": {"uri": uri, "uriBaseId": "B"}}}
    found = attempt(document(tool_run(result(locations=[place]), originalUriBaseIds={"B": {"uri": base}})))
    assert found is None or (len(found) == 1 and found[0].path.isprintable())


@SLOW
@given(where=st.integers(0, len(WHOLE) - 1))
def test_truncation(where):
    assert attempt(WHOLE[:where]) is None


@SLOW
@given(where=st.integers(0, len(WHOLE) - 1), bit=st.integers(0, 7))
def test_one_flipped_bit_loses_no_finding(where, bit):
    data = bytearray(WHOLE)
    data[where] ^= 1 << bit
    found = attempt(bytes(data))
    assert found is None or len(found) == 2


@given(data=st.data())
def test_no_key_twice(data):
    key = data.draw(st.sampled_from(["results", "tool", "invocations"]))
    text = WHOLE.decode().replace(f'"{key}":', f'"{key}": {json.dumps([])}, "{key}":', 1)
    assert attempt(text.encode()) is None
