"""A bundle of a promotion: approvals are counted and the promotion allowed again, by public keys alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugin.tests.cli.test_signing import Signing, key_toml
from plugin.tests.promotion.test_approvals import ANN, BOB, EVE, TABLE
from plugin.tests.promotion.test_signed_approvals import person_toml
from release_gates.cli.bundles import Checked, checked
from release_gates.errors import TrustError
from release_gates.ledger.attestations.bundle import Bundle, read_bundle
from release_gates.ledger.chain import to_row
from release_gates.ledger.segment import about_run, read_segment, segment_bytes
from release_gates.model.event import (
    Approved,
    DeploymentStarted,
    DeploymentUndone,
    Event,
    Promoted,
    RunStarted,
)
from release_gates.model.trust import Trust
from release_gates.policy.trust import read_keys

FILE = Path("run.zip")


class World:
    """A promotion with its approval and a signed checkpoint, its bundle, and the keys to check it by."""

    def __init__(self, folder: Path) -> None:
        signing = Signing(folder)
        self.project = signing.project
        project, own, clock = signing.project, folder / "eve.pem", folder / "clock.pem"
        public, ticks = (
            json.loads(project.cli("--json", "keygen", str(key)).output)["public"] for key in (own, clock)
        )
        keys = key_toml(signing.public) + person_toml(public, "eve", EVE)
        keys += key_toml(ticks, "clock").replace('["evidence", "verdict"]', '["checkpoint"]')
        project.write("gates/trust.toml", f"schema = 1\n{keys}")
        path = 'schema = 1\npath = ["staging"]\n'
        project.write("gates/environments.toml", path + TABLE.format(least=1, persons=f'["{EVE}", "{BOB}"]'))
        toml = project.root / "candidate.toml"
        toml.write_text(toml.read_text().replace("authors = []", f'authors = ["{ANN}"]'))
        run = signing.decide()
        project.cli("approve", "staging", "--key", str(own))
        promoted = project.cli("promote", "--to", "staging")
        assert promoted.status == 0, promoted.output
        self.trust: Trust = read_keys(project.root / "gates/trust.toml")
        self.bare = self._packed(signing, run, folder / "bare.zip", {})
        seen = {"GATE_CHECKPOINT": "seen"}
        noted = project.cli("ledger", "checkpoint", "seen", "--key", str(clock))
        assert noted.status == 0, noted.output
        self.whole = self._packed(signing, run, folder / "whole.zip", seen)

    def _packed(self, signing: Signing, run: str, file: Path, env: dict[str, str]) -> Bundle:
        made = signing.project.cli("bundle", run, "--output", str(file), env=env)
        assert made.status == 0, made.output
        self.said = signing.project.cli("verify", "--bundle", str(file)).output
        return read_bundle(file)

    def check(self, bundle: Bundle, trust: Trust | None = None) -> Checked:
        return checked(bundle, trust or self.trust, FILE)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("promotion"))


def test_it_tells_the_whole_promotion(world: World) -> None:
    said = " ".join(world.said.split())
    assert "promoted at" in said
    assert "Eve Ray <eve@example.org> (risk) said yes" in said
    assert "signed by a key of that person" in said
    assert "follow each other without a gap; key clock signed where that chain ends" in said
    bare = world.check(world.bare).told
    assert "nobody signed where that chain ends" in bare.chain
    assert [type(event.fact).__name__ for event in bare.about] == [
        "RunStarted",
        "RunFinished",
        "Approved",
        "Promoted",
    ]


def rechained(events: Sequence[Event]) -> bytes:
    """Return events as somebody would write them who may write a ledger: the chain fits."""
    made: list[Event] = []
    prev = events[0].prev
    for number, event in enumerate(events):
        new = msgspec.structs.replace(event, seq=events[0].seq + number, prev=prev)
        prev = to_row(new).digest
        made.append(new)
    return segment_bytes(made)


def changed(events: Sequence[Event], kind: type, **changes: Any) -> list[Event]:
    return [
        msgspec.structs.replace(event, fact=msgspec.structs.replace(event.fact, **changes))
        if isinstance(event.fact, kind)
        else event
        for event in events
    ]


def without(events: Sequence[Event], kind: type) -> list[Event]:
    return [event for event in events if not isinstance(event.fact, kind)]


ATTACKS: list[tuple[str, Any, str]] = [
    ("no approval", lambda e: without(e, Approved), "not approved: risk 0 of 1"),
    ("not her answer", lambda e: changed(e, Approved, reason="fine"), "about another reason"),
    ("nobody signed", lambda e: changed(e, Approved, envelope=msgspec.UNSET), "it is not signed"),
    ("by an author", lambda e: changed(e, Approved, by=ANN), "has no such role"),
    ("approved after", lambda e: [*without(e, Approved), *e[2:3]], "not approved"),
    ("promoted first", lambda e: [e[0], e[3], e[1], e[2]], "before it had a verdict"),
    ("elsewhere", lambda e: changed(e, Promoted, environment="dev"), "promoted something else"),
    (
        "on a route",
        lambda e: changed(e, Promoted, route="hotfix", full_within_s=1.0),
        "another route than no",
    ),
    ("in time", lambda e: changed(e, Promoted, full_within_s=9.0), "other terms of it"),
    ("an emergency", lambda e: changed(e, Promoted, ticket="T", reason="r"), "or has them without one"),
    ("another run began", lambda e: changed(e, RunStarted, run="other"), "do not tell of this verdict"),
    ("other rules", lambda e: changed(e, RunStarted, rules="b" * 64), "do not tell of this verdict"),
    ("no verdict", lambda e: [e[0], *e[2:]], "do not tell of this verdict"),
]


@pytest.mark.parametrize(("name", "attack", "says"), ATTACKS, ids=[row[0] for row in ATTACKS])
def test_a_chain_that_was_written_anew(world: World, name: str, attack: Any, says: str) -> None:
    events = attack(read_segment(world.bare.events))
    with pytest.raises(TrustError, match=says) as found:
        world.check(replace(world.bare, events=rechained(events)))
    assert found.value.slug == "bundle-damaged"
    with pytest.raises(TrustError):
        world.check(replace(world.whole, events=rechained(attack(read_segment(world.whole.events)))))


def test_what_is_cut_off_is_found_by_the_signed_end(world: World) -> None:
    shorter = segment_bytes(read_segment(world.whole.events)[:-1])
    with pytest.raises(TrustError, match="checkpoint is of another chain"):
        world.check(replace(world.whole, events=shorter))
    assert world.check(replace(world.bare, events=shorter)).told.promotions == ()


def test_events_that_do_not_follow_each_other(world: World) -> None:
    events = read_segment(world.bare.events)
    for wrong in ((events[0], *events[2:]), events[::-1], (*events, events[-1]), events[:1] + events):
        with pytest.raises(TrustError, match="does not hold together"):
            world.check(replace(world.bare, events=segment_bytes(wrong)))
    for data in (b"", b"\n", world.bare.events[:-1], world.bare.events.replace(b'"seq"', b' "seq"', 1)):
        with pytest.raises(TrustError, match="does not hold together"):
            world.check(replace(world.bare, events=data))


def test_whose_keys_count_says_the_auditor_and_not_the_bundle(world: World) -> None:
    keys = tuple(key for key in world.trust.keys if key.name != "eve")
    with pytest.raises(TrustError, match=r"Not counted: Eve Ray .* does not name"):
        world.check(world.bare, Trust(keys=keys))
    keys = tuple(key for key in world.trust.keys if key.name != "clock")
    with pytest.raises(TrustError, match="does not name"):
        world.check(world.whole, Trust(keys=keys))


def deployed(events: Sequence[Event], **changes: Any) -> list[Event]:
    """Return a promotion that an executor carried, and that took two days: longer than an approval counts."""
    *known, last = events
    fact = last.fact
    assert isinstance(fact, Promoted)
    start = DeploymentStarted(
        deployment="d1",
        purpose="promotion",
        environment=fact.environment,
        candidate=fact.candidate,
        previous=None,
        run=fact.run,
        by=fact.by,
        reason="",
        executor="command",
        steps=(),
        place="here",
    )
    begun = msgspec.structs.replace(last, fact=msgspec.structs.replace(start, **changes))
    ended = msgspec.structs.replace(fact, deployment="d1")
    return [*known, begun, msgspec.structs.replace(last, fact=ended, at=last.at + timedelta(days=2))]


def test_a_deployment_had_to_be_allowed_when_it_began(world: World) -> None:
    events = read_segment(world.bare.events)
    found = world.check(replace(world.bare, events=rechained(deployed(events)))).told
    assert [type(event.fact).__name__ for event in found.about][-2:] == ["DeploymentStarted", "Promoted"]
    late = [*events[:-1], msgspec.structs.replace(events[-1], at=events[-1].at + timedelta(days=2))]
    for wrong in (deployed(events, deployment="d2"), deployed(events, run="other"), late):
        with pytest.raises(TrustError, match="which its own rules forbade"):
            world.check(replace(world.bare, events=rechained(wrong)))
    with pytest.raises(TrustError, match="began to deploy something else"):
        world.check(replace(world.bare, events=rechained(deployed(events, environment="dev"))))


def test_an_event_of_a_deployment_is_found_by_its_name(world: World) -> None:
    events = read_segment(world.bare.events)
    run = world.check(world.bare).verdict.run
    started = msgspec.structs.replace(
        events[-1], fact=msgspec.structs.replace(events[-1].fact, deployment="d1")
    )
    later = DeploymentUndone(deployment="d1", environment="staging", by="x", because="y")
    other = DeploymentUndone(deployment="d2", environment="staging", by="x", because="y")
    more = [msgspec.structs.replace(started, fact=fact) for fact in (later, other)]
    found = about_run([*events[:-1], started, *more], run)
    assert [event.fact for event in found][-2:] == [started.fact, later]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_damaged_events_are_refused_in_words(world: World, data: st.DataObject) -> None:
    content = bytearray(world.whole.events)
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(TrustError, match="does not hold together"):
        world.check(replace(world.whole, events=bytes(content)))


def test_a_bundle_of_a_shorter_route_is_no_yes_to_who_asks_for_the_normal_one(tmp_path: Path) -> None:
    signing = Signing(tmp_path)
    project, signed = signing.project, ("--environment", "staging", "--sign", str(signing.key))
    route = '[environment.staging.route.hotfix]\ngates = ["smoke"]\nfull_within = "24 h"\n'
    project.write("gates/environments.toml", f'schema = 1\npath = ["staging"]\n{route}')
    on = ("--route", "hotfix")
    assert project.run("--gate-part", "--gate-evidence", "part.jsonl", "--gate-route", "hotfix").status == 0
    assert project.cli("decide", *signed, *on, "part.jsonl").status == 0
    *_, summary = signing.envelopes.read_text().splitlines()
    statement = json.loads(base64.b64decode(json.loads(summary)["payload"]))
    assert statement["predicate"]["resourceUri"].endswith("?route=hotfix")
    assert project.cli("promote", "--to", "staging", *on).status == 0
    run, file = project.runs()[-1].started.run, tmp_path / "run.zip"
    assert project.cli("bundle", run, "--output", str(file)).status == 0
    refused = project.cli("verify", "--bundle", str(file))
    assert (refused.status, "for the route hotfix, and --route asks for normal" in refused.output) == (
        1,
        True,
    )
    found = project.cli("verify", "--bundle", str(file), *on)
    assert (found.status, "PROMOTE on route hotfix" in found.output) == (0, True), found.output
    bundle = read_bundle(file)
    keys = read_keys(project.root / "gates/trust.toml")
    events = changed(read_segment(bundle.events), Promoted, route=msgspec.UNSET, full_within_s=msgspec.UNSET)
    with pytest.raises(TrustError, match="another route than hotfix"):
        checked(replace(bundle, events=rechained(events)), keys, FILE)
