"""Envelopes (DSSE, Ed25519, by securesystemslib): signed by a private key, opened by the public ones."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

import msgspec

from release_gates.errors import TrustError
from release_gates.model.attestation import PAYLOAD_TYPE, Envelope, Signature
from release_gates.model.record import canonical
from release_gates.model.trust import Trust, TrustedKey

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner

LARGEST_BYTES = 64 * 1024 * 1024
"""Longer envelopes are refused unread; one with half a million names has less."""


def unavailable() -> TrustError:
    """Return the error for an installation that cannot sign or verify."""
    return TrustError(
        "signatures need securesystemslib, which is not installed.",
        slug="attest-unavailable",
        hint="pip install 'pytest-release-gates[attest]'",
    )


def sealed(statement: bytes, signer: CryptoSigner) -> bytes:
    """Return a statement in its envelope, signed, as one line of canonical JSON without its end."""
    from securesystemslib import dsse

    made = dsse.Envelope(statement, PAYLOAD_TYPE, {})
    signature = made.sign(signer)
    envelope = Envelope(
        payload=_base64(statement),
        payload_type=PAYLOAD_TYPE,
        signatures=(Signature(keyid=signature.keyid, sig=_base64(bytes.fromhex(signature.signature))),),
    )
    return canonical(envelope)


def unsealed(line: bytes, trust: Trust) -> tuple[bytes, TrustedKey]:
    """Return what an envelope holds and the key that signed it.

    ``TrustError`` unless it is, byte for byte, as ``sealed`` writes it and signed by a key of ``trust``.
    """
    envelope = _read(line)
    signature, payload = envelope.signatures[0], _bytes(envelope.payload)
    key = trust.key(signature.keyid)
    if key is None:
        raise refused(
            f"it is signed by {shown(signature.keyid)}, a key that gates/trust.toml does not name",
            "key-unknown",
            "Sign by a key that is named there; or let somebody who may change the policy name it.",
        )
    if not _is_signed(payload, key, _bytes(signature.sig)):
        raise refused(
            f"its signature by key {key.name} does not fit its content: one of them was changed",
            "signature-invalid",
            "Bring the original back, or `release-gates attest RUN` again.",
        )
    return payload, key


def _read(line: bytes) -> Envelope:
    if len(line) > LARGEST_BYTES:
        raise malformed(f"{len(line)} bytes are more than {LARGEST_BYTES}")
    try:
        envelope = msgspec.json.decode(line, type=Envelope)
        same = canonical(envelope) == line
    except (msgspec.MsgspecError, UnicodeError, ValueError, RecursionError) as error:
        raise malformed(shown(str(error))) from None
    if not same:
        raise malformed("it is not in canonical form")
    if envelope.payload_type != PAYLOAD_TYPE:
        raise malformed(f"its payload is {shown(envelope.payload_type)}, not {PAYLOAD_TYPE}")
    if len(envelope.signatures) != 1:
        raise malformed(f"it has {len(envelope.signatures)} signatures, not 1")
    return envelope


def _is_signed(payload: bytes, key: TrustedKey, signature: bytes) -> bool:
    try:
        from securesystemslib import dsse, exceptions, signer
    except ImportError:
        raise unavailable() from None
    public = signer.SSlibKey(key.public, "ed25519", "ed25519", {"public": key.public})
    signed = {key.public: signer.Signature(key.public, signature.hex())}
    try:
        return bool(dsse.Envelope(payload, PAYLOAD_TYPE, signed).verify([public], 1))
    except (exceptions.Error, ValueError):
        return False


def _bytes(text: str) -> bytes:
    """Return what a base64 text says, if it says so in the one way that ``sealed`` writes."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise malformed("it holds what is no base64") from None
    if _base64(data) != text:
        raise malformed("it is not in canonical form")
    return data


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def malformed(why: str) -> TrustError:
    """Return the error for a line that is not, byte for byte, as it is written."""
    return refused(
        f"it is no envelope as release-gates writes it: {why}",
        "envelope-malformed",
        "Bring the original back, or `release-gates attest RUN` again.",
    )


def refused(why: str, slug: str, hint: str) -> TrustError:
    """Return the error for an attestation that is not believed."""
    return TrustError(f"An attestation is refused: {why}.", slug=slug, hint=hint)


def shown(text: str) -> str:
    """Return a foreign text as a terminal may show it: escaped, and not long."""
    return ascii(text[:100])
