"""``audit image`` and ``audit container``: any image or container of any project, without policy files."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from release_gates.cli import infra
from release_gates.cli.audited import counted, sarif_document, status_of
from release_gates.cli.project import Project, refusing
from release_gates.probes.container.assessment import judge_container, judge_image, read_container, read_image
from release_gates.probes.container.catalogue import CATALOGUE
from release_gates.probes.container.engine import Engine
from release_gates.probes.container.judging import Report, Selection
from release_gates.probes.container.profile import PROFILES
from release_gates.probes.container.rule import Finding

NOT_ASKED: Mapping[str, str] = {
    "CR22": "which image is released stands in a candidate",
    "IM11": "known vulnerabilities stand in a scanner's report",
    "IM12": "who has to have signed it, and with which key, stands in policy",
}
"""Rules that need more than the engine: a gate asks them."""

_PROFILE = click.option(
    "--profile", type=click.Choice(sorted(PROFILES)), default="service", show_default=True
)
_SARIF = click.option("--sarif", type=click.Path(path_type=Path), help="Write SARIF 2.1.0 too.")


@click.group()
def audit() -> None:
    """Judge images, containers, hosts, manifests, clusters and plans by every rule of the catalogue.

    Exit status: 0 if nothing from medium on is found, 1 if something is, 10 if a rule cannot be decided.
    """


@audit.command()
@click.argument("name")
@_PROFILE
@_SARIF
@click.pass_obj
@refusing
def image(project: Project, name: str, profile: str, sarif: Path | None) -> None:
    """Judge an image of the engine that DOCKER_HOST names."""
    with Engine() as engine:
        facts = read_image(engine, name, now=datetime.now(UTC))
    _tell(project, name, judge_image(facts, PROFILES[profile], Selection(off=NOT_ASKED)), sarif)


@audit.command()
@click.argument("name")
@_PROFILE
@_SARIF
@click.pass_obj
@refusing
def container(project: Project, name: str, profile: str, sarif: Path | None) -> None:
    """Judge a container by what is declared, and by what is in effect where it runs."""
    with Engine() as engine:
        facts = read_container(engine, name)
    _tell(project, name, judge_container(facts, PROFILES[profile], Selection(off=NOT_ASKED)), sarif)


for command in (infra.manifests, infra.cluster, infra.plan):
    audit.add_command(command)


def _tell(project: Project, name: str, report: Report, sarif: Path | None) -> None:
    findings = sorted(report.findings, key=lambda each: (each.severity.rank, each.rule.id))
    if sarif is not None:
        document = sarif_document(name, CATALOGUE.values(), findings, report.doubts)
        sarif.write_text(json.dumps(document, indent=1), encoding="utf-8")
    undecided = [{"rule": each.rule.id, "because": each.because} for each in report.doubts]
    lines = [
        *(line for each in findings for line in _lines(each)),
        *(f"undecided {each.sentence}" for each in report.doubts),
        f"{name}: {counted(findings)}, {len(report.doubts)} undecided",
    ]
    data = {"subject": name, "findings": [_entry(each) for each in findings], "undecided": undecided}
    project.say({**data, "not_asked": dict(NOT_ASKED)}, lines)
    sys.exit(status_of(findings, report.doubts))


def _lines(each: Finding) -> list[str]:
    fault = each.fault
    return [
        f"{each.severity:<9} {each.rule.id}  {each.rule.title}",
        f"{'':<9} declared: {fault.declared}",
        f"{'':<9} in effect: {fault.effective}",
        f"{'':<9} write instead: {fault.instead or each.rule.remedy}",
    ]


def _entry(each: Finding) -> dict[str, str]:
    return {
        "rule": each.rule.id,
        "severity": each.severity.value,
        "title": each.rule.title,
        "declared": each.fault.declared,
        "effective": each.fault.effective,
        "instead": each.fault.instead or each.rule.remedy,
    }
