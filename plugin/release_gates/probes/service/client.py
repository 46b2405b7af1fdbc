"""HTTP to a service on the loopback interface: timeouts always, no proxy, nothing else reachable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from release_gates.errors import ProbeUnavailable
from release_gates.probes.service.logs import Address

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 10.0


def open_client(address: Address) -> httpx.Client:
    """Return a client of a service; the caller closes it. ``ProbeUnavailable`` without httpx."""
    try:
        import httpx
    except ImportError as error:
        raise ProbeUnavailable(
            "httpx is not installed.",
            slug="service-package-missing",
            hint="pip install 'pytest-release-gates[smoke]'",
        ) from error
    return httpx.Client(base_url=address.url, timeout=TIMEOUT_S, trust_env=False, follow_redirects=False)
