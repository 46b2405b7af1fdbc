"""What people wrote: found by its name, started, and every mistake in it told in one sentence."""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from collections.abc import Generator

from release_gates.probes.load.open.codec import Codec, Codecs
from release_gates.probes.load.open.http import http_codecs
from release_gates.probes.load.open.refusal import CannotRun
from release_gates.probes.load.plan import Plan
from release_gates.probes.load.traffic import Answer, Request, Traffic


def traffic_of(plan: Plan) -> Traffic:
    """Return the plan's traffic; CannotRun where it cannot be had."""
    found = _load("traffic", plan.traffic, plan.root)
    if not inspect.isgeneratorfunction(found):
        raise CannotRun(f"traffic {plan.traffic}: is no generator function; write `def …: yield Request(…)`")
    return found


def codecs_of(plan: Plan) -> Codecs:
    """Return what makes a connection's codec: the plan's own, else HTTP; CannotRun where there is none."""
    if not plan.codec:
        if plan.target.startswith("tcp:"):
            raise CannotRun(f"target {plan.target}: name the codec of this protocol (module:Class)")
        return http_codecs()
    found = _load("codec", plan.codec, plan.root)
    if not (inspect.isclass(found) and issubclass(found, Codec)) or inspect.isabstract(found):
        raise CannotRun(f"codec {plan.codec}: is no class made from {Codec.__module__}.Codec")
    return found


def requests_of(traffic: Traffic, user: int) -> Generator[Request, Answer, None]:
    """Start a user's traffic; CannotRun where it fails."""
    try:
        return traffic(user)
    except (Exception, SystemExit) as error:
        raise failed_traffic(error) from error


def first_request(requests: Generator[Request, Answer, None]) -> Request:
    """Return what a user asks first; CannotRun where the traffic does not get that far."""
    try:
        return checked(next(requests))
    except CannotRun:
        raise
    except (Exception, SystemExit) as error:
        raise failed_traffic(error) from error


def checked(request: object) -> Request:
    """Return what a traffic has yielded; CannotRun if that is no request."""
    if isinstance(request, Request):
        return request
    raise CannotRun(f"the traffic yielded {request!r:.80}; it must yield Request(…)")


def failed_traffic(error: BaseException) -> CannotRun:
    """Return the sentence for traffic that raised, or ended: that would be load that is missing."""
    if isinstance(error, StopIteration):
        return CannotRun("the traffic ended before the run did; let it yield requests without end")
    return CannotRun(f"the traffic raised {_told(error)}")


def _load(what: str, name: str, root: str) -> object:
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise CannotRun(f"{what} {name!r}: write module:name")
    sys.path.insert(0, root)
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise CannotRun(f"{what} {name}: {error}, looking in {root} first") from error
    except AttributeError as error:
        raise CannotRun(f"{what} {name}: {error}") from error
    except (Exception, SystemExit) as error:
        raise CannotRun(f"{what} {name}: importing it raised {_told(error)}") from error


def _told(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    said_already = isinstance(error, SyntaxError)
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames and not said_already else ""
    return f"{type(error).__name__}: {error}{place}"
