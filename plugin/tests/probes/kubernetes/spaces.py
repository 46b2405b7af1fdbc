"""A namespace of its own for a test, in the cluster of ``make test-live``, else in kmock; by a kubeconfig only."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from release_gates.probes.kubernetes.api import Reader
from release_gates.probes.kubernetes.drift import plural
from release_gates.probes.kubernetes.settings import LiveCluster

LIVE = "LIVE_KUBECONFIG"
"""Names the kubeconfig of a cluster in which tests may make namespaces; ``KUBECONFIG`` alone is never used."""
GONE_S = 120.0
MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"


class Refused(Exception):
    """The server said no."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"{status}: {said}")
        self.status = status


class Space:
    """A namespace, and whoever the kubeconfig says that we are."""

    def __init__(self, path: Path, name: str) -> None:
        from kubernetes import client, config

        self.path, self.name = path, name
        self.settings: Any = client.Configuration()
        load: Any = config
        load.load_kube_config(config_file=str(path), client_configuration=self.settings, persist_config=False)
        self._client: Any = client.ApiClient(self.settings)
        version = self.ask("GET", "/version")
        self.is_kmock = "kmock" in str(version["gitVersion"])
        self.minor = int(str(version["minor"]).rstrip("+"))

    def ask(self, method: str, path: str, body: object = None, content: str = "application/json") -> Any:
        """Ask the server; raises Refused for anything but 2xx."""
        said = self.settings.auth_settings().values()
        headers = {one["key"]: one["value"] for one in said if one["in"] == "header" and one["value"]}
        answer = self._client.rest_client.pool_manager.request(
            method,
            self.settings.host.rstrip("/") + path,
            body=None if body is None else json.dumps(body).encode(),
            headers={**headers, "Content-Type": content},
            timeout=30,
            retries=False,
        )
        if not 200 <= answer.status < 300:
            raise Refused(answer.status, answer.data.decode(errors="replace")[:2000])
        return json.loads(answer.data)

    def skip_kmock(self, because: str) -> None:
        """Skip the test where kmock answers, which cannot show it."""
        if self.is_kmock:
            pytest.skip(f"kmock cannot show it: {because}")

    def collection(self, one: Mapping[str, Any]) -> str:
        """Return the path of the objects of a kind: of this namespace, or of the cluster."""
        version = one["apiVersion"]
        prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
        within = "" if one["kind"].startswith("Cluster") else f"/namespaces/{self.name}"
        return f"{prefix}{within}/{plural(one['kind'])}"

    def put(self, *objects: Mapping[str, Any]) -> None:
        """Create objects."""
        for one in objects:
            self.ask("POST", self.collection(one), one)

    def change(self, one: Mapping[str, Any], patch: Mapping[str, Any]) -> None:
        """Merge a patch into an object."""
        self.ask("PATCH", f"{self.collection(one)}/{one['metadata']['name']}", patch, MERGE)

    def drop(self, one: Mapping[str, Any]) -> None:
        """Delete an object."""
        self.ask("DELETE", f"{self.collection(one)}/{one['metadata']['name']}")

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """Read this namespace as the gate does."""
        opened = Reader(LiveCluster(namespaces=[self.name], kubeconfig=str(self.path)), sleep=time.sleep)
        yield opened
        opened.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


@contextmanager
def new_space(path: Path, **labels: str) -> Iterator[Space]:
    """Make a namespace with these labels, and remove it with all that is in it."""
    space = Space(path, f"release-gates-{uuid.uuid4().hex[:12]}")
    where = f"/api/v1/namespaces/{space.name}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space.name, "labels": labels}}
    space.ask("PATCH", f"{where}?fieldManager=release-gates-tests&force=true", body, APPLY)
    try:
        yield space
    finally:
        space.ask("DELETE", where)
        _wait_until_gone(space, where)
        space.close()


def _wait_until_gone(space: Space, where: str) -> None:
    until = time.monotonic() + GONE_S
    while time.monotonic() < until:
        try:
            space.ask("GET", where)
        except Refused as error:
            assert error.status == 404, error  # noqa: PT017
            return
        time.sleep(0.5)
    raise TimeoutError(f"the namespace {space.name} is still there after {GONE_S:g} s; remove it by hand")
