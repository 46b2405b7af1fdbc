"""Is the target there, before any user is started?"""

from __future__ import annotations

import socket

from gevent import Timeout

from release_gates.probes.load.open.target import target_of, tls_of, unreachable


def reach(url: str, ca_file: str, timeout_s: float) -> None:
    """Open and close one connection, with TLS where the target has it; CannotRun where that fails."""
    target = target_of(url)
    tls = tls_of(target, ca_file)
    try:
        with (
            Timeout(timeout_s, TimeoutError("timed out")),  # resolving a name has no bound of its own
            socket.create_connection((target.host, target.port)) as connection,
        ):
            if tls is not None:
                tls.wrap_socket(connection, server_hostname=target.host).close()
    except OSError as error:
        raise unreachable(target, error, timeout_s) from error
