"""An API server by kmock for each test that talks to one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fixtures.kubernetes_api import KubernetesApi, kubernetes_api


@pytest.fixture
def api() -> Iterator[KubernetesApi]:
    """An API server that has nothing yet."""
    with kubernetes_api() as server:
        yield server
