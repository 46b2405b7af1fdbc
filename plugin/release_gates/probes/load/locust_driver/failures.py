"""What kind of failure an exception of locust's clients is."""

from __future__ import annotations

import http.client
import zlib
from collections.abc import Iterator

import gevent
import requests.exceptions
from gevent.timeout import Timeout
from geventhttpclient import useragent
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError
from locust.exception import CatchResponseError, ResponseError
from urllib3 import exceptions as urllib3

from release_gates.probes.load.locust_driver.fence import Elsewhere
from release_gates.probes.load.recorder import FailureKind

_DEEPEST = 8
_TIMEOUT = (TimeoutError, Timeout, requests.exceptions.Timeout, urllib3.TimeoutError)
_CLOSED = (ConnectionError, HTTPConnectionClosed)
_PROTOCOL = (
    HTTPParseError,
    http.client.HTTPException,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    requests.exceptions.InvalidHeader,
    requests.exceptions.TooManyRedirects,
    urllib3.DecodeError,
    zlib.error,
)
_CONNECTION = (requests.exceptions.ConnectionError, useragent.ConnectionError, OSError)
_KINDS: tuple[tuple[tuple[type[BaseException], ...], FailureKind], ...] = (
    (_TIMEOUT, "timeout"),
    (_CLOSED, "connection"),
    (_PROTOCOL, "protocol"),
    ((requests.exceptions.HTTPError, useragent.BadStatusCode), "status"),
    ((CatchResponseError, ResponseError, AssertionError), "body"),
    ((gevent.GreenletExit,), "unsent"),
    (_CONNECTION, "connection"),
)
"""The first row that any error of a chain belongs to decides: clients wrap what they met in their own."""


def kind_of(error: object, status: object) -> FailureKind:
    """Return the kind of a request that failed; ``status`` is its answer's, 0 or None where it had none."""
    if isinstance(status, int) and status >= 400:
        return "status"
    chain = list(_chain(error))
    for types, kind in _KINDS:
        if any(isinstance(each, types) for each in chain):
            return kind
    return "exception"


def elsewhere(error: object) -> str:
    """Return the sentence for a request that would have left the target, "" for other errors."""
    found = (each for each in _chain(error) if isinstance(each, Elsewhere))
    return next(
        (f"the locustfile, or a redirect of the target, asked elsewhere: {each}" for each in found), ""
    )


def _chain(error: object) -> Iterator[BaseException]:
    """Yield an error and what it wraps: as its cause, its context, ``original`` or an argument."""
    waiting, seen = [error], 0
    while waiting and seen < _DEEPEST:
        each = waiting.pop(0)
        if isinstance(each, BaseException):
            seen += 1
            yield each
            waiting += [each.__cause__, each.__context__, getattr(each, "original", None), *each.args]
            waiting.append(getattr(each, "reason", None))
