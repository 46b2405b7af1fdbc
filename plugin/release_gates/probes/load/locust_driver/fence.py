"""Keeps locust's clients at the target: neither an address in a task nor a redirect leads elsewhere."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import requests.exceptions
from locust import clients
from locust.contrib import fasthttp

_PORTS = {"http": 80, "https": 443}
Place = tuple[str, str | None, int | None]


class Elsewhere(ConnectionError):
    """A request that was not sent, because it would have gone to another place than the target."""


def stay_at(target: str) -> None:
    """Let every request of HttpUser and FastHttpUser fail with `Elsewhere` that is not for the target."""
    there = _place(target)
    adapter: Any = clients.LocustHttpAdapter
    agent: Any = fasthttp.LocustUserAgent
    send, urlopen = adapter.send, agent._urlopen

    def send_there(self: Any, request: Any, **others: Any) -> Any:
        try:
            _check(_place(request.url), there, request.url)
        except Elsewhere as error:  # requests tells of its own errors only
            raise requests.exceptions.ConnectionError(error) from error
        return send(self, request, **others)

    def urlopen_there(self: Any, request: Any) -> Any:
        url = request.url_split
        _check((url.scheme, url.host, url.port), there, request.url)
        return urlopen(self, request)

    adapter.send, agent._urlopen = send_there, urlopen_there


def _check(asked: Place, there: Place, url: object) -> None:
    if asked != there:
        raise Elsewhere(f"{url} is not at the target; it was not asked")


def _place(url: str) -> Place:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
