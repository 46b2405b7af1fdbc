"""Only what policy names is loaded, and production never is, whatever its address is called."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from release_gates.errors import MeasurementError
from release_gates.probes.load.settings import LoadSettings
from release_gates.probes.load.targets import resolve


@dataclass(frozen=True, slots=True)
class Service:
    """A service that a test started."""

    url: str
    pid: int = 1


def refused(settings: LoadSettings, asked: str | Service) -> str:
    with pytest.raises(MeasurementError) as caught:
        resolve(settings, asked)
    return str(caught.value)


def test_a_target_is_named_in_policy() -> None:
    settings = LoadSettings(targets={"gateway": "http://127.0.0.1:8080"})
    assert resolve(settings, "gateway").url == "http://127.0.0.1:8080"
    assert "names no such target (it names: gateway)" in refused(settings, "http://127.0.0.1:8080")
    assert "it names: none" in refused(LoadSettings(), "gateway")


@pytest.mark.parametrize(
    ("url", "entry"),
    [
        ("http://127.0.0.1:1", "127.0.0.1"),
        ("http://127.0.0.1:1", "127.0.0.0/8"),
        ("http://localhost:1", "localhost"),
        ("http://LOCALHOST.:1", "localhost"),
        ("http://localhost:1", "local*"),
        ("http://127.0.0.1:1", "localhost"),
        ("http://[::ffff:127.0.0.1]:1", "127.0.0.1"),
        ("http://0x7f.1:1", "127.0.0.0/8"),
        ("http://2130706433:1", "127.0.0.1"),
    ],
)
def test_production_is_refused_by_name_and_by_address(url: str, entry: str) -> None:
    settings = LoadSettings(targets={"gateway": url}, production=(entry,))
    assert "lists" in refused(settings, "gateway")
    assert "production" in refused(settings, "gateway")


def test_a_started_service_is_on_loopback_and_not_production() -> None:
    assert resolve(LoadSettings(), Service("http://127.0.0.1:9")).pid == 1
    assert "is on loopback" in refused(LoadSettings(), Service("http://192.0.2.1:9"))
    assert "production" in refused(LoadSettings(production=("127.0.0.1",)), Service("http://127.0.0.1:9"))


def test_the_addresses_that_were_compared_are_those_that_are_loaded() -> None:
    named = LoadSettings(targets={"gateway": "http://localhost:1"}, production=("10.0.0.0/8",))
    assert "127.0.0.1" in resolve(named, "gateway").addresses
    assert resolve(LoadSettings(targets={"gateway": "http://localhost:1"}), "gateway").addresses == ()


def test_a_name_that_does_not_resolve_is_said_so() -> None:
    settings = LoadSettings(targets={"gateway": "http://gateway.invalid"}, production=("10.0.0.0/8",))
    assert "does not resolve" in refused(settings, "gateway")


@pytest.mark.parametrize("url", ["ftp://host", "gateway:80", "http://", "tcp://host", "http://host:port"])
def test_what_is_no_address_is_refused_by_policy(url: str) -> None:
    with pytest.raises(ValueError, match=r"targets\.gateway"):
        LoadSettings(targets={"gateway": url})


@pytest.mark.parametrize("entry", ["127.0.*", "::ffff:127.0.0.1", "*.0.0.1"])
def test_no_way_to_write_an_address_is_passed_by(entry: str) -> None:
    settings = LoadSettings(targets={"gateway": "http://localhost:1"}, production=(entry,))
    assert "it resolves to 127.0.0.1" in refused(settings, "gateway")


@pytest.mark.parametrize("entry", ["gateway.example:443", "10.0.0.1:80", "[::1]"])
def test_an_entry_that_matches_nothing_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="protects nothing"):
        LoadSettings(production=(entry,))
    assert LoadSettings(production=("2001:db8::1",)).production
