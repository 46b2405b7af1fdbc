"""Plans and sources as they come: what Terraform 1.11 really wrote, and everything that is no evidence."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fixtures.trading_system.deploy.plan import reference_plan
from release_gates.errors import GateError, MeasurementError
from release_gates.probes.terraform import plan as form
from release_gates.probes.terraform import sources as files
from release_gates.probes.terraform.assessment import stale
from release_gates.probes.terraform.judging import judge_plan
from release_gates.probes.terraform.plan import Plan, read_plan
from release_gates.probes.terraform.sources import differing, read_folder, read_saved

from .conftest import DATA, MADE, SAVED, SOURCES, TODAY, broken, policy

REAL = (DATA / "plan.json").read_bytes()
SLOW = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))


def read(**changed: Any) -> Plan:
    return read_plan("plan.json", json.dumps({**reference_plan(MADE), **changed}).encode())


# -- what Terraform wrote -------------------------------------------------------------------------


def test_a_real_plan_is_read_whole_and_judged() -> None:
    """Made by Terraform 1.11.4 of `data/sources` with its own provider: two hosts replaced, a sensitive value."""
    plan, sources = read_plan("plan.json", REAL), read_folder(DATA / "sources")
    report = judge_plan(plan, sources, policy(protected=["module.host*"]), TODAY)
    assert report.resources == 4
    assert broken(report) == {"TF01", "TF14", "TF15"}
    assert not report.doubts
    replaced = [one.about.address for one in report.findings if one.rule.id == "TF01"]
    assert replaced == ['module.host["a"].terraform_data.host', 'module.host["b"].terraform_data.host']
    assert "nobody-may-read-this" not in str(report.findings)


def test_a_saved_plan_shows_which_sources_it_was_made_of(tmp_path: Path) -> None:
    plan, saved = read_plan("plan.json", REAL), read_saved("plan.tfplan", SAVED)
    made = plan.timestamp
    assert made is not None
    assert not stale(plan, read_folder(DATA / "sources"), saved, now=made, hours=1)
    shutil.copytree(DATA / "sources", tmp_path / "infra")
    changed = tmp_path / "infra/module/main.tf"
    changed.write_text(changed.read_text().replace("var.name", '"x"', 1))
    os.utime(changed, (0, 0))
    sources = read_folder(tmp_path / "infra")
    assert differing(saved, sources) == ("module/main.tf",)
    assert "others now: module/main.tf" in stale(plan, sources, saved, now=made, hours=1)
    (tmp_path / "infra/more.tf").write_text('resource "terraform_data" "x" {\n}\n')
    (tmp_path / "infra/.terraform.lock.hcl").write_text(
        'provider "a/b/c" {\n  version = "1.0.0"\n  hashes = ["x"]\n}\n'
    )
    assert differing(saved, read_folder(tmp_path / "infra")) == (
        ".terraform.lock.hcl",
        "module/main.tf",
        "more.tf",
    )


def test_a_saved_plan_of_another_moment_is_another_plan() -> None:
    document = json.loads(REAL)
    document["timestamp"] = "2026-11-21T00:00:00Z"
    plan = read_plan("plan.json", json.dumps(document).encode())
    assert plan.timestamp is not None
    because = stale(plan, read_folder(DATA / "sources"), read_saved("p", SAVED), now=plan.timestamp, hours=1)
    assert "they are two plans" in because


# -- what is no evidence --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "hours", "sentence"),
    [
        ({"resource_changes": [], "planned_values": {}, "prior_state": {}}, 0, "has no resource"),
        ({"timestamp": None}, 0, "does not say when"),
        ({"timestamp": "2026-11-20T00:00:00"}, 0, "does not say when"),
        ({"timestamp": "2026-11-20T12:00:00Z"}, 0, "in the future"),
        ({}, 49, "more than 48 h ago"),
    ],
)
def test_a_plan_that_is_no_evidence(changed: dict[str, Any], hours: int, sentence: str) -> None:
    plan = read(**changed)
    assert sentence in stale(plan, SOURCES, None, now=MADE + timedelta(hours=hours), hours=48)


def test_a_plan_before_its_sources_is_stale(tmp_path: Path) -> None:
    for name in ("main.tf", "site.auto.tfvars", ".terraform.lock.hcl"):
        folder = tmp_path / name
        shutil.copytree(DATA / "sources", folder)
        (folder / name).touch()
        for path in folder.rglob("*"):
            os.utime(path, (MADE.timestamp(), MADE.timestamp()))
        assert not stale(read(), read_folder(folder), None, now=MADE, hours=1)
        os.utime(folder / name, (MADE.timestamp() + 2, MADE.timestamp() + 2))
        assert name in stale(read(), read_folder(folder), None, now=MADE, hours=1)


def without(plan: dict[str, Any], kind: str) -> list[Any]:
    return [one for one in plan["resource_changes"] if one["type"] != kind]


GOOD = reference_plan(MADE)
CHANGE = GOOD["resource_changes"][0]
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no version": ({"format_version": None}, "terraform-plan-format"),
    "an old version": ({"format_version": "0.2"}, "terraform-plan-format"),
    "a newer version": ({"format_version": "1.3"}, "terraform-plan-format"),
    "an error": ({"errored": True}, "terraform-plan-not-whole"),
    "a target": ({"complete": False}, "terraform-plan-not-whole"),
    "deferred": ({"deferred_changes": [{}]}, "terraform-plan-not-whole"),
    "a target, by an older version": (
        {"resource_changes": without(GOOD, "aws_vpc"), "complete": None},
        "terraform-plan-not-whole",
    ),
    "two stories": (
        {"prior_state": {}, "resource_changes": without(GOOD, "aws_vpc")},
        "terraform-plan-unreadable",
    ),
    "twice": ({"resource_changes": [*GOOD["resource_changes"], CHANGE]}, "terraform-plan-unreadable"),
    "an unknown action": (
        {"resource_changes": [{**CHANGE, "change": {**CHANGE["change"], "actions": ["evict"]}}]},
        "terraform-plan-unreadable",
    ),
    "no action": (
        {"resource_changes": [{**CHANGE, "change": {**CHANGE["change"], "actions": []}}]},
        "terraform-plan-unreadable",
    ),
    "created and gone": (
        {"resource_changes": [{**CHANGE, "change": {**CHANGE["change"], "after": None}}]},
        "terraform-plan-unreadable",
    ),
    "a list of values": (
        {"resource_changes": [{**CHANGE, "change": {**CHANGE["change"], "after": []}}]},
        "terraform-plan-unreadable",
    ),
    "no configuration": ({"configuration": None}, "terraform-plan-unreadable"),
    "no list": ({"resource_changes": {}}, "terraform-plan-unreadable"),
    "an unknown status": ({"checks": [{"status": "fine"}]}, "terraform-plan-unreadable"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_plan_that_is_not_whole_or_not_a_plan_is_refused(name: str) -> None:
    changed, slug = REFUSED[name]
    with pytest.raises(MeasurementError) as error:
        read(**changed)
    assert error.value.slug == slug


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"[]", b"{}", b"\xff\xfe", b'{"format_version": "1.2"}', REAL[:-40], b"[" * 100_000),
        *(b'{"format_version": "1.2", "format_version": "1.2"}', b'{"format_version": NaN}'),
        b'{"format_version": "1.2", "resource_changes": [], "a": ' + b"[" * 70 + b"]" * 70 + b"}",
        b'{"format_version": "1.0", "values": {"root_module": {}}}',
    ],
)
def test_bytes_that_are_no_plan(data: bytes) -> None:
    with pytest.raises(MeasurementError) as error:
        read_plan("plan.json", data)
    assert error.value.slug.startswith("terraform-plan-")


def test_sizes_are_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(form, "MOST_BYTES", 1000)
    with pytest.raises(MeasurementError, match="are more than 1000"):
        read_plan("plan.json", REAL)
    monkeypatch.setattr(files, "MOST_SAVED_BYTES", 10)
    with pytest.raises(MeasurementError, match="more than a plan can"):
        read_saved("plan.tfplan", SAVED)
    (tmp_path / "main.tf").write_text("#" * 100)
    monkeypatch.setattr(files, "MOST_BYTES", 10)
    with pytest.raises(MeasurementError, match="larger than 10 bytes"):
        read_folder(tmp_path)
    monkeypatch.setattr(files, "MOST_FILES", 0)
    with pytest.raises(MeasurementError, match="more than 0 files"):
        read_folder(tmp_path)


@pytest.mark.parametrize("text", ["terraform {", "terraform = 1\n\x00", 'terraform {\n  backend "s3"\n'])
def test_sources_that_are_no_terraform(text: str, tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(text)
    with pytest.raises(MeasurementError) as error:
        read_folder(tmp_path)
    assert error.value.slug == "terraform-source-unreadable"


def test_a_folder_without_sources_a_link_and_a_cycle(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="has no Terraform source"):
        read_folder(tmp_path)
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "main.tf").write_text("terraform {\n}\n")
    assert set(read_folder(tmp_path).files) == {"main.tf"}
    (tmp_path / "other.tf").symlink_to(tmp_path / "main.tf")
    with pytest.raises(MeasurementError, match="a link"):
        read_folder(tmp_path)


@pytest.mark.parametrize("name", ["tfplan", "tfconfig/modules.json"])
def test_a_saved_plan_without_its_parts(name: str) -> None:
    kept = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(SAVED)) as old, zipfile.ZipFile(kept, "w") as new:
        for one in old.infolist():
            if one.filename != name:
                new.writestr(one, old.read(one))
    with pytest.raises(MeasurementError, match="has no plan"):
        read_saved("plan.tfplan", kept.getvalue())


# -- damage ---------------------------------------------------------------------------------------


def attempt(data: bytes) -> Plan | None:
    try:
        return read_plan("plan.json", data)
    except MeasurementError as error:
        assert error.slug.startswith("terraform-plan-")  # noqa: PT017
        return None


@SLOW
@given(data=st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    assert attempt(data) is None
    with pytest.raises(GateError):
        read_saved("plan.tfplan", data)


WORDS = st.sampled_from(
    ["format_version", "1.2", "resource_changes", "planned_values", "root_module", "address", "mode", "managed", "type",
     "aws_ebs_volume", "aws_security_group", "aws_iam_policy", "aws_instance", "aws_s3_bucket", "name", "change",
     "actions", "no-op", "delete", "after", "before", "after_unknown", "after_sensitive", "encrypted", "ingress", "policy",
     "configuration", "module_calls", "source", "expressions", "checks", "status", "variables", "\ud800", "root_block_device"]
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers(-3, 70000) | st.floats() | WORDS
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=20,
)


@SLOW
@given(after=st.dictionaries(WORDS, JSON, max_size=6), unknown=JSON, kind=WORDS)
@example(after={"ingress": [{}]}, unknown={"ingress": [{"protocol": True}]}, kind="aws_security_group")
def test_any_values_are_judged_without_an_exception(after: dict[str, Any], unknown: Any, kind: str) -> None:
    """A finding, a doubt, or nothing that these rules ask; never a crash."""
    document = reference_plan(MADE)
    named = {"address": f"{kind}.a", "mode": "managed", "type": kind, "name": "a"}
    change = {
        "actions": ["create"],
        "before": None,
        "after": after,
        "after_unknown": unknown,
        "after_sensitive": unknown,
    }
    document["resource_changes"].append({**named, "change": change})
    document["planned_values"]["root_module"]["resources"].append(named)
    document["variables"] = after if all(isinstance(one, dict) for one in after.values()) else {}
    plan = attempt(json.dumps(document).encode())
    if plan is not None:
        assert (
            len(judge_plan(plan, SOURCES, policy(), TODAY).findings) >= 1
        )  # a type or a provider is unknown


@SLOW
@given(data=st.data())
def test_damage_never_takes_a_finding_away_in_silence(data: st.DataObject) -> None:
    """One key of the real plan is gone or something else: refused, or no less is found of what is judged."""
    document = json.loads(REAL)
    places = [(document, key) for key in document]
    for each in document["resource_changes"]:
        places += [(each, key) for key in each] + [(each["change"], key) for key in each["change"]]
    target, key = data.draw(st.sampled_from(places))
    if key in {
        "type",
        "address",
        "prior_state",
        "resource_drift",
        "variables",
        "after_sensitive",
        "before_sensitive",
    }:
        return  # what only this key tells cannot be missed by anybody
    if data.draw(st.booleans()):
        del target[key]
    else:
        target[key] = data.draw(JSON)
    plan = attempt(json.dumps(document).encode())
    if plan is not None and plan.managed:
        report = judge_plan(plan, SOURCES, policy(), TODAY)
        assert "TF15" in broken(report) or not plan.timestamp


def test_the_moment_is_read_with_its_zone() -> None:
    plan = read(timestamp="2026-11-20T01:00:00+01:00")
    assert plan.timestamp == datetime(2026, 11, 20, tzinfo=UTC)
