"""The reference plan with one thing changed, read and judged as a gate would."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec

from fixtures.trading_system.deploy.plan import FOLDER, PROVIDER, reference_plan
from release_gates.probes.terraform.judging import Report, judge_plan
from release_gates.probes.terraform.plan import Plan, read_plan
from release_gates.probes.terraform.settings import TerraformSettings
from release_gates.probes.terraform.sources import Sources, read_folder

DATA = Path(__file__).with_name("data")
SAVED = base64.b64decode((DATA / "plan.tfplan.base64").read_text())
"""What `terraform plan -out` wrote; as text, so that a search for secrets can look into every source."""
MADE = datetime(2026, 11, 20, tzinfo=UTC)
TODAY = date(2026, 11, 21)
SOURCES = read_folder(FOLDER)
Edit = Callable[[dict[str, Any]], None]


def policy(**changed: Any) -> TerraformSettings:
    return msgspec.convert({"plan": "plan.json", "folder": "infra", **changed}, TerraformSettings)


def planned(*edits: Edit) -> Plan:
    plan = reference_plan(MADE)
    for edit in edits:
        edit(plan)
    return read_plan("plan.json", json.dumps(plan).encode())


def judged(*edits: Edit, sources: Sources = SOURCES, **changed: Any) -> Report:
    return judge_plan(planned(*edits), sources, policy(**changed), TODAY)


def broken(report: Report) -> set[str]:
    return {one.rule.id for one in report.findings}


def doubted(report: Report) -> set[str]:
    return {one.rule.id for one in report.doubts}


def added(address: str, *, unknown: Any = None, expressions: Any = None, **values: Any) -> Edit:
    """Return what adds a resource to a plan, as one that would be created."""

    def edit(plan: dict[str, Any]) -> None:
        kind, name = address.split(".")
        named = {"address": address, "mode": "managed", "type": kind, "name": name}
        change = {
            "actions": ["create"],
            "before": None,
            "after": values,
            "after_unknown": unknown or {},
            "before_sensitive": False,
            "after_sensitive": {},
        }
        plan["resource_changes"].append({**named, "provider_name": PROVIDER, "change": change})
        plan["planned_values"]["root_module"]["resources"].append({**named, "values": copy.deepcopy(values)})
        declared = {**named, "expressions": expressions or {}}
        plan["configuration"]["root_module"]["resources"].append(declared)

    return edit


def removed(address: str) -> Edit:
    """Return what takes a resource out of everything that a plan tells."""

    def edit(plan: dict[str, Any]) -> None:
        lists = (
            plan["resource_changes"],
            plan["planned_values"]["root_module"]["resources"],
            plan["prior_state"]["values"]["root_module"]["resources"],
        )
        for found in lists:
            found[:] = [one for one in found if one["address"] != address]

    return edit
