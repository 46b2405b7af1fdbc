"""The program ``release-gates`` and its commands."""

from __future__ import annotations

import os

import click

from release_gates import TOOL
from release_gates.cli import (
    attesting,
    auditing,
    bundles,
    candidates,
    deciding,
    exporting,
    findings,
    hosts,
    importing,
    keeping,
    ledgers,
    planning,
    policies,
    promoting,
    proving,
    reporting,
    signing,
    starting,
    status,
    waivers,
)
from release_gates.cli.project import project_from


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(TOOL.rpartition(" ")[2], message=TOOL)
@click.option("--gate-policy", metavar="DIR", help="Folder of the policy (default: gates/).")
@click.option("--gate-candidate", metavar="FILE", help="The release candidate (default: candidate.toml).")
@click.option("--gate-ledger", metavar="URL", help="The ledger (default: .gates/ledger.db).")
@click.option(
    "--gate-checkpoint", metavar="PLACE", help="Where the ledger was once (FILE, git:PREFIX): it holds that."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@click.pass_context
def program(
    context: click.Context,
    gate_policy: str | None,
    gate_candidate: str | None,
    gate_ledger: str | None,
    gate_checkpoint: str | None,
    as_json: bool,
) -> None:
    """Decide whether a release candidate may enter an environment.

    Exit status: 0 for yes, 1 for HOLD (broken) or a plain no, 10 for HOLD (not proven), 2 for an error.
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        context.color = False
    context.obj = project_from(gate_policy, gate_candidate, gate_ledger, gate_checkpoint, json=as_json)


importing.import_results.add_command(findings.sarif)
auditing.audit.add_command(hosts.audit_host)
for command in (
    starting.demo,
    starting.init,
    policies.check,
    policies.list_gates,
    policies.expect,
    candidates.candidate,
    deciding.run,
    deciding.decide_files,
    importing.import_results,
    attesting.record,
    auditing.audit,
    hosts.host,
    deciding.explain,
    status.status,
    deciding.replay,
    proving.prove,
    waivers.waive,
    ledgers.adopt,
    ledgers.first_release,
    ledgers.invalidate,
    ledgers.verify,
    signing.keygen,
    bundles.attest,
    signing.approve_rules,
    bundles.bundle,
    exporting.export,
    keeping.ledger,
    ledgers.approve,
    planning.plan,
    promoting.promote,
    promoting.rollback,
    reporting.report,
):
    program.add_command(command)
