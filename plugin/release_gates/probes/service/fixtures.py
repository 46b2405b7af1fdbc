"""The pytest fixtures of the service probe."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec
import pytest

from release_gates.errors import MeasurementError
from release_gates.probes.service.client import open_client
from release_gates.probes.service.metrics import Metrics, parse_metrics
from release_gates.probes.service.process import Exit, Service
from release_gates.probes.service.settings import ServiceSettings

if TYPE_CHECKING:
    import httpx

Settings = TypeVar("Settings", bound=msgspec.Struct)
_PAUSE_S = 0.005


class Subject(Protocol):
    """The candidate, as far as this probe needs it."""

    def artifact(self, name: str) -> Path:
        """Return an artifact in the store, hashed again."""
        ...


class Gate(Protocol):
    """The fixture ``gate``, as far as this probe needs it."""

    @property
    def candidate(self) -> Subject:
        """What is measured."""
        ...

    @property
    def baseline(self) -> Subject | None:
        """What is live; None if nothing is."""
        ...

    def settings(self, kind: type[Settings]) -> Settings:
        """Return the settings of a probe."""
        ...


class GateService:
    """A build's service. It starts when it is first asked for and ends with the test."""

    def __init__(self, gate: Gate, build: Subject, folder: Path, arguments: Sequence[str] = ()) -> None:
        """Prepare to run a build in ``folder``, with ``arguments`` behind those of the policy."""
        self._build = build
        self._folder = folder
        self._settings = gate.settings(ServiceSettings)
        self._arguments = (*self._settings.arguments, *arguments)
        self._service: Service | None = None
        self._started = 0.0

    @property
    def process(self) -> Service:
        """The running program with its logs."""
        if self._service is None:
            self._service = Service(
                self._copy(),
                arguments=self._arguments,
                folder=self._folder,
                environ=os.environ,
                variables=self._settings.variables,
            )
            self._started = time.monotonic()
            self._service.start()
        return self._service

    @cached_property
    def client(self) -> httpx.Client:
        """An HTTP client of the service, once it answers ``ready_path`` with 200."""
        client = open_client(self.process.wait_listening(self._settings.start_timeout_s))
        self._wait_ready(client)
        return client

    @cached_property
    def ready_s(self) -> float:
        """Seconds from the start of the program until it said that it is ready."""
        _ = self.client
        return self._ready - self._started

    @property
    def url(self) -> str:
        """Base URL of the service."""
        return str(self.client.base_url)

    @property
    def pid(self) -> int:
        """Process number of the service."""
        return self.process.pid

    def metrics(self) -> Metrics:
        """Scrape ``/metrics``."""
        return parse_metrics(self.client.get("/metrics").raise_for_status().text)

    def stop(self) -> Exit:
        """End the service by SIGTERM, by SIGKILL when ``stop_timeout_s`` is over, and say how it went."""
        return self.process.terminate(self._settings.stop_timeout_s)

    def close(self) -> None:
        """End whatever is left of it."""
        if self._service is None:
            return
        if "client" in self.__dict__:
            self.client.close()
        self._service.kill()

    def _copy(self) -> Path:
        """Return a copy of the stored binary, hashed after copying: what runs is what was asked for."""
        stored = self._build.artifact(self._settings.artifact)
        copy = self._folder / self._settings.artifact
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(stored, copy)
        with copy.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != stored.name:
            raise MeasurementError(
                f"{copy}: the copy has SHA-256 {found}, the build says {stored.name}.",
                slug="service-copy-damaged",
                hint="Is the disk full or failing? Run again.",
            )
        return copy

    def _wait_ready(self, client: httpx.Client) -> None:
        deadline = time.monotonic() + self._settings.start_timeout_s
        said = "nothing"
        while time.monotonic() < deadline:
            if not self.process.alive:
                raise self.process.died()
            with suppress(OSError, _transport_error()):
                answer = client.get(self._settings.ready_path)
                if answer.status_code == 200:
                    self._ready = time.monotonic()
                    return
                said = str(answer.status_code)
            time.sleep(_PAUSE_S)
        raise MeasurementError(
            f"{self._settings.ready_path} did not become 200 within {self._settings.start_timeout_s:g} s; "
            f"it said {said} last.\n{self.process.log_tail()}\n",
            slug="service-not-ready",
            hint="Look at its log, or raise start_timeout_s in the policy.",
        )


def _transport_error() -> type[Exception]:
    import httpx

    return httpx.TransportError


class StartService(Protocol):
    """Prepares one more instance of a build's service, with arguments behind those of the policy."""

    def __call__(self, *arguments: str) -> GateService:
        """Return it; it starts when it is first asked for."""
        ...


@pytest.fixture
def start_service(gate: Gate, tmp_path: Path) -> Iterator[StartService]:
    """Run the candidate's binary more than once, or with more arguments; all of it ends with the test."""
    with _starting(gate, gate.candidate, tmp_path / "candidate") as start:
        yield start


@pytest.fixture
def start_baseline(gate: Gate, tmp_path: Path) -> Iterator[StartService | None]:
    """Do the same with the live build's binary; None if nothing is live."""
    if gate.baseline is None:
        yield None
        return
    with _starting(gate, gate.baseline, tmp_path / "baseline") as start:
        yield start


@pytest.fixture
def gate_service(start_service: StartService) -> GateService:
    """Run the candidate's binary from its digest: ``.client``, ``.metrics()``, ``.stop()``, ``.ready_s``."""
    return start_service()


@pytest.fixture
def baseline_service(start_baseline: StartService | None) -> GateService | None:
    """Run the live build's binary from its digest, beside the candidate's; None if nothing is live."""
    return start_baseline() if start_baseline else None


@contextmanager
def _starting(gate: Gate, build: Subject, folder: Path) -> Iterator[StartService]:
    services: list[GateService] = []

    def start(*arguments: str) -> GateService:
        services.append(GateService(gate, build, folder / f"service-{len(services) + 1}", arguments))
        return services[-1]

    try:
        yield start
    finally:
        for service in services:
            service.close()
