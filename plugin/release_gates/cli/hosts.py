"""``host facts`` and ``audit host``: what a host tells, recorded or judged, without policy files."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import click
import msgspec

from release_gates.cli.audited import counted, sarif_document, status_of
from release_gates.cli.project import Project, refusing
from release_gates.model.cpus import parse_list
from release_gates.probes.machine.hosts.catalogue import CATALOGUE
from release_gates.probes.machine.hosts.facts import read_facts
from release_gates.probes.machine.hosts.judging import Report, judge_host
from release_gates.probes.machine.hosts.profile import PROFILES
from release_gates.probes.machine.hosts.rule import Finding
from release_gates.probes.machine.hosts.script import check_engine, check_nic
from release_gates.probes.machine.hosts.transport import Look, check_host, read_host

Command = TypeVar("Command", bound=Callable[..., object])
NOTHING_DECIDED = 10
"""The status of what cannot be decided; a host of which no rule was decided is not fine."""
_LOOK = (
    click.option("--engine", default="", help="The engine: a pid, a unit (x.service) or a pid file."),
    click.option("--nic", "nics", multiple=True, help="A network device that feeds it."),
    click.option("--timeout", default=30.0, show_default=True, help="Seconds until the host is given up."),
)


def _looking(command: Command) -> Command:
    for option in reversed(_LOOK):
        command = option(command)
    return command


@click.group()
def host() -> None:
    """Record what a host tells of itself, for gates that cannot reach it."""


@host.command()
@click.argument("name", metavar="HOST")
@_looking
@refusing
def facts(name: str, engine: str, nics: tuple[str, ...], timeout: float) -> None:
    """Print the facts of HOST as JSON: local, ssh://user@name, docker://name, podman://, kubectl://.

    Every file and answer that the rules ask for, word for word, read by one command; nothing on the host is
    changed. Policy names the file: facts = { HOSTNAME = "facts.json" }.
    """
    found = read_host(_look(name, engine, nics, timeout))
    click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1))


@click.command("host")
@click.argument("name", metavar="HOST")
@click.option("--profile", type=click.Choice(sorted(PROFILES)), default="gateway", show_default=True)
@click.option("--isolated", default="", help="The engine's CPUs, as in 2-7.")
@click.option("--node", type=int, help="The NUMA node of the engine.")
@click.option("--sarif", type=click.Path(path_type=Path), help="Write SARIF 2.1.0 too.")
@_looking
@click.pass_obj
@refusing
def audit_host(
    project: Project,
    name: str,
    profile: str,
    isolated: str,
    node: int | None,
    sarif: Path | None,
    engine: str,
    nics: tuple[str, ...],
    timeout: float,
) -> None:
    """Judge HOST (or a file that `host facts` wrote) by the rules of a profile."""
    found = read_facts(Path(name)) if Path(name).is_file() else None
    found = found or read_host(_look(name, engine, nics, timeout))
    try:
        cpus = parse_list(isolated)
    except ValueError as error:
        raise click.BadParameter(f"--isolated {isolated}: {error}") from None
    expected = replace(PROFILES[profile], isolated=cpus, node=node, nics=nics or found.nics)
    _tell(
        project,
        f"{name} ({found.hostname}, {found.recorded:%Y-%m-%d %H:%M} UTC)",
        judge_host(found, expected),
        sarif,
    )


def _look(name: str, engine: str, nics: tuple[str, ...], timeout: float) -> Look:
    try:
        if engine:
            check_engine(engine)
        return Look(host=check_host(name), engine=engine, nics=tuple(map(check_nic, nics)), timeout_s=timeout)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _tell(project: Project, name: str, report: Report, sarif: Path | None) -> None:
    findings = sorted(report.findings, key=lambda each: (each.severity.rank, each.rule.id))
    if sarif is not None:
        document = sarif_document(name, CATALOGUE.values(), findings, report.doubts)
        sarif.write_text(json.dumps(document, indent=1), encoding="utf-8")
    lines = [
        *(line for each in findings for line in _lines(each)),
        *(f"undecided {each.sentence}" for each in report.doubts),
        f"{name}: {counted(findings)}, {len(report.doubts)} undecided, {report.decided} rules decided",
    ]
    project.say(
        {
            "subject": name,
            "findings": [_entry(each) for each in findings],
            "undecided": [{"rule": each.rule.id, "because": each.because} for each in report.doubts],
            "not_asked": {each.rule.id: each.because for each in (*report.off, *report.inapplicable)},
        },
        lines,
    )
    sys.exit(status_of(findings, report.doubts) or (0 if report.decided else NOTHING_DECIDED))


def _lines(each: Finding) -> list[str]:
    fault = each.fault
    return [
        f"{each.severity:<9} {each.rule.id}  {each.rule.title}",
        f"{'':<9} {fault.place} is {fault.found}; expected: {fault.expected}",
        f"{'':<9} do: {each.rule.remedy}",
    ]


def _entry(each: Finding) -> dict[str, str]:
    return {
        "rule": each.rule.id,
        "severity": each.severity.value,
        "title": each.rule.title,
        "place": each.fault.place,
        "found": each.fault.found,
        "expected": each.fault.expected,
        "remedy": each.rule.remedy,
    }
