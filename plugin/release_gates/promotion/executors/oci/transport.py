"""Requests to one repository of a registry: safe lines only, logins for their host, no longer than a step.

What a registry says in words is not repeated: it could hold anything.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from release_gates.errors import DeployError
from release_gates.promotion.executors.oci.address import Address, is_loopback
from release_gates.promotion.executors.oci.credentials import Challenge, Login, read_challenge

if TYPE_CHECKING:
    import httpx

_AGAIN = (429, 502, 503, 504)
_TRIES = 3
_LONGEST_PAUSE_S = 10.0
_LONGEST_WORDS = 1 << 16
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5


class Transport:
    """Sends requests. ``deadline`` is of ``time.monotonic``; plain HTTP is spoken on loopback only."""

    def __init__(
        self, address: Address, client: httpx.Client, *, login: Login, tls: bool, deadline: float
    ) -> None:
        self.address = address
        self._client = client
        self._login = login
        self._plain = address.loopback and not tls
        self._base = f"{'http' if self._plain else 'https'}://{address.host}/v2/{address.name}/"
        self._deadline = deadline
        self._authorization = ""

    def send(
        self,
        method: str,
        where: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        redirects: bool = False,
        stream: bool = False,
    ) -> httpx.Response:
        """Send what may be sent again: log in after 401, wait where patience is asked for."""
        url = self._base + where
        options: dict[str, Any] = {"headers": headers, "content": content, "stream": stream}
        for attempt in range(1, _TRIES + 1):
            answer = self.request(method, url, **options)
            if answer.status_code == 401 and (header := answer.headers.get("WWW-Authenticate")):
                answer.close()
                self._authorize(read_challenge(header))
                answer = self.request(method, url, **options)
            if answer.status_code not in _AGAIN or attempt == _TRIES:
                break
            answer.close()
            self._pause(answer.headers.get("Retry-After", ""), attempt)
        for _ in range(_MOST_REDIRECTS if redirects else 0):
            if answer.status_code not in _REDIRECTS:
                break
            answer.close()
            url = str(answer.url.join(self.absolute(answer.headers.get("Location", ""))))
            answer = self.request(method, url, **options)
        return answer

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | Iterator[bytes] | None = None,
        stream: bool = False,
    ) -> httpx.Response:
        """Send one request; where it is no ``stream`` the answer is closed, its words bounded."""
        import httpx

        request = self._client.build_request(method, self.absolute(url), headers=headers, content=content)
        if self._authorization and request.url.netloc == httpx.URL(self._base).netloc:
            request.headers["Authorization"] = self._authorization
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise DeployError(
                f"{self.address}: the step's time is over.",
                slug="deploy-timeout",
                hint="Look whether the place answers, then resume: what was done already is done once.",
            )
        request.extensions["timeout"] = httpx.Timeout(min(left, 60.0)).as_dict()
        try:
            answer = self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise self.failed(f"{method} got no answer ({type(error).__name__})") from None
        if not stream:
            answer.extensions["body"] = self._body(answer, method)
        return answer

    def _body(self, answer: httpx.Response, what: str) -> bytes:
        """Return as much of an answer as a registry has to say."""
        data = b""
        try:
            for chunk in self.chunks(answer, what):
                data += chunk
                if len(data) > _LONGEST_WORDS:
                    break
        finally:
            answer.close()
        return data

    def _authorize(self, challenge: Challenge) -> None:
        """Get what the registry asks for, from where it says, over a line that nobody reads."""
        if challenge.scheme == "basic" and self._login.basic:
            self._authorization = f"Basic {self._login.basic}"
            return
        if challenge.scheme != "bearer" or not challenge.realm:
            raise self.failed("it wants a login (401), and policy names none for this host")
        parameters = {"service": challenge.service, "scope": challenge.scope}
        request = self._client.build_request("GET", self.absolute(challenge.realm), params=parameters)
        if self._login.basic:
            request.headers["Authorization"] = f"Basic {self._login.basic}"
        self._authorization = f"Bearer {self._token(request)}"

    def _token(self, request: httpx.Request) -> str:
        import httpx

        try:
            answer = self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise self.failed(f"no token could be had ({type(error).__name__})") from None
        body = self._body(answer, "GET token")
        self.check(answer, "GET token", 200)
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            found = msgspec.json.decode(body, type=dict[str, Any])
            token = found.get("token") or found.get("access_token")
            if isinstance(token, str) and re.fullmatch(r"[\x21-\x7e]+", token):
                return token
        raise self.failed("the answer has no token")

    def absolute(self, url: str) -> str:
        """Return a URL as it is; refuse one that leads to a line that others can read."""
        import httpx

        try:
            found = httpx.URL(url)
        except httpx.InvalidURL:
            found = httpx.URL("")
        safe = found.scheme == "https" or (self._plain and found.scheme == "http" and is_loopback(found.host))
        if url and (safe or not found.is_absolute_url):
            return url
        raise self.failed("it leads to an address without TLS, or to none")

    def _pause(self, asked: str, attempt: int) -> None:
        wanted = float(asked) if re.fullmatch(r"[0-9]{1,6}", asked) else 0.2 * attempt
        time.sleep(max(0.0, min(wanted, _LONGEST_PAUSE_S, self._deadline - time.monotonic())))

    def chunks(self, answer: httpx.Response, what: str) -> Iterator[bytes]:
        """Yield what is served, piece by piece; ``DeployError`` where it breaks off."""
        import httpx

        try:
            yield from self.in_time(answer.iter_raw(), what)
        except httpx.HTTPError as error:
            raise self.failed(f"{what} was cut off ({type(error).__name__})") from None

    def in_time(self, chunks: Iterator[bytes], what: str) -> Iterator[bytes]:
        """Pass pieces on until the step's time is over."""
        for chunk in chunks:
            if time.monotonic() > self._deadline:
                raise self.failed(f"{what} took longer than the step may")
            yield chunk

    def check(self, answer: httpx.Response, what: str, wanted: int) -> None:
        """Raise ``DeployError`` unless an answer has the status that is wanted."""
        if answer.status_code != wanted and not answer.is_closed:
            answer.extensions["body"] = self._body(answer, what)
        if answer.status_code != wanted:
            raise self.failed(f"{what} was answered {answer.status_code}{_codes(answer)}")

    def failed(self, because: str, hint: str = "") -> DeployError:
        """Return the error that says what went wrong with this repository."""
        return DeployError(
            f"{self.address}: {because}.",
            slug="deploy-registry",
            hint=hint or "Try it by hand, then resume: what is there already is not copied again.",
        )


