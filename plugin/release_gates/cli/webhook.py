"""Telling a chat. Its address is a secret: it comes from the environment, and no message repeats it."""

from __future__ import annotations

import urllib.error
import urllib.request
from http.client import HTTPException
from typing import NamedTuple
from urllib.parse import urlsplit

WEBHOOK = "GATE_WEBHOOK"
TIMEOUT_S = 10


class Told(NamedTuple):
    """What became of a message."""

    ok: bool
    sentence: str


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the message elsewhere."""

    def redirect_request(self, *args: object, **kwargs: object) -> None:
        """Follow none."""


def post(url: str, message: str) -> Told:
    """Post a JSON message, at most for 10 s; whatever goes wrong is a sentence, without the address."""
    host = _host(url)
    if not host:
        return Told(False, f"nobody was told: {WEBHOOK} holds no address (https://…)")
    headers = {"Content-Type": "application/json"}
    try:
        request = urllib.request.Request(url, data=message.encode(), headers=headers, method="POST")  # noqa: S310
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=TIMEOUT_S) as answer:
            return Told(True, f"{host} was told ({answer.status})")
    except urllib.error.HTTPError as error:
        return Told(False, f"{host} was not told: it answered {error.code}")
    except (OSError, ValueError, HTTPException) as error:
        why = getattr(error, "reason", error)  # never its text: that may repeat the address
        return Told(False, f"{host} was not told: {type(why).__name__}")


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return (parts.hostname or "") if parts.scheme in ("http", "https") else ""
