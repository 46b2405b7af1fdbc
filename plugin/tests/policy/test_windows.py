"""Windows, freezes and soak in policy: every mistake with its place, and what they hold."""

from __future__ import annotations

import sys
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.errors import PolicyError
from release_gates.model.gate import EnvironmentPolicy
from release_gates.model.timetable import Freeze, Sessions, Soak, Window
from release_gates.policy.load import policy_from_snapshot

GATES = {
    "/tool": "test 1",
    "staging.toml": 'schema = 1\n[gate.smoke]\nowner = "me"\n',
    "production.toml": 'schema = 1\nextends = "staging"\n',
}
PATH = 'schema = 1\npath = ["staging", "production"]\n'
WINDOW = '[environment.production.window]\nzone = "America/New_York"\n'
FREEZE = 'schema = 1\nzone = "Europe/London"\n[freeze.year_end]\n'
DAYS = 'from = 2026-12-18\nuntil = 2027-01-03\nreason = "close"\n'


def production(text: str = "", freezes: str | None = None) -> EnvironmentPolicy:
    files = {**GATES, "environments.toml": PATH + text}
    policy = policy_from_snapshot(files if freezes is None else {**files, "freezes.toml": freezes})
    found = policy.environment("production")
    assert found is not None
    return found


def test_what_a_policy_says() -> None:
    found = production(
        "[[environment.production.window]]\n"
        'zone = "America/New_York"\ndays = ["Thu", "Tue"]\nfrom = "22:00"\nuntil = "04:30"\n'
        'sessions = { calendars = ["XNYS", "XLON"], when = "outside", margin = "1 h", session_days = true }\n'
        '[[environment.production.window]]\nzone = "UTC"\nfrom = "12:00"\nuntil = "24:00"\n'
        '[environment.production.soak]\nin = "staging"\nfor = "36 h"\n',
        FREEZE + DAYS,
    )
    night, noon = found.windows
    assert night == Window(
        zone="America/New_York",
        days=(1, 3),
        begins_min=22 * 60,
        ends_min=28 * 60 + 30,
        sessions=Sessions(calendars=("XNYS", "XLON"), when="outside", margin_s=3600.0, session_days=True),
    )
    assert night.text == "Tue, Thu, 22:00 to 04:30"
    assert (noon, noon.text) == (Window(zone="UTC", begins_min=720), "every day, 12:00 to 24:00")
    assert found.soak == Soak(environment="staging", for_s=36 * 3600.0)
    assert found.freezes == (
        Freeze(
            name="year_end",
            zone="Europe/London",
            begins=datetime(2026, 12, 18),
            ends=datetime(2027, 1, 4),
            reason="close",
            environments=("staging", "production"),
        ),
    )


def test_a_freeze_holds_what_it_names_and_a_time_may_have_its_offset() -> None:
    times = "from = 2026-12-18T18:00:00+02:00\nuntil = 2026-12-18T17:00:00Z\n"
    text = f'{FREEZE}{times}reason = "close"\nenvironments = ["production"]\n'
    (freeze,) = production(freezes=text).freezes
    assert (freeze.begins, freeze.ends) == (
        datetime(2026, 12, 18, 16, tzinfo=UTC),
        datetime(2026, 12, 18, 17, tzinfo=UTC),
    )
    staging = policy_from_snapshot({**GATES, "environments.toml": PATH, "freezes.toml": text}).environment(
        "staging"
    )
    assert staging is not None
    assert staging.freezes == ()


