"""What locust's events become: exact samples, one for each request, on our own clock."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Iterable
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from gevent import getcurrent
from gevent.greenlet import Greenlet
from locust.user.task import LOCUST_STATE_STOPPING

from release_gates.probes.load.locust_driver.failures import elsewhere, kind_of
from release_gates.probes.load.recorder import Channel, FailureKind, Recorder

MOST_ENDPOINTS = 1000
MOST_TOLD = 3
"""So many failures of a kind are in the run's log, for each endpoint."""


class Samples:
    """Listens to ``events.request`` and ``events.user_error``.

    A request is intended when it was sent: locust's users wait for the last answer before they send the next
    request. ``trouble`` is a sentence as soon as the run cannot be one.
    """

    def __init__(self, recorder: Recorder, timeout_s: float, target: str) -> None:
        self.trouble = ""
        self._target = target
        self._recorder = recorder
        self._timeout_ms = timeout_s * 1000
        self._origin_s = math.inf
        self._channels: dict[str, Channel] = {}
        self._seen: Counter[tuple[str, FailureKind]] = Counter()

    def begin(self, origin_s: float) -> None:
        """Count from now on; ``origin_s`` of the monotonic clock is the run's start."""
        self._origin_s = origin_s

    def request(
        self,
        *,
        name: str,
        response_time: object,
        exception: object = None,
        response: object = None,
        url: object = None,
        **_others: object,
    ) -> None:
        """Note a request that has ended, as locust tells it; ``response_time`` in milliseconds."""
        at_s = monotonic() - self._origin_s
        if at_s < 0:  # the locustfile prepares something
            return
        getcurrent().gate_endpoint = name  # type: ignore[attr-defined]
        channel = self._channels.get(name)
        if channel is None:
            channel = self._open(name)
            self._check(url)
        if (
            exception is None
            and type(response_time) is float
            and 0 <= response_time <= self._timeout_ms
            and sys.exception() is None
        ):
            latency_s = response_time / 1000
            channel.sent(at_s - latency_s if at_s > latency_s else 0.0)
            channel.took(latency_s)
        else:
            self._odd(str(name), at_s, response_time, exception, response)

    def user_error(self, *, user_instance: object, **_others: object) -> None:
        """Note that a user's own code raised: a failure of what it asked last."""
        at_s = monotonic() - self._origin_s
        if at_s >= 0:
            user = getattr(user_instance, "user", user_instance)  # locust gives a TaskSet, too
            name = getattr(getcurrent(), "gate_endpoint", None)
            self._open(name or type(user).__name__).failed(at_s, "exception")

    def waiting(self, users: Iterable[Greenlet[..., Any]]) -> list[tuple[Any, str]]:
        """Return the users who still wait for an answer, and what they asked last; thinking is no waiting."""
        found = []
        for greenlet in users:
            user = greenlet.args[0] if greenlet.args else None
            if getattr(user, "_state", "") == LOCUST_STATE_STOPPING and not _sleeps(greenlet):
                found.append((greenlet, getattr(greenlet, "gate_endpoint", type(user).__name__)))
                vars(greenlet)["gate_endpoint"] = None
        return found

    def unfinished(self, waited: Iterable[tuple[Any, str]], at_s: float) -> None:
        """Note who waited, and told of no request when it was ended."""
        for greenlet, endpoint in waited:
            if greenlet.gate_endpoint is None:
                self._open(endpoint).failed(at_s, "timeout")

    def _odd(
        self, name: str, at_s: float, response_time: object, exception: object, response: object
    ) -> None:
        exception = _interruption() if exception is None else exception
        self.trouble = self.trouble or elsewhere(exception)
        latency_s = _seconds(response_time)
        sent_s = max(at_s - latency_s, 0.0) if latency_s is not None else at_s
        if latency_s is not None and latency_s * 1000 > self._timeout_ms:
            self._failed(name, sent_s, "timeout", exception or f"answered after {latency_s:.3g} s")
        elif exception is not None:
            kind = kind_of(exception, getattr(response, "status_code", 0))
            self._failed(name, sent_s, kind, exception)
        elif latency_s is None:
            self._failed(name, sent_s, "protocol", f"response_time = {response_time!r}")
        else:
            self._open(name).answered(sent_s, latency_s)

    def _failed(self, name: str, sent_s: float, kind: FailureKind, what: object) -> None:
        """Note a failure; the first of a kind are in the log in full."""
        self._open(name).failed(sent_s, kind)
        self._seen[name, kind] += 1
        if self._seen[name, kind] <= MOST_TOLD:
            print(f"{kind}: {name}: {what!s:.300}", flush=True)

    def _open(self, name: str) -> Channel:
        if name not in self._channels and len(self._channels) >= MOST_ENDPOINTS:
            few = ", ".join(sorted(self._channels)[:3])
            self.trouble = (
                f"the locustfile asks more than {MOST_ENDPOINTS} endpoints ({few}, …): give requests with "
                'ids in their path one name, as in `self.client.get(path, name="order")`'
            )
            return Channel()
        return self._channels.setdefault(str(name), self._recorder.channel(str(name)))

    def _check(self, url: object) -> None:
        """Look at where an endpoint's first request went: nothing else than the target may be loaded."""
        if isinstance(url, str) and not _same_place(url, self._target):
            self.trouble = self.trouble or (
                f"the locustfile asked {url}, which is not at the target {self._target}: ask paths alone, as "
                'in `self.client.get("/orders")`, and what must not be loaded without `self.client`'
            )


def _seconds(milliseconds: object) -> float | None:
    """Return a response time in seconds; None for what is no finite number of at least 0."""
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        return None
    return milliseconds / 1000 if 0 <= milliseconds < math.inf else None


def _same_place(url: str, target: str) -> bool:
    asked, there = urlsplit(url), urlsplit(target)
    return (asked.scheme, asked.hostname, asked.port) == (there.scheme, there.hostname, there.port)


def _interruption() -> BaseException | None:
    """Return what ends a user's request from outside; locust's own `measure()` tells it as answered."""
    raised = sys.exception()
    return None if isinstance(raised, Exception) else raised


def _sleeps(greenlet: Greenlet[..., Any]) -> bool:
    """Tell whether a greenlet is in ``gevent.sleep``, which ``time.sleep`` is too."""
    frame = greenlet.gr_frame
    while frame is not None and frame.f_globals.get("__name__", "").startswith("gevent."):
        if frame.f_code.co_name == "sleep" and frame.f_globals["__name__"] == "gevent.hub":
            return True
        frame = frame.f_back
    return False
