"""Where to: what a target's address means, and the sentence for each way in which it cannot be reached."""

from __future__ import annotations

import errno
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from release_gates.probes.load.open.refusal import CannotRun

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An address of a plan; ``path`` is put before the path of every request."""

    url: str
    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and port as HTTP says them: without the port where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if _PORTS.get(self.scheme) == self.port else f"{host}:{self.port}"


def target_of(url: str) -> Target:
    """Read a target's address; CannotRun for what the driver could not honour."""
    parts = urlsplit(url)
    try:
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError as error:
        raise CannotRun(f"target {url}: {error}; correct it in policy") from error
    if not parts.hostname or port is None:
        raise CannotRun(f"target {url}: has no host or no port; write tcp://HOST:PORT or http://HOST")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise CannotRun(f"target {parts.scheme}://{parts.hostname}: only host, port and path are allowed")
    return Target(url=url, scheme=parts.scheme, host=parts.hostname, port=port, path=parts.path.rstrip("/"))


def tls_of(target: Target, ca_file: str) -> ssl.SSLContext | None:
    """Return what verifies an https target; None for others. Verification is never switched off."""
    if target.scheme != "https":
        return None
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise CannotRun(f"{ca_file}: no file of certificates that can be trusted: {error}") from error
    return context


def unreachable(target: Target, error: BaseException, timeout_s: float) -> CannotRun:
    """Return the sentence for a connection that failed."""
    return CannotRun(f"target {target.url}: {_why(target, error, timeout_s)}")


def _why(target: Target, error: BaseException, timeout_s: float) -> str:
    where = f"{target.host}:{target.port}"
    match error:
        case socket.gaierror():
            return (
                f"the name {target.host!r} does not resolve ({error.strerror}); correct it, or its DNS entry"
            )
        case ssl.SSLCertVerificationError():
            why = f"its certificate is not trusted ({error.verify_message}); name its authority as ca_file"
        case ssl.SSLError():
            why = f"TLS failed ({error.reason or error}); does {where} speak TLS?"
        case ConnectionRefusedError():
            why = f"nothing listens on {where}; start the target, or correct its address"
        case TimeoutError():
            return (
                f"no connection with {where} within {timeout_s:g} s; is it up, and does a firewall drop it?"
            )
        case ConnectionError():
            why = f"{where} closed the connection before it was of use ({type(error).__name__})"
        case OSError(errno=errno.EMFILE | errno.ENFILE):
            why = "this process may open no more descriptors; raise `ulimit -n`"
        case OSError(errno=errno.EADDRNOTAVAIL):
            why = "this host has no local port left; use fewer connections, or wait for old ones to go"
        case _:
            why = f"{where} cannot be reached ({error or type(error).__name__})"
    return why
