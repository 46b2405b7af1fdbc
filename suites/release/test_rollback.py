"""Rollback safety: the live build starts on what the candidate left behind, and knows the same."""

from pathlib import Path

import pytest

from fixtures.exchange import SYMBOL, Exchange
from release_gates.errors import MeasurementError
from release_gates.probes.service.fixtures import GateService, StartService
from release_gates.session.gate import Gate

pytestmark = pytest.mark.gate("rollback")

FIRST_RELEASE = "nothing is live yet: the way back from a first release is to stop it"


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Return where the journal lies that both builds are told."""
    return tmp_path / "journal"


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_live_build_takes_over(
    gate: Gate, start_service: StartService, start_baseline: StartService | None, journal: Path, end: str
) -> None:
    """After a stop and after SIGKILL the live build has every order that the candidate acknowledged."""
    name = f"rollback.{end}.ready_time"
    if start_baseline is None:
        gate.not_applicable(name, FIRST_RELEASE)
        return
    candidate = started(start_service, journal)
    before = traded(candidate, first_id=1)
    if end == "killed":
        candidate.process.kill()
    else:
        candidate.stop()
    live = started(start_baseline, journal)
    assert seen(live, who="the live build") == before, "the live build starts, and knows another state"
    gate.measure(name, live.ready_s, "s")


def test_candidate_takes_over_again(
    gate: Gate, start_service: StartService, start_baseline: StartService | None, journal: Path
) -> None:
    """Forward, back and forward once more, with trades in each: nobody loses what another acknowledged."""
    if start_baseline is None:
        gate.not_applicable("rollforward.ready_time", FIRST_RELEASE)
        return
    builds = {"the live build": start_baseline, "the candidate": start_service}
    before = None
    for turn, who in enumerate([*builds, *builds]):
        service = started(builds[who], journal)
        if before is not None:
            assert seen(service, who=who) == before, f"{who} starts, and knows another state"
        before = traded(service, first_id=1 + 100 * turn)
        service.stop()
    gate.measure("rollforward.ready_time", service.ready_s, "s")


def started(start: StartService, journal: Path) -> GateService:
    """Return one more instance of a build on this journal."""
    return start("--journal", str(journal))


def traded(service: GateService, *, first_id: int) -> dict[str, object]:
    """Let a service take every kind of command; return what it knows then."""
    exchange = Exchange(service.client, first_id=first_id)
    exchange.trade_every_kind()
    return known(exchange)


def seen(service: GateService, *, who: str) -> dict[str, object]:
    """Return what a build knows that has to start on what another one left."""
    try:
        return known(Exchange(service.client))
    except MeasurementError as error:
        pytest.fail(f"{who} does not start on it: {error}")


def known(exchange: Exchange) -> dict[str, object]:
    """Return the engine's state, and the book that it stands for."""
    return {"state": exchange.state(), SYMBOL: exchange.book()}
