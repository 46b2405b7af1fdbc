"""locust as a library: its environment for a plan, with its options, timeouts and TLS made ours."""

from __future__ import annotations

import gc
import resource
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import locust
from locust import FastHttpUser, User, argument_parser, clients, log
from locust.env import Environment
from locust.user.task import LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING

from release_gates.probes.load.locust_driver.fence import stay_at
from release_gates.probes.load.locust_driver.locustfile import Locustfile
from release_gates.probes.load.locust_driver.samples import Samples
from release_gates.probes.load.open.refusal import CannotRun
from release_gates.probes.load.open.target import target_of, tls_of
from release_gates.probes.load.plan import Plan

OURS = frozenset(
    (
        *("autoquit", "autostart", "csv", "csv-full-history", "headful", "headless", "host", "html", "json"),
        *("json-file", "locustfile", "logfile", "loglevel", "master", "processes", "reset-stats", "run-time"),
        *("spawn-rate", "stop-timeout", "users", "worker"),
    )
)
"""Options of locust that the plan decides, or that would write what nobody reads."""
DESCRIPTORS = 65536


def environment_of(plan: Plan, file: Locustfile) -> Environment:
    """Return locust's environment for a plan; CannotRun for what locust or the locustfile refuses."""
    users = file.chosen(plan.user_classes)
    if target_of(plan.target).scheme == "https":
        _refuse_unverified(users)
    options = _options(plan)
    try:
        environment = Environment(
            user_classes=users,
            shape_class=file.shape,
            events=locust.events,
            host=plan.target,
            locustfile=file.path.name,
            parsed_locustfiles=[str(file.path)],
            parsed_options=options,
            stop_timeout=plan.seconds + plan.timeout_s,  # who leaves in the middle finishes what was asked
        )
    except ValueError as error:
        raise CannotRun(f"{file.path}: {error}") from error
    return environment


def listen(samples: Samples) -> None:
    """Hear of every request before a listener of the locustfile does: one that raises ends the round."""
    locust.events.request._handlers.insert(0, samples.request)
    locust.events.user_error._handlers.insert(0, samples.user_error)


def prepare(plan: Plan) -> None:
    """Give locust's clients the plan's timeout and trust, and this process enough descriptors."""
    tls = tls_of(target_of(plan.target), plan.ca_file)
    FastHttpUser.network_timeout = FastHttpUser.connection_timeout = plan.timeout_s
    FastHttpUser.insecure = False
    FastHttpUser.ssl_context_factory = staticmethod(lambda: tls or ssl.create_default_context())
    if plan.ca_file:
        clients._preloaded_ssl_context.load_verify_locations(plan.ca_file)
    _bound_requests(plan.timeout_s)
    stay_at(plan.target)
    _stop_between_requests()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (min(hard, DESCRIPTORS) if hard > 0 else DESCRIPTORS, hard)
        )


def settle() -> None:
    """Keep what locust is made of out of the garbage collector's way: each of its looks is a pause."""
    gc.collect()
    gc.freeze()


def fire(hook: Any, **arguments: Any) -> None:
    """Call the locustfile's listeners of an event."""
    hook.fire(**arguments)


def broken() -> str:
    """Return a sentence if a listener of the locustfile raised, or one of locust's own greenlets; else ""."""
    if not getattr(log, "unhandled_greenlet_exception", False):
        return ""
    return "a listener of the locustfile, or a part of locust, raised: its traceback is in the log"


def _bound_requests(timeout_s: float) -> None:
    """Let an HttpUser's request without a timeout of its own end as a failure; requests waits for ever."""
    adapter: Any = clients.LocustHttpAdapter
    plain = adapter.send

    def send(self: Any, request: Any, stream: bool = False, timeout: Any = None, **others: Any) -> Any:
        return plain(
            self, request, stream=stream, timeout=timeout_s if timeout is None else timeout, **others
        )

    adapter.send = send


def _stop_between_requests() -> None:
    """Let a user who is to stop while it waits for its turn send nothing more, before it is ended.

    locust ends it later in the same round of the event loop, in which its wait may be over: then a request is
    cut off that nobody counts.
    """
    plain = User.stop

    def stop(self: User, force: bool = False) -> bool:
        if force or self._state != LOCUST_STATE_WAITING:
            return bool(plain(self, force))
        self._state = LOCUST_STATE_STOPPING
        self.group.killone(self.greenlet)
        return True

    User.stop = stop  # type: ignore[method-assign]


def _refuse_unverified(users: Sequence[type[User]]) -> None:
    for user in users:
        if issubclass(user, FastHttpUser) and user.insecure:
            raise CannotRun(
                f"User class {user.__name__}: insecure = True switches the verification of TLS off; take the "
                "line out, and name what is to be trusted as ca_file in policy"
            )


def _options(plan: Plan) -> Any:
    """Return what locust's own command line would give; no file and no variable of the environment counts."""
    given = {name.replace("_", "-"): value for name, value in plan.options.items()}
    if taken := sorted(OURS & given.keys()):
        raise CannotRun(f"option {taken[0]!r} of locust: the profile in policy decides that; take it out")
    parser = argument_parser.get_parser(default_config_files=[])
    words = [word for name, value in given.items() for word in _words(name, value)]
    try:
        options = parser.parse_args([*words, "--host", plan.target], env_vars={})
    except SystemExit as error:
        raise CannotRun(
            f"options of locust {_shown(given)}: locust refuses them; its words are in the log"
        ) from error
    options.headless = False  # else locust quits by itself, with the last samples not told
    return options


def _words(name: str, value: str) -> list[str]:
    """Return an option as words; one without a value is a switch, one with spaces has several values."""
    return [f"--{name}", *value.split()]


def _shown(options: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {value!r}" for name, value in options.items())
