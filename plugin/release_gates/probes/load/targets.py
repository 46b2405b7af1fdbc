"""Which address a test may load: one that policy names, or the candidate's own process; never production."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

from release_gates.errors import MeasurementError
from release_gates.probes.load.settings import LoadSettings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@runtime_checkable
class Started(Protocol):
    """A service that a test started by itself, as the fixture ``gate_service`` does."""

    @property
    def url(self) -> str:
        """Its base URL, on loopback."""
        ...

    @property
    def pid(self) -> int:
        """Its process."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is loaded: an address, and the process behind it where that is known.

    ``addresses`` are what its name was looked up to be; empty where nobody had to know.
    """

    url: str
    pid: int | None = None
    addresses: tuple[str, ...] = ()


def resolve(settings: LoadSettings, asked: str | Started) -> Target:
    """Return what a test may load.

    ``MeasurementError`` for a name that policy does not have, for an address that it lists as production's,
    by name or by what the name resolves to, and for one of a started service that is not on loopback.
    """
    if isinstance(asked, Started):
        target = Target(url=asked.url, pid=asked.pid)
        if not all(address.is_loopback for address in _addresses(target.url)):
            raise _refused(target.url, "a service that a test started is on loopback, and this is not")
    else:
        target = Target(url=_named(settings, asked))
    addresses = _refuse_production(target.url, settings.production)
    return replace(target, addresses=tuple(dict.fromkeys(map(str, addresses))))


def _named(settings: LoadSettings, name: str) -> str:
    url = settings.targets.get(name)
    if url is None:
        known = ", ".join(sorted(settings.targets)) or "none"
        raise MeasurementError(
            f"target {name!r}: policy names no such target (it names: {known}).",
            slug="load-target",
            hint="Name it in [gate.NAME.load.targets] of the environment's file; tests hold no addresses.",
        )
    return url


def _refuse_production(url: str, production: Sequence[str]) -> tuple[Address, ...]:
    """Return the addresses that were looked at: these may be loaded, and none that a later look-up gives."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    for entry in production:
        if fnmatchcase(host, entry.lower().rstrip(".")):
            raise _refused(url, f"policy lists it as production's ({entry})")
    addresses = _addresses(url) if production else ()
    for entry in production:
        network = _network(entry)
        for address in addresses:
            if address in network or fnmatchcase(str(address), entry):
                raise _refused(url, f"it resolves to {address}, which policy lists as production's ({entry})")
    return addresses


def _network(entry: str) -> Network | tuple[Address, ...]:
    """Return the addresses that an entry stands for: a network, an address, or what a name resolves to."""
    try:
        return (_plain(ipaddress.ip_address(entry)),)
    except ValueError:
        pass
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return () if "*" in entry else _addresses(f"tcp://{entry}:1", unknown_is_none=True)


def _addresses(url: str, *, unknown_is_none: bool = False) -> tuple[Address, ...]:
    host = urlsplit(url).hostname or ""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        if unknown_is_none:
            return ()
        raise MeasurementError(
            f"target {url}: the name {host!r} does not resolve ({error}).",
            slug="load-target-unresolved",
            hint="Is the name right, and does this host's resolver know it?",
        ) from None
    return tuple(_plain(ipaddress.ip_address(str(entry[4][0]).partition("%")[0])) for entry in found)


def _plain(
    address: Address,
) -> Address:
    """Return the IPv4 address that an IPv6 one stands for, so that no network is passed by."""
    return getattr(address, "ipv4_mapped", None) or address


def _refused(url: str, because: str) -> MeasurementError:
    return MeasurementError(
        f"target {url}: {because}; it is not loaded.",
        slug="load-target-refused",
        hint="Load an instance of the environment that this gate runs against.",
    )
