"""A small sigstore of our own, with real keys of this moment: authority, certificate log, transparency log.

It signs as Fulcio, a certificate-transparency log and Rekor v1 do, so that sigstore itself verifies what it
makes, offline.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from release_gates.model.attestation import PAYLOAD_TYPE
from release_gates.model.record import canonical

V3 = "application/vnd.dev.sigstore.bundle.v0.3+json"
ROOT = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
REPOSITORY = "https://github.com/acme/engine"
WORKFLOW = f"{REPOSITORY}/.github/workflows/gates.yml@refs/heads/main"
CLAIMS = {
    8: "https://token.actions.githubusercontent.com",
    12: REPOSITORY,
    14: "refs/heads/main",
    20: "push",
}
"""Fulcio's extensions 1.3.6.1.4.1.57264.1.N: issuer, source repository, its ref, the build's trigger."""
SCTS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
SINCE = "2020-01-01T00:00:00Z"
LIFE = timedelta(minutes=10)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def new_key() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


def signed_by(key: EllipticCurvePrivateKey, data: bytes) -> bytes:
    return key.sign(data, ECDSA(hashes.SHA256()))


def public_der(key: EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_id(key: EllipticCurvePrivateKey) -> bytes:
    return hashlib.sha256(public_der(key)).digest()


def der(tag: int, data: bytes) -> bytes:
    assert len(data) < 128
    return bytes((tag, len(data))) + data


@dataclass
class Instance:
    """The keys of one sigstore, and what they sign."""

    authority: EllipticCurvePrivateKey = field(default_factory=new_key)
    certificates: EllipticCurvePrivateKey = field(default_factory=new_key)
    log: EllipticCurvePrivateKey = field(default_factory=new_key)

    def __post_init__(self) -> None:
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test")])
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        self.root = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(self.name)
            .public_key(self.authority.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
            .add_extension(x509.BasicConstraints(True, 1), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.authority.public_key()), False)
            .sign(self.authority, hashes.SHA256())
        )

    def trusted_root(self, **changes: Any) -> str:
        """Return the JSON form in which an instance tells its keys."""
        made = {
            "mediaType": ROOT,
            "tlogs": [self._told(self.log)],
            "certificateAuthorities": [
                {
                    "subject": {"organization": "test", "commonName": "authority"},
                    "uri": "https://fulcio.invalid",
                    "certChain": {"certificates": [{"rawBytes": b64(self.root.public_bytes(Encoding.DER))}]},
                    "validFor": {"start": SINCE},
                }
            ],
            "ctlogs": [self._told(self.certificates)],
        }
        return json.dumps({**made, **changes})

    def certificate(
        self,
        public: Any,
        at: datetime,
        *,
        workflow: str = WORKFLOW,
        claims: dict[int, str] = CLAIMS,
        by: EllipticCurvePrivateKey | None = None,
        seen_by: EllipticCurvePrivateKey | None = None,
    ) -> x509.Certificate:
        """Return a certificate as Fulcio issues it for ten minutes, with a promise of the log."""
        signer = by or self.authority
        usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(at)
            .not_valid_after(at + LIFE)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(issuer, critical=False)
            .add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(workflow)]), critical=True
            )
        )
        for number, text in claims.items():
            oid = x509.ObjectIdentifier(f"1.3.6.1.4.1.57264.1.{number}")
            builder = builder.add_extension(
                x509.UnrecognizedExtension(oid, der(12, text.encode())), critical=False
            )
        body = builder.sign(signer, hashes.SHA256()).tbs_certificate_bytes
        promise = der(4, self._promise(body, signer, seen_by or self.certificates, at))
        return builder.add_extension(x509.UnrecognizedExtension(SCTS, promise), critical=False).sign(
            signer, hashes.SHA256()
        )

    def bundle(
        self,
        statement: bytes,
        at: datetime,
        *,
        logged: datetime | None = None,
        entry_of: bytes | None = None,
        log: EllipticCurvePrivateKey | None = None,
        **facts: Any,
    ) -> bytes:
        """Return a statement as a signed line: certificate, envelope, and the log's entry with its proofs.

        ``entry_of`` is a statement whose envelope is logged in the place of this one; ``facts`` go into the
        certificate.
        """
        key = new_key()
        certificate = self.certificate(key.public_key(), at, **facts)
        envelope = self._envelope(key, statement)
        other = self._envelope(key, entry_of) if entry_of is not None else envelope
        entry = self.entry(other, certificate, logged or at, log or self.log)
        return canonical(
            {
                "mediaType": V3,
                "verificationMaterial": {
                    "certificate": {"rawBytes": b64(certificate.public_bytes(Encoding.DER))},
                    "tlogEntries": [entry],
                    "timestampVerificationData": {"rfc3161Timestamps": []},
                },
                "dsseEnvelope": envelope,
            }
        )

    def _envelope(self, key: EllipticCurvePrivateKey, statement: bytes) -> dict[str, Any]:
        before = f"DSSEv1 {len(PAYLOAD_TYPE)} {PAYLOAD_TYPE} {len(statement)} ".encode()
        signature = signed_by(key, before + statement)
        return {
            "payload": b64(statement),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": b64(signature)}],
        }

    def entry(
        self,
        envelope: dict[str, Any],
        certificate: x509.Certificate,
        at: datetime,
        log: EllipticCurvePrivateKey,
    ) -> dict[str, Any]:
        """Return the entry of an envelope, the second of two in the log."""
        payload = base64.b64decode(envelope["payload"])
        verifier = b64(certificate.public_bytes(Encoding.PEM))
        signatures = [{"signature": each["sig"], "verifier": verifier} for each in envelope["signatures"]]
        spec = {
            "envelopeHash": _hash(canonical(envelope)),
            "payloadHash": _hash(payload),
            "signatures": signatures,
        }
        body = canonical({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec})
        other = hashlib.sha256(b"\0the first entry").digest()
        root = hashlib.sha256(b"\1" + other + hashlib.sha256(b"\0" + body).digest()).digest()
        name, seconds = key_id(log), int(at.timestamp())
        promised = {"body": b64(body), "integratedTime": seconds, "logID": name.hex(), "logIndex": 1}
        note = f"rekor.invalid - 1\n2\n{b64(root)}\n"
        signature = b64(name[:4] + signed_by(log, note.encode()))
        return {
            "logIndex": "1",
            "logId": {"keyId": b64(name)},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(seconds),
            "inclusionPromise": {"signedEntryTimestamp": b64(signed_by(log, canonical(promised)))},
            "inclusionProof": {
                "logIndex": "1",
                "rootHash": b64(root),
                "treeSize": "2",
                "hashes": [b64(other)],
                "checkpoint": {"envelope": f"{note}\n— rekor.invalid {signature}\n"},
            },
            "canonicalizedBody": b64(body),
        }

    def _promise(
        self,
        body: bytes,
        issuer: EllipticCurvePrivateKey,
        log: EllipticCurvePrivateKey,
        at: datetime,
    ) -> bytes:
        """Return a list with one signed timestamp (RFC 6962, 3.2 and 3.3) of a precertificate."""
        moment = int(at.timestamp() * 1000)
        entry = key_id(issuer) + len(body).to_bytes(3, "big") + body
        signature = signed_by(log, struct.pack("!BBQH", 0, 0, moment, 1) + entry + b"\0\0")
        one = struct.pack("!B32sQH", 0, key_id(log), moment, 0) + b"\4\3" + _counted(signature)
        return _counted(_counted(one))

    def _told(self, key: EllipticCurvePrivateKey) -> dict[str, Any]:
        return {
            "baseUrl": "https://log.invalid",
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": b64(public_der(key)),
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                "validFor": {"start": SINCE},
            },
            "logId": {"keyId": b64(key_id(key))},
        }


def _counted(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def _hash(data: bytes) -> dict[str, str]:
    return {"algorithm": "sha256", "value": hashlib.sha256(data).hexdigest()}
