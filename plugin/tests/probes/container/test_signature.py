"""Signatures as cosign makes them: by the key of policy and about this image, or no pass."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.errors import MeasurementError
from release_gates.probes.container.signature import KIND, faults, read_signatures

DIGEST = "9e" * 32
OWN = frozenset({DIGEST, "1d" * 32})


def openssl(*words: str, stdin: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *words], input=stdin, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Make keys as `cosign generate-key-pair` and others do, by another program than the one that verifies."""
    folder = tmp_path_factory.mktemp("keys")
    kinds = {
        "ours": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "rsa": ["RSA"],
        "other": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    }
    for name, options in kinds.items():
        openssl("genpkey", "-algorithm", *options, "-out", str(folder / name))
        openssl("pkey", "-in", str(folder / name), "-pubout", "-out", str(folder / f"{name}.pub"))
    return {name: folder / name for name in kinds}


def payload(digest: str = DIGEST, **changes: Any) -> bytes:
    critical = {
        "identity": {"docker-reference": "registry.example.com/engine"},
        "image": {"docker-manifest-digest": f"sha256:{digest}"},
        "type": KIND,
        **changes,
    }
    return json.dumps({"critical": critical, "optional": None}).encode()


def line(key: Path, of: bytes, shown: bytes | None = None) -> bytes:
    """Return what `cosign download signature` writes of one signature."""
    signature = openssl("dgst", "-sha256", "-sign", str(key), stdin=of)
    entry = {
        "Base64Signature": base64.b64encode(signature).decode(),
        "Payload": base64.b64encode(of if shown is None else shown).decode(),
        "Cert": None,
        "Chain": None,
        "Bundle": None,
    }
    return json.dumps(entry).encode() + b"\n"


def said(keys: dict[str, Path], data: bytes, key: str = "ours") -> list[str]:
    pem = keys[key].with_suffix(".pub").read_bytes()
    return [fault.effective for fault in faults(read_signatures(data, "image.sig"), pem, OWN, "image.sig")]


def test_a_signature_by_our_key_about_this_image_counts(keys: dict[str, Path]) -> None:
    for key in ("ours", "rsa"):
        assert said(keys, line(keys[key], payload()), key) == []
    assert said(keys, line(keys["other"], payload()) + line(keys["ours"], payload("1d" * 32))) == []


def test_any_other_signature_is_no_pass(keys: dict[str, Path]) -> None:
    ours = keys["ours"]
    for data in (b"", line(keys["other"], payload()), line(ours, payload("0" * 64), shown=payload())):
        assert said(keys, data) == ["none is by the key that policy names"]
    for data in (
        line(ours, payload("0" * 64)),
        line(ours, payload(type="something else")),
        line(ours, payload(image={"docker-manifest-digest": f"sha512:{DIGEST}"})),
        line(ours, b"no json"),
        line(ours, payload("0" * 64)) + line(keys["other"], payload()),
    ):
        (fault,) = said(keys, data)
        assert fault.startswith("the image is known as")


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"{}",
        b"[]",
        b'{"Base64Signature": "?", "Payload": ""}',
        b"\xff",
        b"[" * 100_000,
        b" " * (5 << 20),
    ],
)
def test_what_cosign_does_not_write_is_an_error(data: bytes) -> None:
    with pytest.raises(MeasurementError, match="container-report"):
        read_signatures(data, "image.sig")


@pytest.mark.parametrize(
    "pem", [b"", b"no key", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"]
)
def test_a_key_that_is_none_is_an_error(pem: bytes) -> None:
    with pytest.raises(MeasurementError, match="container-key"):
        list(faults((), pem, OWN, "image.sig"))


@given(st.binary(max_size=80))
def test_any_payload_is_about_nothing_or_one_image(data: bytes) -> None:
    entry = {"Base64Signature": "", "Payload": base64.b64encode(data).decode()}
    assert len(read_signatures(json.dumps(entry).encode(), "image.sig")) == 1
