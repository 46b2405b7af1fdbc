"""What the engine acknowledged, it still knows after its end; and no two instances share anything."""

from pathlib import Path

import pytest

from fixtures.exchange import Exchange
from release_gates.errors import MeasurementError
from release_gates.probes.service.fixtures import GateService, StartService

pytestmark = pytest.mark.gate("smoke")

RECORD_BYTES = 64


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Return where the engine's journal lies; two services can be told the same."""
    return tmp_path / "shared" / "journal"


def test_killed_engine_comes_back_as_it_was(start_service: StartService, journal: Path) -> None:
    """After SIGKILL a new process has the same state: every order that was acknowledged, and no other."""
    first = open_with(start_service, journal)
    before = traded(first)
    first.process.kill()
    assert came_back(open_with(start_service, journal)) == before, (
        "an acknowledged order is lost after SIGKILL"
    )


def test_stopped_engine_comes_back_as_it_was(start_service: StartService, journal: Path) -> None:
    """The same after SIGTERM, from the snapshot."""
    first = open_with(start_service, journal)
    before = traded(first)
    first.stop()
    assert came_back(open_with(start_service, journal)) == before, (
        "an acknowledged order is lost after SIGTERM"
    )


def test_torn_last_record_is_cut(start_service: StartService, journal: Path) -> None:
    """Half a record at the end was never acknowledged, and does not keep the engine from starting."""
    first = open_with(start_service, journal)
    before = traded(first)
    first.process.kill()
    with journal.open("ab") as file:
        file.write(b"\x01" * (RECORD_BYTES // 2))
    assert came_back(open_with(start_service, journal)) == before, "a torn record changed what was before it"


def test_damaged_journal_is_refused(start_service: StartService, journal: Path) -> None:
    """One flipped bit before the end: the engine does not start, and says where the damage is."""
    first = open_with(start_service, journal)
    traded(first)
    first.process.kill()
    damaged = bytearray(journal.read_bytes())
    place = len(damaged) - 3 * RECORD_BYTES
    damaged[place] ^= 1
    journal.write_bytes(damaged)
    assert f"the record at offset {place} is damaged" in refusal(open_with(start_service, journal))


def test_two_instances_never_share_a_journal(start_service: StartService, journal: Path) -> None:
    """The second one that is told the same journal ends at once; the first one trades on."""
    first = open_with(start_service, journal)
    exchange = Exchange(first.client)
    assert "in use by another process" in refusal(open_with(start_service, journal))
    exchange.place("buy", price=10_000, quantity=1)


def test_two_instances_never_share_a_port(start_service: StartService) -> None:
    """The second one that is told the same port ends at once; the first one trades on."""
    first = start_service()
    exchange = Exchange(first.client)
    port = first.client.base_url.port
    assert "Address already in use" in refusal(start_service("--port", str(port)))
    exchange.place("buy", price=10_000, quantity=1)


def open_with(start_service: StartService, journal: Path) -> GateService:
    """Return one more instance that keeps its commands in this journal."""
    journal.parent.mkdir(exist_ok=True)
    return start_service("--journal", str(journal))


def traded(service: GateService) -> dict[str, object]:
    """Let a service take every kind of command; return its state."""
    exchange = Exchange(service.client)
    exchange.trade_every_kind()
    return exchange.state()


def came_back(service: GateService) -> dict[str, object]:
    """Return the state of a service that has to start on what another one left."""
    try:
        return Exchange(service.client).state()
    except MeasurementError as error:
        pytest.fail(f"the engine does not come back: {error}")


def refusal(service: GateService) -> str:
    """Return what a service says that must not start."""
    with pytest.raises(MeasurementError) as error:
        _ = service.client
    return str(error.value)