MISTAKES = [
    ("[environment.production.window]\n", "window.zone: is absent. Name an IANA zone", "zone"),
    (WINDOW.replace("New_York", "New_Yrok"), "is no IANA zone. Did you mean 'America/New_York'?", "zone"),
    (WINDOW.replace("America/New_York", "EST"), "is no IANA zone", "zone"),
    (WINDOW.replace("America/New_York", "America"), "is no IANA zone", "zone"),
    (WINDOW.replace("America/New_York", "right/UTC"), "is no IANA zone", "zone"),
    (WINDOW.replace("America/New_York", "../../etc/passwd"), "is no IANA zone", "zone"),
    (WINDOW + 'untill = "14:00"\n', "unknown key 'untill'. Did you mean 'until'?", "unknown-key"),
    (WINDOW + 'days = ["Tues"]\n', "'Tues' is not known. Did you mean 'Tue'?", "window"),
    (WINDOW + 'days = ["mon"]\n', "'mon' is not known. Did you mean 'Mon'?", "window"),
    (WINDOW + 'days = "Mon"\n', 'must be a list: ["Mon", "Tue"]', "window"),
    (WINDOW + "days = []\n", "must be a list", "window"),
    (WINDOW + 'days = ["Mon", "Mon"]\n', "names one of them twice", "window"),
    (WINDOW + 'from = "10:00"\n', "must say both `from` and `until`, or neither", "window"),
    (WINDOW + 'from = "10:00"\nuntil = "10:00"\n', "until = \"10:00\": is `from` again", "window"),
    (WINDOW + 'from = "9:00"\nuntil = "10:00"\n', 'must be a time of day in hours and minutes: "09:30"', "window"),
    (WINDOW + 'from = "24:00"\nuntil = "10:00"\n', "is the end of a day", "window"),
    (WINDOW + 'from = "10:00"\nuntil = "24:01"\n', "must be a time of day", "window"),
    (WINDOW + 'from = 10:00:00\nuntil = "11:00"\n', "must be a text", "wrong-type"),
    (WINDOW + 'sessions = "XNYS"\n', "must be a table", "wrong-type"),
    (WINDOW + 'sessions = { calendars = ["XNYS"] }\n', 'must be "inside" or "outside"', "window"),
    (WINDOW + 'sessions = { calendars = ["XNYS"], when = "out" }\n', 'must be "inside" or "outside"', "window"),
    (WINDOW + 'sessions = { when = "outside" }\n', 'must be a list: ["XNYS", "XLON"]', "window"),
    (WINDOW + 'sessions = { calendars = ["N Y"], when = "outside" }\n', "'N Y' is no code of an exchange", "window"),
    (WINDOW + 'sessions = { calendars = ["XNYS"], when = "outside", margin = "90 s" }\n', "must be whole minutes", "window"),
    (WINDOW + 'sessions = { calendars = ["XNYS"], when = "outside", margin = "8 d" }\n', "at most 7 d", "window"),
    (WINDOW + 'sessions = { calendars = ["XNYS"], when = "outside", margin = "1" }\n', "is no duration", "duration"),
    (WINDOW + 'sessions = { calendars = ["XNYS"], when = "outside", margins = "1 h" }\n', "Did you mean 'margin'?", "unknown-key"),
    (WINDOW + 'sessions = { calendars = ["XNYS"], when = "outside", session_days = 1 }\n', "must be true or false", "wrong-type"),
    ("[environment.production]\nwindow = []\n", "is an empty list", "window"),
    ("[environment.production]\nwindow = [3]\n", "window.0 = 3: must be a table: [[environment.production.window]]", "wrong-type"),
    ('[environment.production]\nwindow = "10:00"\n', "must be a table", "wrong-type"),
    ('[environment.production.windows]\nzone = "UTC"\n', "unknown key 'windows'. Did you mean 'window'?", "unknown-key"),
    ('[environment.production.soak]\nfor = "1 h"\n', "soak.in: is absent", "missing-key"),
    ('[environment.production.soak]\nin = "staging"\n', "soak.for: is absent", "missing-key"),
    ('[environment.production.soak]\nin = "stagin"\nfor = "1 h"\n', "Did you mean 'staging'?", "soak"),
    ('[environment.production.soak]\nin = "production"\nfor = "1 h"\n', "comes earlier on the path", "soak"),
    ('[environment.staging.soak]\nin = "production"\nfor = "1 h"\n', "comes earlier on the path", "soak"),
    ('[environment.production.soak]\nin = "staging"\nfor = "0 h"\n', "must be longer than zero", "duration"),
    ('[environment.production.soak]\nin = "staging"\nfro = "1 h"\n', "Did you mean 'for'?", "unknown-key"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says", "slug"), MISTAKES)
def test_mistakes_in_windows_and_soak(text: str, says: str, slug: str) -> None:
    with pytest.raises(PolicyError) as found:
        production(text)
    assert says in str(found.value)
    assert f"[{slug}]" in str(found.value)
    assert "gates/environments.toml: environment." in str(found.value)


FREEZES = [
    ("schema = 1\n", "zone: is absent", "zone"),
    ('zone = "UTC"\n', "schema: is absent", "schema"),
    (FREEZE + DAYS.replace("reason", "reson"), "Did you mean 'reason'?", "unknown-key"),
    (FREEZE + 'from = 2026-12-18\nreason = "x"\n', "until: is absent", "missing-key"),
    (FREEZE + DAYS.replace("2027-01-03", "2026-12-17"), "does not lie after `from`", "freeze"),
    (FREEZE + DAYS.replace("2027-01-03", '"2027-01-03"'), "must be a day", "wrong-type"),
    (FREEZE + DAYS.replace("2027-01-03", "9999-12-31"), "of this age", "wrong-type"),
    (FREEZE + DAYS.replace("2027-01-03", "2027-01-03T10:00:00Z"), "must both have an offset", "freeze"),
    (FREEZE + DAYS.replace('"close"', '""'), "a text that is not empty", "wrong-type"),
    (FREEZE + DAYS.replace('"close"', '"a\\nb"'), "must be one line", "freeze"),
    (FREEZE + DAYS + 'environments = ["productio"]\n', "Did you mean 'production'?", "freeze"),
    (FREEZE + DAYS + "environments = []\n", "must list them", "freeze"),
    (FREEZE.replace("year_end", "Year") + DAYS, "is no name of a freeze", "freeze"),
    (FREEZE.replace("freeze.", "freezes.") + DAYS, "Did you mean 'freeze'?", "unknown-key"),
    (FREEZE.replace("Europe/London", "Europe/Londn") + DAYS, "Did you mean 'Europe/London'?", "zone"),
    ("schema = ", "Invalid value", "toml-syntax"),
]


@pytest.mark.parametrize(("text", "says", "slug"), FREEZES)
def test_mistakes_in_freezes(text: str, says: str, slug: str) -> None:
    with pytest.raises(PolicyError) as found:
        production(freezes=text)
    assert says in str(found.value)
    assert f"[{slug}]" in str(found.value)
    assert "gates/freezes.toml: " in str(found.value)


def test_a_freeze_changes_the_rules_and_no_environment_bears_its_name() -> None:
    digests = {
        policy_from_snapshot({**GATES, "environments.toml": PATH, **more}).digest
        for more in ({}, {"freezes.toml": FREEZE + DAYS})
    }
    assert len(digests) == 2
    with pytest.raises(PolicyError, match="'freezes' is the name of another file"):
        policy_from_snapshot({**GATES, "environments.toml": 'schema = 1\npath = ["freezes"]\n'})


@pytest.fixture
def no_zone_data(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("tzdata", *(each for each in sys.modules if each.startswith("tzdata."))):
        monkeypatch.setitem(sys.modules, name, None)
    zoneinfo.reset_tzpath(to=())
    zoneinfo.ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath()
    zoneinfo.ZoneInfo.clear_cache()


@pytest.mark.usefixtures("no_zone_data")
def test_a_host_without_zone_data_still_reads_the_policy() -> None:
    assert production(WINDOW).windows == (Window(zone="America/New_York"),)
    with pytest.raises(PolicyError, match="is no IANA zone"):
        production(WINDOW.replace("America/New_York", "EST"))


WORDS = st.sampled_from(
    ["zone", "days", "from", "until", "sessions", "in", "for", "x", "calendars", "when", "margin"]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["UTC", "10:00", "24:00", "XNYS", "1 h"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=8,
)


def toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(c if c.isalnum() or c in " :/" else "" for c in value) + '"'
    return {None: "2026-12-01", True: "true", False: "false"}.get(value, str(value))  # type: ignore[call-overload]


@given(VALUES, VALUES)
def test_whatever_stands_there_is_a_policy_or_a_list_of_mistakes(window: object, soak: object) -> None:
    try:
        found = production(f"[environment.production]\nwindow = {toml(window)}\nsoak = {toml(soak)}\n")
    except PolicyError:
        return
    assert found.windows
    assert found.soak is not None
    assert all(0 <= w.begins_min < w.ends_min <= w.begins_min + 1440 for w in found.windows)
