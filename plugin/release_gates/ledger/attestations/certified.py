"""Sigstore bundles: signed by a workflow's identity instead of a key, verified offline by sigstore itself.

A certificate of ten minutes names the workflow; logs that anybody can read vouch for when it signed. Whom to
believe is ``gates/trusted_root.json`` alone: nothing is fetched.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from release_gates.errors import TrustError
from release_gates.ledger.attestations.envelope import malformed, refused, shown
from release_gates.model.attestation import PAYLOAD_TYPE
from release_gates.model.record import canonical
from release_gates.model.trust import Trust, TrustedIdentity

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from sigstore.models import Bundle, TrustedRoot

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_SAID = {
    "1.3.6.1.4.1.57264.1.8": "issuer",
    "1.3.6.1.4.1.57264.1.12": "repository",
    "1.3.6.1.4.1.57264.1.14": "ref",
    "1.3.6.1.4.1.57264.1.20": "trigger",
}
"""Fulcio's extensions that an identity is compared with."""


def no_sigstore() -> TrustError:
    """Return the error for an installation that can neither verify nor make sigstore's bundles."""
    return TrustError(
        "identities of workflows need sigstore, which is not installed.",
        slug="sigstore-unavailable",
        hint="pip install 'pytest-release-gates[sigstore]'",
    )


def certified(line: bytes, trust: Trust) -> tuple[bytes, TrustedIdentity, tuple[datetime, datetime]]:
    """Return what a bundle holds, the identity that signed it, and between which moments it was signed.

    ``TrustError`` unless it is, byte for byte, canonical JSON of a bundle (v0.3, DSSE), every proof in it
    holds by the trusted root, and its certificate is of an identity that ``trust`` names.
    """
    if not trust.identities or not trust.trusted_root:
        raise refused(
            "it is signed by the identity of a workflow, and gates/trust.toml names none",
            "identity-unknown",
            "Sign by a key that is named there; or let somebody who may change the policy name the identity.",
        )
    try:
        from sigstore.verify import Verifier
    except ImportError:
        raise no_sigstore() from None
    bundle, asked = _read(line), _Asked(trust.identities)
    try:
        kind, payload = Verifier(trusted_root=_root(trust.trusted_root)).verify_dsse(bundle, asked)
    except Exception as error:  # noqa: BLE001 - whatever it stumbles over, it did not verify
        raise _unverified(asked, error) from None
    if kind != PAYLOAD_TYPE:
        raise malformed(f"its payload is {shown(kind)}, not {PAYLOAD_TYPE}")
    if asked.found is None:
        raise _unverified(asked, ValueError("its certificate was not looked at"))
    certificate = bundle.signing_certificate
    return payload, asked.found, (certificate.not_valid_before_utc, certificate.not_valid_after_utc)


class _Asked:
    """A policy of sigstore: the certificate has to be of one of these identities; remembers of which."""

    def __init__(self, identities: tuple[TrustedIdentity, ...]) -> None:
        self.identities = identities
        self.found: TrustedIdentity | None = None
        self.strange = ""

    def verify(self, cert: Certificate) -> None:
        """Find the identity of a certificate; sigstore's ``VerificationError`` if there is none."""
        from sigstore import verify
        from sigstore.errors import VerificationError

        rules = verify.policy
        for each in self.identities:
            asked = rules.AllOf(
                [
                    rules.Identity(identity=each.workflow),
                    rules.OIDCIssuerV2(each.issuer),
                    rules.OIDCSourceRepositoryURI(each.repository),
                    rules.OIDCSourceRepositoryRef(each.ref),
                    rules.OIDCBuildTrigger(each.trigger),
                ]
            )
            try:
                asked.verify(cert)
            except VerificationError:
                continue
            self.found = each
            return
        self.strange = "; ".join(_claims(cert))
        raise VerificationError("no identity of the policy")


def _claims(cert: Certificate) -> Iterator[str]:
    """Yield what a certificate says of whom it is for, as a terminal may show it."""
    from cryptography.x509 import SubjectAlternativeName, UnrecognizedExtension

    for extension in cert.extensions:
        oid, value = extension.oid.dotted_string, extension.value
        if isinstance(value, SubjectAlternativeName):
            yield from (shown(str(name.value)) for name in value)
        elif isinstance(value, UnrecognizedExtension) and oid in _SAID:
            yield f"{_SAID[oid]} {shown(value.value[2:].decode('utf-8', 'replace'))}"


def _read(line: bytes) -> Bundle:
    """Return a bundle, if it says everything in the one way in which sigstore and canonical JSON do."""
    from sigstore.errors import Error
    from sigstore.models import Bundle

    try:
        bundle = Bundle.from_json(line)
        same = canonical(msgspec.json.decode(bundle.to_json())) == line
    except (Error, msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
        raise malformed(f"sigstore cannot read it, {shown(str(error))}") from None
    if not same:
        raise malformed("it is not in canonical form")
    return bundle


def _root(text: str) -> TrustedRoot:
    from sigstore.models import TrustedRoot

    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".json") as file:
        file.write(text)
        file.flush()
        return TrustedRoot.from_file(file.name)


def _unverified(asked: _Asked, error: Exception) -> TrustError:
    if asked.strange:
        return refused(
            f"it is signed by {asked.strange}: an identity that gates/trust.toml does not name",
            "identity-unknown",
            "Sign in the workflow that is named; or let somebody who may change the policy name this one.",
        )
    why = shown(str(error) or type(error).__name__)
    return refused(
        f"sigstore does not verify it by gates/trusted_root.json, {why}",
        "identity-unverified",
        "Bring the original back, or `release-gates attest RUN --key sigstore` again, in the workflow.",
    )
