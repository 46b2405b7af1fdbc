"""``release-gates waive`` writes a whole entry or nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from release_gates.testing import GateProject

TODAY = datetime.now(UTC).date()
OPTIONS = {
    "environment": "staging",
    "gate": "smoke",
    "limit": "order.time",
    "bound": "<= 6 ms",
    "reason": 'the "new" check \\ costs',
    "ticket": "OPS-1",
    "owner": "ann",
    "approver": "bob",
    "expires": str(TODAY + timedelta(days=7)),
}


@pytest.fixture
def project(tmp_path: Path) -> GateProject:
    made = GateProject(tmp_path)
    made.limits("smoke", {"order.time": "<= 5 ms"})
    made.write(
        "suites/test_smoke.py",
        """
        import pytest
        pytestmark = pytest.mark.gate("smoke")

        def test_speed(gate):
            gate.measure("order.time", 6, "ms")
        """,
    )
    made.expect(["suites/test_smoke.py::test_speed"])
    return made


def words(name: str = "slow", **changes: str | None) -> list[str]:
    stated = {key: value for key, value in {**OPTIONS, **changes}.items() if value is not None}
    return ["waive", name, *(word for key, value in stated.items() for word in (f"--{key}", value))]


def test_it_writes_an_entry_that_counts_and_keeps_what_was_there(project: GateProject) -> None:
    project.write("gates/waivers.toml", "# ours\nschema = 1\n")
    result = project.cli(*words())
    assert result.status == 0, result.output
    text = (project.root / "gates/waivers.toml").read_text()
    assert text.startswith("# ours\n")
    assert project.cli("check").status == 0
    assert project.run().status == 0
    second = project.cli("--json", *words("more", candidate=None, versions="2.0 .. 2.1"))
    assert json.loads(second.output)["versions"] == ["2.0", "2.1"]
    assert (project.root / "gates/waivers.toml").read_text().startswith(text)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"approver": "Ann"}, "its owner and its approver. "),
        ({"expires": str(TODAY - timedelta(days=1))}, "it expired at"),
        ({"expires": str(TODAY + timedelta(days=31))}, "lasts 31 days"),
        ({"expires": "soon"}, "is no day"),
        ({"bound": None}, "it has no bound"),
        ({"bound": ">= 0 ms"}, "is no bound for <= 5 ms"),
        ({"bound": "<= 6"}, "has no unit"),
        ({"limit": "order.tim"}, "Did you mean 'order.time'?"),
        ({"limit": None, "bound": None, "test": "t::a"}, "it names no fingerprint"),
        ({"gate": "smok"}, "Did you mean 'smoke'?"),
        ({"reason": ""}, "must be a text that is not empty"),
        ({"reason": "a\nb"}, "printable characters"),
        ({"ticket": None}, "Missing option '--ticket'"),
        ({"owner": None}, "Missing option '--owner'"),
        ({"candidate": "a" * 64, "versions": "1.0"}, "not both"),
    ],
)
def test_it_refuses_and_writes_nothing(
    project: GateProject, changes: dict[str, str | None], says: str
) -> None:
    result = project.cli(*words(**changes))
    assert (result.status, says in " ".join(result.output.split())) == (2, True), result.output
    assert not (project.root / "gates/waivers.toml").exists()


def test_a_name_or_a_limit_is_waived_once(project: GateProject) -> None:
    assert project.cli(*words()).status == 0
    before = (project.root / "gates/waivers.toml").read_text()
    same = project.cli(*words())
    assert (same.status, "waivers.toml" in same.output) == (2, True), same.output
    wider = project.cli(*words("wider", bound="<= 9 ms"))
    assert (wider.status, "a second one never widens it" in " ".join(wider.output.split())) == (2, True)
    assert (project.root / "gates/waivers.toml").read_text() == before
