"""Signing without a key: by the identity that a CI service gives to the workflow that runs this.

Unlike everything else here it needs the network: the service for a token, sigstore for a certificate of ten
minutes and an entry in its public log.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec

from release_gates.errors import TrustError
from release_gates.ledger.attestations.certified import no_sigstore
from release_gates.ledger.attestations.envelope import shown
from release_gates.ledger.attestations.files import Seal
from release_gates.ledger.attestations.opening import opened
from release_gates.model.record import canonical
from release_gates.model.trust import Signatory, Trust

WORD = "sigstore"
"""What stands for this in the place of a file with a key."""

CONFIG = "signing_config.json"
"""Beside ``trust.toml``: where an instance of one's own is; without it the public one signs."""

_TRUST_CONFIG = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"


def ambient_seal(trust: Trust, roles: tuple[str, ...], environment: str, config: str | None) -> Seal:
    """Return what signs as the workflow that runs this; each line is verified before it is handed out.

    ``config`` is sigstore's signing configuration (JSON), None for the public instance. ``TrustError`` where
    no service vouches for this process, an instance does not answer, or ``trust`` would refuse what it signs.
    """
    if not any(_may(each, roles, environment) for each in trust.identities):
        raise _not_named(roles, environment)
    token = _token()
    try:
        from sigstore import dsse
        from sigstore.models import ClientTrustConfig
        from sigstore.oidc import IdentityToken
        from sigstore.sign import Signer, SigningContext

        known = (
            ClientTrustConfig.production()
            if config is None
            else ClientTrustConfig.from_json(_told(trust, config))
        )
        signer = Signer(IdentityToken(token), SigningContext.from_trust_config(known))
    except Exception as error:  # noqa: BLE001 - whatever it stumbles over, nothing is signed
        raise _not_signed(error) from None

    def seal(statement: bytes) -> bytes:
        try:
            made = signer.sign_dsse(dsse.Statement(statement)).to_json()
        except Exception as error:  # noqa: BLE001 - as above
            raise _not_signed(error) from None
        line = canonical(msgspec.json.decode(made))
        if not _may(opened(line, trust).key, roles, environment):
            raise _not_named(roles, environment)
        return line

    return seal


def _token() -> str:
    """Return the token of the service that runs this process."""
    try:
        from sigstore import oidc
    except ImportError:
        raise no_sigstore() from None
    try:
        token = oidc.detect_credential()
    except Exception as error:  # noqa: BLE001 - a service of anybody's, whatever it answers
        raise _no_credential(f"the CI service gives none, {shown(str(error))}") from None
    if not token:
        raise _no_credential("no CI service vouches for this process")
    return token


def _told(trust: Trust, config: str) -> str:
    return json.dumps(
        {
            "mediaType": _TRUST_CONFIG,
            "trustedRoot": json.loads(trust.trusted_root),
            "signingConfig": json.loads(config),
        }
    )


def _may(each: Signatory, roles: tuple[str, ...], environment: str) -> bool:
    return each.is_valid(datetime.now(UTC)) and all(each.may(role, environment) for role in roles)


def _not_named(roles: tuple[str, ...], environment: str) -> TrustError:
    return TrustError(
        f"gates/trust.toml names no identity of this workflow with the roles {' and '.join(roles)} for the "
        f"entry to {environment}, valid today.",
        slug="key-role",
        hint="What it signs would be refused. Name it there, and run the gate again.",
    )


def _no_credential(why: str) -> TrustError:
    return TrustError(
        f"nothing is signed by sigstore: {why}.",
        slug="no-credential",
        hint="Sign in the workflow that gates/trust.toml names, which may write id-token; or by a KEYFILE.",
    )


def _not_signed(error: Exception) -> TrustError:
    return TrustError(
        f"sigstore did not sign: {shown(str(error) or type(error).__name__)}.",
        slug="sigstore-not-signed",
        hint="Look whether its services can be reached, then `release-gates attest RUN --key sigstore`.",
    )
