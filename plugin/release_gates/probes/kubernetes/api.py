"""A live cluster, read only: every object of some namespaces, page by page, by the official client."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from release_gates.errors import GateError, MeasurementError, ProbeUnavailable
from release_gates.probes.kubernetes.documents import Document
from release_gates.probes.kubernetes.faults import clip
from release_gates.probes.kubernetes.objects import items, mapping
from release_gates.probes.kubernetes.quantities import seconds
from release_gates.probes.kubernetes.settings import LiveCluster

NAMESPACED = (
    *(
        f"api/v1/{name}"
        for name in ("pods", "services", "serviceaccounts", "configmaps", "replicationcontrollers", "events")
    ),
    *(f"apis/apps/v1/{name}" for name in ("deployments", "statefulsets", "daemonsets", "replicasets")),
    *(f"apis/batch/v1/{name}" for name in ("jobs", "cronjobs")),
    *(f"apis/networking.k8s.io/v1/{name}" for name in ("networkpolicies", "ingresses")),
    "apis/policy/v1/poddisruptionbudgets",
    "apis/autoscaling/v2/horizontalpodautoscalers",
    *(f"apis/rbac.authorization.k8s.io/v1/{name}" for name in ("roles", "rolebindings")),
)
OF_CLUSTER = tuple(
    f"apis/rbac.authorization.k8s.io/v1/{name}" for name in ("clusterroles", "clusterrolebindings")
)
KUBELET_API = "kubelet.config.k8s.io/v1beta1"
NODE = re.compile(r"[a-z0-9](?:[-.a-z0-9]{0,251}[a-z0-9])?", re.ASCII)
"""Names of nodes: DNS subdomains, so that none leads to another path."""
PAGE = 500
MOST_PAGES = 400
MOST_BYTES = 64 << 20
TRIES = 3
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
WAIT_AT_MOST_S = 5.0

Sleep = Callable[[float], None]


class _Gone(Exception):
    """A page token is too old: the list has to be read again from the start."""


class Reader:
    """Reads lists from one API server. A list is whole or it is an error; nothing is written, ever."""

    def __init__(self, cluster: LiveCluster, *, sleep: Sleep) -> None:
        self._cluster = cluster
        self._sleep = sleep
        self._client = _connect(cluster)

    def read(self) -> Iterator[Document]:
        """Yield every object that rules are about.

        Raises MeasurementError: ``kubernetes-api-refused`` (401, 403; names the permission that is lacking),
        ``kubernetes-api-answer`` (anything else that is no whole list).
        """
        for namespace in self._cluster.namespaces:
            yield Document(f"api/v1/namespaces/{namespace}", self._get(f"/api/v1/namespaces/{namespace}", {}))
            for path in NAMESPACED:
                version, _, plural = path.rpartition("/")
                yield from self._list(f"/{version}/namespaces/{namespace}/{plural}")
        for path in OF_CLUSTER:
            yield from self._list(f"/{path}")

    def kubelet(self, node: str) -> Document:
        """Return what a node's kubelet runs with (``/configz``), as a ``KubeletConfiguration`` of its name.

        Raises MeasurementError as ``read`` does; asking needs `get` on `nodes/proxy`.
        """
        path = f"/api/v1/nodes/{clip(node, 80)}/proxy/configz"
        if not NODE.fullmatch(node):
            raise _answer(path, "that is no name of a node")
        said = self._get(path, {}, needs="`get` on `nodes/proxy`").get("kubeletconfig")
        if not isinstance(said, dict) or not said:
            raise _answer(path, "it has no kubeletconfig")
        named = {"apiVersion": KUBELET_API, "kind": "KubeletConfiguration", "metadata": {"name": node}}
        return Document(path.lstrip("/"), {**said, **named})

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _list(self, path: str) -> tuple[Document, ...]:
        for _ in range(TRIES):
            try:
                return tuple(self._pages(path))
            except _Gone:
                continue
        raise _answer(path, f"the list changed {TRIES} times while it was read")

    def _pages(self, path: str) -> Iterator[Document]:
        token = ""
        for _ in range(MOST_PAGES):
            page = self._get(path, {"limit": str(PAGE), **({"continue": token} if token else {})})
            kind = page.get("kind")
            if not (
                isinstance(kind, str) and kind.endswith("List") and isinstance(page.get("items", []), list)
            ):
                raise _answer(path, f"a {clip(kind, 40)} is no list")
            typed = {"apiVersion": page.get("apiVersion"), "kind": kind.removesuffix("List")}
            for one in items(page.get("items")):
                if not isinstance(one, dict):
                    raise _answer(path, "an item of the list is no object")
                name = mapping(one.get("metadata")).get("name")
                yield Document(f"{path.lstrip('/')}/{clip(name, 80)}", {**typed, **one})
            token = mapping(page.get("metadata")).get("continue") or ""
            if not isinstance(token, str):
                raise _answer(path, "its page token is no text")
            if not token:
                return
        raise _answer(path, f"more than {MOST_PAGES} pages")

    def _get(self, path: str, query: dict[str, str], needs: str = "`get` and `list` on it") -> dict[str, Any]:
        for left in reversed(range(TRIES)):
            status, headers, body = self._ask(path, query)
            if status not in {429, 500, 502, 503, 504} or left == 0:
                break
            self._sleep(min(_seconds_of(headers.get("Retry-After")), WAIT_AT_MOST_S))
        if status == 410 and "continue" in query:
            raise _Gone
        if status in {401, 403}:
            raise _refused(path, status, needs)
        if status != 200:
            raise _answer(path, f"status {status}")
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            raise _answer(path, "it is no JSON, or was cut off") from None
        if not isinstance(value, dict):
            raise _answer(path, "it is no object")
        return value

    def _ask(self, path: str, query: dict[str, str]) -> tuple[int, Any, bytes]:
        """Ask once, by the client's own connections and credentials; redirects are not followed."""
        from urllib3.exceptions import HTTPError

        settings = self._client.configuration
        said = settings.auth_settings().values()
        headers = {one["key"]: one["value"] for one in said if one["in"] == "header" and one["value"]}
        try:
            answer = self._client.rest_client.pool_manager.request(
                "GET",
                settings.host.rstrip("/") + path,
                fields=query,
                headers={**headers, "Accept": "application/json"},
                timeout=seconds(self._cluster.timeout),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            body = answer.read(MOST_BYTES + 1)
            answer.close()
        except (HTTPError, OSError) as error:
            raise _answer(path, clip(error, 200)) from None
        if len(body) > MOST_BYTES:
            raise _answer(path, f"more than {MOST_BYTES} bytes")
        return int(answer.status), answer.headers, body


def _connect(cluster: LiveCluster) -> Any:
    try:
        import yaml
        from kubernetes import client, config
    except ModuleNotFoundError:
        raise ProbeUnavailable(
            "the client of Kubernetes is not installed.",
            slug="kubernetes-extra",
            hint="pip install 'pytest-release-gates[kubernetes]'",
        ) from None
    settings = client.Configuration()
    load: Any = config
    try:
        if cluster.in_cluster:
            load.load_incluster_config(client_configuration=settings)
        else:
            load.load_kube_config(
                config_file=cluster.kubeconfig or None,
                context=cluster.context or None,
                client_configuration=settings,
                persist_config=False,
            )
    except (config.ConfigException, yaml.YAMLError, OSError, ValueError, TypeError, KeyError) as error:
        raise MeasurementError(
            f"no cluster can be reached: {clip(error, 200)}.",
            slug="kubernetes-no-cluster",
            hint="Name a kubeconfig and a context that are there, or set in_cluster.",
        ) from None
    settings.retries = False
    if not _is_sure(settings):
        raise MeasurementError(
            f"{clip(settings.host, 200)} need not prove who it is, so anybody could answer for it.",
            slug="kubernetes-no-cluster",
            hint="Let the kubeconfig name https and a certificate-authority; no insecure-skip-tls-verify.",
        )
    return client.ApiClient(settings)


def _is_sure(settings: Any) -> bool:
    """Tell whether the server has to prove who it is, or is this very machine (`kubectl proxy`)."""
    said = urlsplit(settings.host)
    return (said.scheme == "https" and bool(settings.verify_ssl)) or said.hostname in LOOPBACK


def _seconds_of(text: str | None) -> float:
    try:
        return max(float(text or "1"), 0.0)
    except ValueError:
        return 1.0


def _answer(path: str, problem: str) -> GateError:
    return MeasurementError(
        f"{path}: the API server did not give the whole answer: {problem}.",
        slug="kubernetes-api-answer",
        hint="What is not read whole is not judged; run it again.",
    )


def _refused(path: str, status: int, needs: str) -> GateError:
    return MeasurementError(
        f"{path}: the API server refused (status {status}).",
        slug="kubernetes-api-refused",
        hint=f"The gate needs {needs}, and nothing else; see docs for the Role.",
    )
