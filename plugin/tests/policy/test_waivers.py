"""``waivers.toml``: every mistake with its place; what it holds, with days as people mean them."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.errors import PolicyError
from release_gates.model.gate import Policy
from release_gates.policy.load import policy_from_snapshot
from release_gates.policy.review import review
from release_gates.policy.snapshot import Snapshot

SNAPSHOT: Snapshot = {
    "/tool": "test 1",
    "environments.toml": 'schema = 1\npath = ["staging", "production"]\n'
    "[environment.staging]\nmax_waiver_days = 14\n",
    "staging.toml": 'schema = 1\n[gate.load]\nowner = "me"\nunwaivable = true\n[gate.load.limits]\n'
    '"order.p95" = "<= 5 ms"\n"*.rate" = "<= 1 %"\n',
    "production.toml": 'schema = 1\nextends = "staging"\n[gate.load]\nunwaivable = false\n',
}
ENTRY = {
    "environment": '"staging"',
    "gate": '"load"',
    "limit": '"order.p95"',
    "candidate": f'"{"a" * 64}"',
    "bound": '"<= 6 ms"',
    "reason": '"known"',
    "ticket": '"OPS-1"',
    "owner": '"ann"',
    "approver": '"bob"',
    "created": "2026-12-01",
    "expires": "2026-12-08",
}


def policy(text: str) -> Policy:
    return policy_from_snapshot({**SNAPSHOT, "waivers.toml": text})


def entry(**changes: str) -> str:
    lines = (f"{key} = {value}\n" for key, value in (ENTRY | changes).items() if value)
    return f"schema = 1\n[waiver.slow]\n{''.join(lines)}"


def test_no_file_is_no_waiver_and_a_file_is_part_of_the_rules() -> None:
    without = policy_from_snapshot(SNAPSHOT)
    assert without.waivers == ()
    assert len({without.digest, policy(entry()).digest, policy(entry(owner='"eve"')).digest}) == 3


def test_a_day_is_a_whole_day_in_utc() -> None:
    (waiver,) = policy(entry()).waivers
    assert (waiver.name, waiver.subject, waiver.bounds) == ("slow", "order.p95", "<= 6 ms")
    assert waiver.created == datetime(2026, 12, 1, tzinfo=UTC)
    assert waiver.expires == datetime(2026, 12, 9, tzinfo=UTC)
    assert waiver.until == "the end of 2026-12-08 (UTC)"
    (moment,) = policy(entry(expires="2026-12-08T19:00:00+01:00")).waivers
    assert moment.until == "2026-12-08 18:00:00 UTC"


def test_settings_of_waivers() -> None:
    staging, production = policy_from_snapshot(SNAPSHOT).environments
    assert (staging.max_waiver_days, production.max_waiver_days) == (14, 30)
    assert [env.gates[0].unwaivable for env in (staging, production)] == [True, False]
    remarks = [str(remark) for remark in review(policy_from_snapshot(SNAPSHOT))]
    assert "production, gate load: may be waived, the parent's may not" in remarks


MISTAKES = [
    ({"limit": ""}, "must name either limit or test, and names neither"),
    ({"test": '"t::a"'}, "must name either limit or test, not both"),
    ({"candidate": ""}, "must name either candidate or versions"),
    ({"versions": '"1.0"'}, "must name either candidate or versions, not both"),
    ({"candidate": '"abc"'}, "must be 64 hexadecimal digits"),
    ({"candidate": "", "versions": '">= 1.4"'}, "both ends of a range"),
    ({"candidate": "", "versions": '"1.4 .. 1.3"'}, "is an empty range"),
    ({"limit": '"order.p95x"'}, "gate load has no such limit. Did you mean 'order.p95'?"),
    ({"limit": '"order.*"'}, "names one measurement, and no pattern"),
    ({"gate": '"laod"'}, "Did you mean 'load'?"),
    ({"environment": '"stagin"'}, "Did you mean 'staging'?"),
    ({"fingerprint": f'"{"a" * 32}"'}, "bounds a test, and this waiver names none"),
    ({"limit": "", "test": '"t::a"'}, "bounds a limit, and this waiver names none"),
    ({"bound": '"620 ms"'}, "has no comparison"),
    ({"bound": '"<= 6 mss"'}, "Did you mean 'ms'?"),
    ({"reason": '" "'}, "must be a text that is not empty"),
    ({"reason": '"a\\u001b[31mb"'}, "one line of at most 300 printable characters"),
    ({"created": '"2026-12-01"'}, "without quotes"),
    ({"expires": "2026-12-08T12:00:00"}, "a time with its offset"),
    ({"expirs": "2026-12-08"}, "Did you mean 'expires'?"),
    *(({key: ""}, "is absent") for key in ("reason", "ticket", "owner", "approver", "created", "expires")),
]


@pytest.mark.parametrize(("changes", "says"), MISTAKES)
def test_a_mistake_stops_the_run_and_says_where(changes: dict[str, str], says: str) -> None:
    with pytest.raises(PolicyError) as found:
        policy(entry(**changes))
    assert says in str(found.value)
    assert "gates/waivers.toml: waiver.slow" in str(found.value)


def test_several_mistakes_are_reported_at_once() -> None:
    with pytest.raises(PolicyError) as found:
        policy(entry(bound='"x"', owner="1").replace("schema = 1", "schema = 2"))
    assert str(found.value).startswith("The policy has 3 mistakes")


VALUES = st.sampled_from(
    [
        '""',
        '"x"',
        "1",
        "true",
        "[]",
        "{}",
        "2026-12-01",
        "nan",
        '"<= 1 ms"',
        "9999-12-31",
        "2026-12-01T00:00:00Z",
    ]
)


@given(st.dictionaries(st.sampled_from([*ENTRY, "test", "versions", "fingerprint", "baseline"]), VALUES))
def test_whatever_stands_there_is_a_waiver_or_a_mistake(changes: dict[str, str]) -> None:
    try:
        found = policy(entry(**changes))
    except PolicyError:
        return
    (waiver,) = found.waivers
    assert bool(waiver.limit) is not bool(waiver.test)
    assert all((waiver.reason, waiver.ticket, waiver.owner, waiver.approver))


@given(st.text(max_size=60), st.integers(0, 400), st.integers(0, 40))
def test_a_damaged_file_is_never_a_crash(noise: str, at: int, length: int) -> None:
    text = entry()
    damaged = text[:at] + noise + text[at + length :]
    try:
        found = policy(damaged)
    except PolicyError:
        return
    assert len(found.waivers) <= 2
    assert all(one.name != other.name for one, other in pairwise(found.waivers))
