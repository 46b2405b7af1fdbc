"""The gate on a plan: what a run says of a good one, of planted defects, and of what is no evidence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fixtures.trading_system.deploy.plan import DEFECTS, FILE, FOLDER, made_at, plan_artifacts
from release_gates.errors import CandidateError, MeasurementError
from release_gates.probes.terraform.assessment import COUNTS, GateTerraform, Plans
from release_gates.probes.terraform.catalogue import ids
from release_gates.testing import GateProject

from .conftest import DATA, SAVED

NAMES = tuple(f"terraform.{name}" for name in COUNTS)


class StandIn:
    """The fixture ``gate``; it keeps what is told."""

    def __init__(self, root: Path, defect: str | None = None, **said: Any) -> None:
        self.rootdir = FOLDER.parent
        self.candidate = self
        self.told: dict[str, Any] = {}
        self._root = root
        self._said = {"plan": FILE, "folder": "terraform", **said}
        plan_artifacts(root, defect)

    def artifact(self, name: str) -> Path:
        if not (self._root / name).exists():
            raise CandidateError(f"no artifact {name}.", slug="unknown-artifact")
        return self._root / name

    def settings(self, kind: type[Any]) -> Any:
        return msgspec.convert(self._said, kind)

    def measure(self, name: str, value: float, unit: str, *, samples: int | None = None) -> None:
        assert samples, "nothing was looked at"
        assert unit == "count"
        self.told[name] = value

    def missing(self, name: str, because: str) -> None:
        self.told[name] = f"MISSING {because}"

    def not_applicable(self, name: str, because: str) -> None:
        self.told[name] = f"WARN {because}"


def looked(root: Path, defect: str | None = None, **said: Any) -> tuple[GateTerraform, StandIn]:
    gate = StandIn(root, defect, **said)
    return GateTerraform(gate, Plans(clock=lambda: made_at() + timedelta(hours=1))), gate


def failing(probe: GateTerraform) -> Iterator[str]:
    for rule in ids():
        try:
            probe.check(rule)
        except AssertionError:
            yield rule


def test_what_is_measured_of_a_good_plan(tmp_path: Path) -> None:
    probe, gate = looked(tmp_path)
    assert not list(failing(probe))
    assert gate.told == {}
    probe.measure()
    assert gate.told == dict(zip(NAMES, (14, 18, 0, 0, 0, 0), strict=True))


@pytest.mark.parametrize(
    "defect", [name for name, one in DEFECTS.items() if one.rule and "unknown" not in name]
)
def test_a_planted_defect_fails_its_rule_alone(defect: str, tmp_path: Path) -> None:
    assert list(failing(looked(tmp_path, defect)[0])) == [DEFECTS[defect].rule]


@pytest.mark.parametrize("defect", ["tf_stale", "tf_empty"])
def test_a_plan_that_is_no_evidence_is_missing_and_no_rule_passes(defect: str, tmp_path: Path) -> None:
    probe, gate = looked(tmp_path, defect)
    for rule in ids():
        with pytest.raises(pytest.skip.Exception):
            probe.check(rule)
    probe.measure()
    assert gate.told.keys() == set(NAMES)
    assert all(str(told).startswith("MISSING the plan ") for told in gate.told.values())


def test_a_value_that_is_known_after_apply_is_an_error_and_no_rule_counts_as_decided(tmp_path: Path) -> None:
    probe, gate = looked(tmp_path, "tf_encryption_unknown")
    with pytest.raises(
        MeasurementError, match=r"journal encrypted cannot be decided: it is known after apply"
    ):
        probe.check("TF06")
    probe.measure()
    assert gate.told["terraform.decided"] == "MISSING TF06 could not be decided"


def test_an_old_plan_that_breaks_a_rule_says_so(tmp_path: Path) -> None:
    """What is wrong is wrong, however old the plan is."""
    probe, _ = looked(tmp_path, "tf_plain_journal", plan_hours=0.5)
    with pytest.raises(AssertionError, match="TF06"):
        probe.check("TF06")
    with pytest.raises(pytest.skip.Exception, match=r"more than 0\.5 h ago"):
        probe.check("TF01")


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"plan": "other.json"}, "no artifact"),
        ({"saved": "plan.tfplan"}, "no artifact"),
        ({"saved": FILE}, "no whole saved plan"),
        ({"folder": "kubernetes"}, "has no Terraform source"),
        ({"folder": "nowhere"}, "has no Terraform source"),
    ],
)
def test_what_is_not_there_is_an_error(said: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    probe, _ = looked(tmp_path, **said)
    for ask in (lambda: probe.check("TF01"), probe.measure, probe.measure):
        with pytest.raises((MeasurementError, CandidateError), match=sentence):
            ask()


def test_a_plan_of_another_format_is_an_error(tmp_path: Path) -> None:
    probe, _ = looked(tmp_path, "tf_other_format")
    with pytest.raises(MeasurementError, match=r"is '2\.0', and this reads 1\.0, 1\.1, 1\.2 only"):
        probe.check("TF01")
    with pytest.raises(MeasurementError, match="format_version"):
        probe.measure()


def test_policy_says_what_a_rule_is_worth_and_which_are_off(tmp_path: Path) -> None:
    probe, gate = looked(
        tmp_path, "tf_plain_journal", severity={"TF06": "low"}, off={"TF12": "locked elsewhere"}
    )
    assert not list(failing(probe))
    assert gate.told == {"rule.TF12": "WARN locked elsewhere"}
    probe.measure()
    assert [gate.told[name] for name in NAMES] == [14, 17, 1, 0, 1, 0]


@pytest.mark.parametrize(
    "said",
    [
        *({"off": {"TF1": "no reason at all"}}, {"off": {"TF01": "no"}}, {"severity": {"TF19": "low"}}),
        *({"folder": "../x"}, {"folder": ""}, {"plan": ""}, {"plan_hours": 0}, {"backup_days": 0}),
        *({"protected": ["*"]}, {"open_ports": {"a.b": [0]}}, {"open_ports": {"a.b": []}}, {"kinds": [""]}),
        {
            "exempt": [
                {
                    "rule": "TF01",
                    "address": "*",
                    "because": "of a reason",
                    "owner": "me",
                    "until": "2026-01-01",
                }
            ]
        },
        {
            "exempt": [
                {"rule": "TF01", "address": "a.b", "because": "no", "owner": "me", "until": "2026-01-01"}
            ]
        },
    ],
)
def test_policy_that_makes_no_sense_is_refused(said: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(msgspec.ValidationError):
        looked(tmp_path, **said)


def test_a_rule_that_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="no rule bears the name TF99"):
        looked(tmp_path)[0].check("TF99")


def test_a_project_of_its_own_is_held_for_a_real_plan(tmp_path: Path) -> None:
    """A team's own plan, sources and saved plan, as Terraform wrote them; under xdist."""
    project = GateProject(tmp_path)
    project.write("conftest.py", 'pytest_plugins = ["release_gates.probes.terraform.fixtures"]\n')
    for name in ("main.tf", "module/main.tf"):
        project.write(f"infra/{name}", (DATA / "sources" / name).read_text())
    project.write(
        "gates/staging.toml",
        'schema = 1\n[gate.terraform]\nowner = "me"\n[gate.terraform.terraform]\nplan = "plan.json"\n'
        'saved = "plan.tfplan"\nfolder = "infra"\nplan_hours = 1\n'
        '[gate.terraform.limits]\n"terraform.destroyed" = "== 0 count"\n',
    )
    suite = Path(__file__).parents[4] / "suites/infra/test_iac.py"
    project.write("suites/test_iac.py", suite.read_text())
    files = [f"--artifact={name}={name}" for name in ("plan.json", "plan.tfplan")]
    (tmp_path / "plan.json").write_bytes((DATA / "plan.json").read_bytes())
    (tmp_path / "plan.tfplan").write_bytes(SAVED)
    made = project.cli(
        "candidate", "create", "--name", "infra", "--version", "1.0.0", "--commit", "0123abc", *files
    )
    assert made.status == 0, made.output
    names = [*(f"test_rule[{rule}]" for rule in ids()), "test_what_was_judged"]
    project.expect([f"suites/test_iac.py::{name}" for name in names], gate="terraform")
    run = project.run(workers=2)
    assert not run.promotes
    assert "TF15 (critical)" in run.sentences
