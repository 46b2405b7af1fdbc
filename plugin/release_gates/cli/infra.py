"""``audit manifests``, ``audit cluster``, ``audit plan``: infrastructure of any project, without policy."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from release_gates.cli.audited import counted, sarif_document, status_of
from release_gates.cli.project import Project, refusing
from release_gates.model.severity import Severity
from release_gates.probes.kubernetes.api import Reader
from release_gates.probes.kubernetes.assessment import compared
from release_gates.probes.kubernetes.catalogue import RULES
from release_gates.probes.kubernetes.drift import Sides
from release_gates.probes.kubernetes.judging import judge
from release_gates.probes.kubernetes.objects import Deployed, deployed
from release_gates.probes.kubernetes.pod_security import Level
from release_gates.probes.kubernetes.settings import KubernetesSettings, LiveCluster
from release_gates.probes.kubernetes.sources import read_path
from release_gates.probes.terraform.assessment import stale
from release_gates.probes.terraform.catalogue import CATALOGUE
from release_gates.probes.terraform.judging import judge_plan
from release_gates.probes.terraform.plan import read_plan
from release_gates.probes.terraform.settings import TerraformSettings
from release_gates.probes.terraform.sources import read_folder

Command = TypeVar("Command", bound=Callable[..., object])
YEAR_H = 24 * 366
_SARIF = click.option("--sarif", type=click.Path(path_type=Path), help="Write SARIF 2.1.0 too.")
_OF_KUBERNETES = (
    click.option(
        "--version", default="latest", show_default=True, help="Version of the cluster, as in 1.34."
    ),
    click.option("--level", type=click.Choice(list(Level)), default=Level.RESTRICTED, show_default=True),
    click.option("--kind", "kinds", multiple=True, help="A custom kind that is accepted unjudged."),
)


@dataclass(frozen=True, slots=True)
class Named:
    """A rule as SARIF describes it."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Told:
    """One finding, or one rule that cannot be decided; ``do`` is the remedy."""

    rule: Named
    severity: Severity
    sentence: str
    do: str


@dataclass(frozen=True, slots=True)
class Audit:
    """What rules say of one subject, the worst first; ``judged`` says of how much."""

    subject: str
    rules: tuple[Named, ...]
    findings: tuple[Told, ...]
    undecided: tuple[Told, ...]
    judged: str


def _of_kubernetes(command: Command) -> Command:
    for option in reversed((*_OF_KUBERNETES, _SARIF)):
        command = option(command)
    return command


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@_of_kubernetes
@click.pass_obj
@refusing
def manifests(
    project: Project, paths: Sequence[str], version: str, level: str, kinds: Sequence[str], sarif: Path | None
) -> None:
    """Judge manifests (files and folders, rendered), everything together."""
    settings = _settings(version, level, kinds)
    documents = (one for path in paths for one in read_path(Path(path), path))
    everything = deployed(documents, namespace="default")
    _tell(project, _audit(", ".join(paths), everything, settings), sarif)


@click.command()
@click.option("--namespace", "namespaces", multiple=True, required=True, help="Repeatable.")
@click.option("--kubeconfig", default="", help="Default: where kubectl looks.")
@click.option("--context", default="", help="Default: the current one.")
@click.option("--manifests", "declared", multiple=True, help="File or folder: does it run as declared?")
@_of_kubernetes
@click.pass_obj
@refusing
def cluster(
    project: Project,
    namespaces: Sequence[str],
    kubeconfig: str,
    context: str,
    declared: Sequence[str],
    version: str,
    level: str,
    kinds: Sequence[str],
    sarif: Path | None,
) -> None:
    """Judge the namespaces of a cluster and their state; it is only read.

    With --manifests (repeatable), what they declare is compared with what runs (LV06 to LV08). Objects that
    name no namespace are meant for the one that is audited, for "default" where there are several.
    """
    live = LiveCluster(namespaces=list(namespaces), kubeconfig=kubeconfig, context=context)
    settings = _settings(version, level, kinds, live)
    space = namespaces[0] if len(namespaces) == 1 else "default"
    asked = deployed((one for path in declared for one in read_path(Path(path), path)), namespace=space)
    reader = Reader(live, sleep=time.sleep)
    try:
        runs = deployed(reader.read(), namespace=space, live=True)
    finally:
        reader.close()
    sides = compared(asked, runs, live) if declared else None
    _tell(project, _audit(", ".join(namespaces), sides.joined() if sides else runs, settings, sides), sarif)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--sources", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--kind", "kinds", multiple=True, help="A type of resource that is accepted unjudged.")
