"""Who signed the image (IM12): cosign's signatures, verified with the public key that policy names.

What is signed is a *simple signing* payload (https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md),
which names the image by the digest of its manifest.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from release_gates.errors import MeasurementError, ProbeUnavailable
from release_gates.probes.container.report_file import unreadable
from release_gates.probes.container.rule import Fault

LARGEST = 4 << 20
KIND = "cosign container image signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """One signature and the bytes that it is of."""

    signature: bytes
    payload: bytes


def read_signatures(data: bytes, place: str) -> tuple[Signed, ...]:
    """Return what `cosign download signature` wrote, one object a line; ``MeasurementError`` for another."""
    if len(data) > LARGEST:
        raise unreadable(place, f"is larger than {LARGEST} bytes")
    try:
        return tuple(_signed(json.loads(line)) for line in data.decode("utf-8").splitlines() if line.strip())
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise unreadable(place, f"is not what cosign writes: {type(error).__name__} {error}") from None


def faults(signatures: tuple[Signed, ...], key: bytes, own: frozenset[str], place: str) -> Iterator[Fault]:
    """Yield a fault unless one signature is by the key, and about an image that is known by these digests."""
    verify = _verifier(key)
    believed = [each for each in signatures if verify(each)]
    about = [_digest(each.payload) for each in believed]
    if not believed:
        yield Fault(
            declared=f"{len(signatures)} in {place}", effective="none is by the key that policy names"
        )
    elif not own.intersection(about):
        named = ", ".join(f"sha256:{digest[:12]}" if digest else "no image" for digest in about)
        known = ", ".join(f"sha256:{digest[:12]}" for digest in sorted(own))
        yield Fault(declared=f"signed is {named}", effective=f"the image is known as {known}")


def _signed(found: dict[str, Any]) -> Signed:
    return Signed(
        signature=base64.b64decode(found["Base64Signature"], validate=True),
        payload=base64.b64decode(found["Payload"], validate=True),
    )


def _digest(payload: bytes) -> str:
    """Return the digest that a payload names, in hex; "" for one that is about something else."""
    try:
        critical = json.loads(payload)["critical"]
        kind, _, digest = critical["image"]["docker-manifest-digest"].partition(":")
        return str(digest) if critical["type"] == KIND and kind == "sha256" else ""
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""


def _verifier(pem: bytes) -> Any:
    try:
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        raise ProbeUnavailable(
            "the package cryptography is not installed, so no signature can be verified.",
            slug="container-package-missing",
            hint="pip install 'pytest-release-gates[container]'",
        ) from None
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _no_key(str(error)) from None

    def verify(each: Signed) -> bool:
        try:
            if isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(each.signature, each.payload, ec.ECDSA(hashes.SHA256()))
            elif isinstance(key, ed25519.Ed25519PublicKey):
                key.verify(each.signature, each.payload)
            elif isinstance(key, rsa.RSAPublicKey):
                key.verify(each.signature, each.payload, padding.PKCS1v15(), hashes.SHA256())
            else:
                raise _no_key(f"keys such as {type(key).__name__} are not used by cosign")
        except InvalidSignature:
            return False
        return True

    return verify


def _no_key(because: str) -> MeasurementError:
    return MeasurementError(
        f"the public key in the policy folder is none: {because}.",
        slug="container-key",
        hint="Write it by `cosign public-key --key … > gates/cosign.pub`.",
    )


def absent_key(name: str) -> MeasurementError:
    """Return the error for a key that the policy folder does not hold."""
    return MeasurementError(
        f"gates/{name}: there is no such file, and `signed_by` names it.",
        slug="container-key",
        hint="Write it by `cosign public-key --key … > gates/cosign.pub`.",
    )
