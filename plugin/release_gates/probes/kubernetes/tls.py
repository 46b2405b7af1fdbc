"""What a service's port answers to a TLS handshake: who it says it is, and which old versions it takes."""

from __future__ import annotations

import socket
import ssl
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from release_gates.errors import MeasurementError
from release_gates.probes.kubernetes.faults import clip, unused
from release_gates.probes.kubernetes.findings import Finding
from release_gates.probes.kubernetes.objects import Deployed
from release_gates.probes.kubernetes.settings import Endpoint

OLD = {
    "TLS 1.0": ssl.TLSVersion.TLSv1,
    "TLS 1.1": ssl.TLSVersion.TLSv1_1,
    "TLS 1.2": ssl.TLSVersion.TLSv1_2,
}
TIMEOUT_S = 5.0
CANNOT_TRY = frozenset({"NO_PROTOCOLS_AVAILABLE", "NO_CIPHERS_AVAILABLE", "NO_CIPHER_MATCH"})
"""What our own OpenSSL says where it cannot speak a version, so that nobody asked the server."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a port said; ``problem`` is why TLS 1.3 with a verified certificate was not had, "" if it was."""

    address: str
    problem: str
    accepted: tuple[str, ...]


def tls_findings(deployed: Deployed, shaken: Mapping[str, Handshake]) -> Iterator[Finding]:
    """Yield what is wrong with the ports of services, by title; pure.

    Raises MeasurementError (``kubernetes-unused-policy``) for a service that is not deployed.
    """
    titles = {one.title for one in deployed.of_kind("Service", "Ingress")}
    for title, said in shaken.items():
        if title not in titles:
            raise unused(f'tls."{title}"', f"is about none of {', '.join(sorted(titles)) or 'no service'}")
        if said.problem:
            yield Finding("NP06", title, f"{said.address}: {said.problem}")
        for version in said.accepted:
            yield Finding("NP06", title, f"{said.address} accepts {version}")


def shake(endpoint: Endpoint, root: Path) -> Handshake:
    """Ask a port for TLS 1.3 with a certificate that fits, then for each older version alone.

    Raises MeasurementError (``kubernetes-tls``) where nobody answers, or where this machine cannot ask.
    """
    accepted = tuple(name for name, version in OLD.items() if _takes(endpoint, name, version))
    return Handshake(endpoint.address, _problem(endpoint, root), accepted)


def _problem(endpoint: Endpoint, root: Path) -> str:
    try:
        context = ssl.create_default_context(cafile=str(root / endpoint.ca) if endpoint.ca else None)
    except (OSError, ssl.SSLError) as error:
        raise _undecided(endpoint, f"the file of its CA, {endpoint.ca}, cannot be read: {error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        _speak(endpoint, context)
    except ssl.SSLCertVerificationError as error:
        return f"its certificate does not fit: {clip(error.verify_message)}"
    except (ssl.SSLError, ConnectionError) as error:
        return f"it does not speak TLS 1.3: {clip(error)}"
    return ""


def _takes(endpoint: Endpoint, name: str, version: ssl.TLSVersion) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # whoever it is: does it take the version?
    try:
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = version
        _speak(endpoint, context)
    except (ssl.SSLError, ConnectionError) as error:
        if isinstance(error, ssl.SSLError) and error.reason in CANNOT_TRY:
            raise _undecided(endpoint, f"this machine cannot try {name}: {clip(error)}") from None
        return False
    return True


def _speak(endpoint: Endpoint, context: ssl.SSLContext) -> None:
    """Do one handshake; raises ssl.SSLError or ConnectionError where the port refuses it."""
    try:
        plain = socket.create_connection(endpoint.place, timeout=TIMEOUT_S)
    except OSError as error:
        raise _undecided(endpoint, f"nobody answers: {clip(error)}") from None
    try:
        with plain, context.wrap_socket(plain, server_hostname=endpoint.server_name or endpoint.place[0]):
            return
    except TimeoutError:
        raise _undecided(endpoint, f"no handshake within {TIMEOUT_S:g} s") from None


def _undecided(endpoint: Endpoint, problem: str) -> MeasurementError:
    return MeasurementError(
        f"{endpoint.address}: {problem}.",
        slug="kubernetes-tls",
        hint="See that the port can be reached from here, and that OpenSSL here speaks the old versions.",
    )