@contextmanager
def opened_client(ca: str) -> Iterator[httpx.Client]:
    """Open an HTTP client that trusts the system's authorities, or a file of others, and nobody's proxy."""
    try:
        import httpx
    except ImportError:
        raise DeployError(
            "httpx is not installed.",
            slug="deploy-unavailable",
            hint="pip install 'pytest-release-gates[deploy]'",
        ) from None
    try:
        context = _trusted(ca)
    except (OSError, ssl.SSLError) as error:
        raise DeployError(
            f"{ca}: no authority can be read from it ({error}).",
            slug="deploy-settings",
            hint="`ca` names a PEM file of the authorities that registries are known by.",
        ) from None
    headers = {"Accept-Encoding": "identity", "User-Agent": "pytest-release-gates"}
    with httpx.Client(verify=context, trust_env=False, follow_redirects=False, headers=headers) as client:
        yield client


@lru_cache(maxsize=8)
def _trusted(ca: str) -> ssl.SSLContext:
    """Return whom we believe; read once, because that takes 30 ms."""
    return ssl.create_default_context(cafile=ca or None)


def _codes(answer: httpx.Response) -> str:
    """Return a registry's own error codes; its words are not repeated, they could hold anything."""
    with suppress(Exception):  # an error's body may be cut off, huge or nonsense
        found = msgspec.json.decode(answer.extensions.get("body", b""), type=dict[str, Any])
        codes = [str(each["code"]) for each in found["errors"]]
        return f" ({', '.join(code for code in codes if re.fullmatch('[A-Z_]{1,40}', code))})"
    return ""
