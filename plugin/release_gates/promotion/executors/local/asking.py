"""One HTTP request to this host: no proxy, no redirect, bounded."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException


def ask(host: str, port: int, path: str, header: str = "", timeout_s: float = 5.0) -> tuple[str, str]:
    """Return the status of an answer, or what went wrong instead, and one of its headers ("" for none)."""
    connection = HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        return str(answer.status), answer.getheader(header, "") if header else ""
    except (OSError, HTTPException) as error:
        return type(error).__name__, ""
    finally:
        connection.close()