@_SARIF
@click.pass_obj
@refusing
def plan(project: Project, file: Path, sources: Path, kinds: Sequence[str], sarif: Path | None) -> None:
    """Judge FILE, which `terraform show -json PLAN` wrote, with its sources."""
    told, now = read_plan(file.name, file.read_bytes()), datetime.now(UTC)
    folder = read_folder(sources)
    settings = TerraformSettings(plan=file.name, folder=".", kinds=list(kinds))
    report = judge_plan(told, folder, settings, now.date())
    names = {one.id: Named(one.id, one.title) for one in CATALOGUE.values()}
    findings, undecided = (
        tuple(Told(names[one.rule.id], one.severity, one.sentence, one.rule.remedy) for one in ones)
        for ones in (report.findings, report.doubts)
    )
    if because := stale(told, folder, None, now=now, hours=YEAR_H):
        age = Named("age", "the plan is no evidence")
        undecided = (*undecided, Told(age, Severity.HIGH, because, "plan again"))
    judged = f"{report.resources} resources"
    _tell(project, Audit(str(file), tuple(names.values()), findings, undecided, judged), sarif)


def _settings(
    version: str, level: str, kinds: Sequence[str], live: LiveCluster | None = None
) -> KubernetesSettings:
    try:
        return KubernetesSettings(version=version, level=Level(level), kinds=list(kinds), cluster=live)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _audit(
    subject: str, everything: Deployed, settings: KubernetesSettings, sides: Sides | None = None
) -> Audit:
    judgement = judge(everything, settings, {}, datetime.now(UTC), None, sides)
    names = {rule: Named(rule, remedy) for rule, (_, remedy) in RULES.items()}
    findings = tuple(Told(names[one.rule], one.severity, str(one), one.remedy) for one in judgement.findings)
    undecided = tuple(
        Told(names[one.rule], RULES[one.rule][0], str(one), RULES[one.rule][1]) for one in judgement.undecided
    )
    judged = f"{judgement.objects} objects, {judgement.pods} of them start pods"
    return Audit(subject, tuple(names.values()), findings, undecided, judged)


def _tell(project: Project, audit: Audit, sarif: Path | None) -> None:
    findings = sorted(audit.findings, key=lambda one: (one.severity.rank, one.sentence))
    if sarif is not None:
        known = {one.id: one for one in (*audit.rules, *(each.rule for each in audit.undecided))}
        document = sarif_document(audit.subject, known.values(), findings, audit.undecided)
        sarif.write_text(json.dumps(document, indent=1), encoding="utf-8")
    lines = [
        line for one in findings for line in (f"{one.severity:<9} {one.sentence}", f"{'':<9} do: {one.do}")
    ]
    lines += [f"undecided {one.sentence}" for one in audit.undecided]
    lines += [f"{audit.subject}: {counted(findings)}, {len(audit.undecided)} undecided; {audit.judged}"]
    data = {"subject": audit.subject, "findings": _entries(findings), "undecided": _entries(audit.undecided)}
    project.say(data, lines)
    sys.exit(status_of(findings, audit.undecided))


def _entries(told: Iterable[Told]) -> list[dict[str, Any]]:
    return [
        {"rule": one.rule.id, "severity": one.severity.value, "what": one.sentence, "do": one.do}
        for one in told
    ]
