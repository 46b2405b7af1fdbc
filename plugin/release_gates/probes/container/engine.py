"""The Docker engine: how it is reached, and what is asked of it. Every failure is a sentence."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from release_gates.errors import MeasurementError, ProbeUnavailable
from release_gates.probes.container.ssh_tunnel import Tunnel

if TYPE_CHECKING:
    from docker import APIClient

Result = TypeVar("Result")

TIMEOUT_S = 60
CHUNK_BYTES = 1 << 20


class Engine:
    """One engine, local or remote, as ``DOCKER_HOST`` says (unix, tcp with TLS, ssh). Close it."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        """Connect; ``ProbeUnavailable`` without the package, the engine, or the right to talk to it."""
        self._environment = dict(os.environ if environment is None else environment)
        where = _place(self._environment)
        _check_verified(self._environment, where)
        self._tunnel = Tunnel(where) if where.startswith("ssh://") else None
        try:
            self._api: Any = _connect(
                self._environment, f"unix://{self._tunnel.socket}" if self._tunnel else where
            )
        except ProbeUnavailable as error:
            raise self._through(error) from None

    @property
    def api(self) -> Any:
        """The client of the SDK, for what this class does not do."""
        return self._api

    @property
    def socket(self) -> str:
        """The path of the socket by which the engine is asked; "" for a remote one."""
        where = _place(self._environment)
        return where.removeprefix("unix://") if where.startswith("unix://") else ""

    @cached_property
    def has_apparmor(self) -> bool:
        """Whether the engine's host confines by AppArmor."""
        options = self.ask("info", self._api.info).get("SecurityOptions") or []
        return any(option.startswith("name=apparmor") for option in options)

    def container(self, name: str) -> dict[str, Any]:
        """Return ``docker inspect`` of a container."""
        return dict(self.ask(f"container {name}", lambda: self._api.inspect_container(name)))

    def image(self, name: str) -> dict[str, Any]:
        """Return ``docker inspect`` of an image."""
        return dict(self.ask(f"image {name}", lambda: self._api.inspect_image(name)))

    def volume(self, name: str) -> dict[str, str]:
        """Return the options of a volume's driver."""
        found = self.ask(f"volume {name}", lambda: self._api.inspect_volume(name))
        return {str(key): str(value) for key, value in (found.get("Options") or {}).items()}

    def find_image(self, digest: str) -> str:
        """Return the id of the image of that digest: its own, or one by which a registry knows it."""
        for each in self.ask("images", self._api.images):
            known = [str(each["Id"]), *(each.get("RepoDigests") or ())]
            if any(name.rpartition("sha256:")[2] == digest for name in known):
                return str(each["Id"])
        raise MeasurementError(
            f"the engine has no image sha256:{digest}.",
            slug="container-absent",
            hint="Pull or load the candidate's image first (docker pull name@sha256:…, docker load).",
        )

    def containers(self, labels: Mapping[str, str], *, stopped: bool = False) -> list[str]:
        """Return the ids of the containers that bear all of these labels, oldest last."""
        wanted = [f"{key}={value}" if value else key for key, value in labels.items()]
        found = self.ask("containers", lambda: self._api.containers(all=stopped, filters={"label": wanted}))
        return [str(each["Id"]) for each in found]

    def saved(self, image: str) -> Iterator[bytes]:
        """Stream ``docker save`` of an image, about a MiB at a time."""
        stream = self.ask(f"image {image}", lambda: iter(self._api.get_image(image, CHUNK_BYTES)))
        while (chunk := self.ask(f"image {image}", lambda: next(stream, None))) is not None:
            yield chunk

    def ask(self, what: str, question: Callable[[], Result]) -> Result:
        """Return an answer of the engine; its refusals and its silence become sentences."""
        import docker.errors
        import requests

        try:
            return question()
        except docker.errors.NotFound as error:
            raise MeasurementError(
                f"{what}: the engine has none ({error.explanation}).",
                slug="container-absent",
                hint="`docker ps -a` and `docker images` list what there is.",
            ) from None
        except docker.errors.APIError as error:
            raise MeasurementError(
                f"{what}: the engine refuses: {error.explanation or error}.",
                slug="container-engine-refused",
                hint="Its log says more (journalctl -u docker).",
            ) from None
        except (requests.exceptions.RequestException, OSError) as error:
            raise ProbeUnavailable(
                f"{what}: the engine stopped answering: {error}.",
                slug="container-engine-unreachable",
                hint=START_HINT,
            ) from None

    def close(self) -> None:
        """Close every connection."""
        self._api.close()
        if self._tunnel is not None:
            self._tunnel.close()

    def _through(self, error: ProbeUnavailable) -> ProbeUnavailable:
        """Close the tunnel, and return the error with what ssh said of the engine's socket."""
        if self._tunnel is None:
            return error
        said = self._tunnel.said()
        self._tunnel.close()
        where = _place(self._environment)
        return ProbeUnavailable(
            f"{where}: ssh works, and no Docker engine answers behind it ({said or 'it says nothing'}).",
            slug="container-engine-unreachable",
            hint="Is the engine's socket at that path, and may this user of the host talk to it?",
        )

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


