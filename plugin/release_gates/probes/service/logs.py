"""What a service printed: its log files, their last lines, and the line by which it says that it listens."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import msgspec

from release_gates.errors import MeasurementError

_TAIL_BYTES = 16 << 10
_LONGEST_START_BYTES = 4 << 20
_LONGEST_LINE = 400


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a service listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The base URL of its HTTP interface."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"


def last_lines(path: Path, count: int = 20) -> list[str]:
    """Return the last lines of a log, however large it is; long ones are cut."""
    if not path.exists():
        return []
    lines = tail_bytes(path, _TAIL_BYTES).decode("utf-8", "replace").splitlines()[-count:]
    return [line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}..." for line in lines]


def tail_bytes(path: Path, count: int) -> bytes:
    """Return at most the last ``count`` bytes of a file."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - count))
        return file.read(count)


def find_address(stdout: Path) -> Address | None:
    """Return the address that the service said it listens on, None as long as it has not said one.

    Up to then each line has to be a JSON object. ``MeasurementError`` for any other line, for more than
    4 MiB without an address, and for an address that is not on the loopback interface.
    """
    with stdout.open("rb") as file:
        text = file.read(_LONGEST_START_BYTES)
    lines = text.split(b"\n")[:-1]
    for line in lines:
        event = _event(line)
        if event.get("event") == "listening":
            return _address(event, line)
    if len(text) == _LONGEST_START_BYTES:
        raise _garbage("4 MiB without the line by which it says that it listens")
    return None


def _event(line: bytes) -> dict[str, object]:
    try:
        return msgspec.json.decode(line, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _garbage(f"{_shown(line)}, which is no JSON object") from None


def _address(event: dict[str, object], line: bytes) -> Address:
    try:
        address = msgspec.convert({key: event.get(key) for key in ("host", "port")}, Address)
        loopback = ip_address(address.host).is_loopback
    except (msgspec.ValidationError, ValueError):
        raise _garbage(f"{_shown(line)}, which has no IP address as host or no number as port") from None
    if not 0 < address.port < 65536:
        raise _garbage(f"{_shown(line)}, whose port is not within 1 and 65535")
    if not loopback:
        raise MeasurementError(
            f"the service listens on {address.host}, which others can reach.",
            slug="service-not-loopback",
            hint="Let it listen on 127.0.0.1 (in its arguments, [gate.NAME.service] in the policy).",
        )
    return address


def _garbage(what: str) -> MeasurementError:
    return MeasurementError(
        f"the service printed {what}.",
        slug="service-garbage",
        hint=(
            "The first lines on its stdout are JSON objects, one of them "
            '{"event": "listening", "host": "127.0.0.1", "port": 4711}. Logs belong on stderr.'
        ),
    )


def _shown(line: bytes) -> str:
    text = line[:200].decode("utf-8", "replace")
    return repr(text if len(line) <= 200 else f"{text}...")
