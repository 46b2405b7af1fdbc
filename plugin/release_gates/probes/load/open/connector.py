"""Makes connections: names resolved once, TLS verified, everything within a bound."""

from __future__ import annotations

import asyncio
import resource
import socket
import ssl
from collections.abc import Iterable, Iterator, Sequence

from release_gates.probes.load.open.codec import Codecs
from release_gates.probes.load.open.link import Link
from release_gates.probes.load.open.refusal import CannotRun
from release_gates.probes.load.open.target import Target, unreachable
from release_gates.probes.load.open.user import User

AT_ONCE = 64
PER_CONNECTION_S = 0.005
"""So much longer than one timeout may all take together, for each connection."""
_OTHER_DESCRIPTORS = 64


class Connector:
    """How a run reaches its target. A connection has ``timeout_s`` to be usable, its handshakes included."""

    def __init__(self, target: Target, tls: ssl.SSLContext | None, codecs: Codecs, timeout_s: float) -> None:
        self._target = target
        self._tls = tls
        self._codecs = codecs
        self._timeout_s = timeout_s
        self._addresses: list[str] = []

    async def resolve(self, known: Sequence[str]) -> None:
        """Take the known addresses, else ask for them, once for the whole run; CannotRun where none is."""
        if known:
            self._addresses = list(known)
            return
        target, loop = self._target, asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_s):
                found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise unreachable(target, error, self._timeout_s) from error
        self._addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))

    async def connect(self) -> Link:
        """Return a connection that may be used; OSError where there is none in time."""
        async with asyncio.timeout(self._timeout_s):
            for address in self._addresses[:-1]:
                try:
                    return await self._connect(address)
                except ssl.SSLError:
                    raise
                except OSError:
                    continue
            return await self._connect(self._addresses[-1])

    async def connect_all(self, users: Iterable[User]) -> None:
        """Connect all users before the first request; CannotRun at the first that cannot be."""
        users = list(users)
        waiting, bound_s = iter(users), self._timeout_s + PER_CONNECTION_S * len(users)
        try:
            async with asyncio.timeout(bound_s), asyncio.TaskGroup() as group:
                for _ in range(min(AT_ONCE, len(users))):
                    group.create_task(self._connect_each(waiting))
        except* OSError as errors:
            made = sum(user.link is not None for user in users)
            because = unreachable(self._target, _first(errors), self._timeout_s)
            raise CannotRun(f"{because} (connection {made + 1} of {len(users)})") from errors

    async def _connect_each(self, waiting: Iterator[User]) -> None:
        for user in waiting:
            user.connected(await self.connect())

    async def _connect(self, address: str) -> Link:
        loop, target = asyncio.get_running_loop(), self._target
        link = Link(self._codecs(target), loop.create_future())
        try:
            await loop.create_connection(
                lambda: link,
                address,
                target.port,
                ssl=self._tls,
                server_hostname=target.host if self._tls else None,
            )
            await link.usable
            if not link.is_open:
                raise ConnectionResetError("closed at once")
        except BaseException:
            link.close()
            raise
        return link


def allow_descriptors(connections: int) -> None:
    """Raise this process's limit of open descriptors as far as it may; CannotRun where that is too few."""
    needed = connections + _OTHER_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise CannotRun(
            f"{connections} connections need {needed} open descriptors and this host allows {hard}; "
            f"raise its hard limit (`ulimit -Hn`, limits.conf, LimitNOFILE) or use fewer connections"
        )
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed if hard == resource.RLIM_INFINITY else hard, hard))


def _first(errors: BaseException) -> BaseException:
    while isinstance(errors, BaseExceptionGroup):
        errors = errors.exceptions[0]
    return errors