TLS_HINT = "DOCKER_CERT_PATH has to hold ca.pem, cert.pem and key.pem of this engine, none of them expired."
START_HINT = "Start it (sudo systemctl start docker, or sudo dockerd), or let DOCKER_HOST name one that runs."


def _place(environment: Mapping[str, str]) -> str:
    return environment.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


def _connect(environment: Mapping[str, str], where: str) -> APIClient:
    try:
        import docker.errors
        import requests
    except ImportError as error:
        raise ProbeUnavailable(
            "the Docker SDK is not installed.",
            slug="container-package-missing",
            hint="pip install 'pytest-release-gates[container]'",
        ) from error
    try:
        _knock(where)
        return _client({**environment, "DOCKER_HOST": where})
    except (
        docker.errors.DockerException,
        requests.exceptions.RequestException,
        OSError,
        ValueError,
    ) as error:
        raise _unavailable(_place(environment), error) from None


def _client(environment: Mapping[str, str]) -> APIClient:
    """Return a client that speaks the engine's own version, and believes DOCKER_CERT_PATH alone.

    ``docker.from_env`` would believe ``REQUESTS_CA_BUNDLE`` instead, where that is set.
    """
    from docker import APIClient
    from docker.constants import DEFAULT_DOCKER_API_VERSION
    from docker.utils import kwargs_from_env

    settings = kwargs_from_env(dict(environment))
    version = DEFAULT_DOCKER_API_VERSION
    for is_first in (True, False):
        client = APIClient(version=version, timeout=TIMEOUT_S, **settings)
        client.trust_env = False
        try:
            version = client.version(api_version=not is_first)["ApiVersion"]
        except BaseException:
            client.close()
            raise
        if is_first:
            client.close()
    return client


def _unavailable(where: str, error: BaseException) -> ProbeUnavailable:
    because = _short(error)
    if _is_denied(error):
        return ProbeUnavailable(
            f"{where}: permission denied.",
            slug="container-engine-denied",
            hint="Run as root, or as a member of the group that owns the socket (docker).",
        )
    if re.search(r"SSL|TLS|certificate", because):
        return ProbeUnavailable(
            f"{where}: engine and gate do not trust each other ({because}).",
            slug="container-engine-tls",
            hint=TLS_HINT,
        )
    return ProbeUnavailable(
        f"{where}: no Docker engine answers ({because}).",
        slug="container-engine-unreachable",
        hint=START_HINT,
    )


def _check_verified(environment: Mapping[str, str], where: str) -> None:
    """Raise ``ProbeUnavailable`` for TLS that verifies nobody: anybody could say what the engine runs."""
    if (
        where.startswith("tcp://")
        and environment.get("DOCKER_CERT_PATH")
        and not environment.get("DOCKER_TLS_VERIFY")
    ):
        raise ProbeUnavailable(
            f"{where}: with DOCKER_CERT_PATH and without DOCKER_TLS_VERIFY nobody verifies the engine.",
            slug="container-engine-tls",
            hint="Set DOCKER_TLS_VERIFY=1.",
        )


def _knock(where: str) -> None:
    """Raise ``OSError`` where nobody opens a local socket; the SDK would leave one of its own open then."""
    if where.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(TIMEOUT_S)
            door.connect(where.removeprefix("unix://"))


def _is_denied(error: BaseException) -> bool:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, PermissionError) or "Permission denied" in str(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    text = text.rpartition("(Caused by ")[2]
    return text if len(text) <= 160 else f"{text[:157]}..."
