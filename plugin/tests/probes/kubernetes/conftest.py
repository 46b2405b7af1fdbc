"""An API server for each test that talks to one: by kmock, or the one that ``make test-live`` names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.kubernetes_api import KubernetesApi, kubeconfig, kubernetes_api
from plugin.tests.probes.kubernetes.spaces import LIVE, Space, new_space


@pytest.fixture
def api() -> Iterator[KubernetesApi]:
    """An API server that has nothing yet."""
    with kubernetes_api() as server:
        yield server


@pytest.fixture
def live_kubeconfig(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The kubeconfig of the cluster that tests may write to, else one of kmock."""
    named = os.environ.get(LIVE)
    if named:
        return Path(named)
    server: KubernetesApi = request.getfixturevalue("api")
    return kubeconfig(tmp_path / "live.json", server.port)


@pytest.fixture
def space(live_kubeconfig: Path) -> Iterator[Space]:
    """A namespace that ends with the test."""
    with new_space(live_kubeconfig) as made:
        yield made
