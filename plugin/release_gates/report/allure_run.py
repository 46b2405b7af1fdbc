"""What Allure is told of a whole run: the verdict, the tests of which it heard nothing, values, environment.

Formats: https://allurereport.org/docs/how-it-works-test-result-file/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from release_gates.model.evidence import HostFacts, TestRecord
from release_gates.model.gate import EnvironmentPolicy, GateSpec
from release_gates.model.outcome import Severity
from release_gates.model.verdict import Verdict
from release_gates.report.allure import CASE, Status, description, history_id, labels
from release_gates.report.markdown import plain
from release_gates.report.text import again, clipped, next_command, subject

LONGEST = 240
"""So many characters of the verdict stand in its title."""


def verdict_result(
    verdict: Verdict, head: str, uuid: str, at_ms: int, notes: Iterable[str]
) -> dict[str, Any]:
    """Return the synthetic result that stands on top: the verdict with every reason."""
    name = f"Verdict: {verdict.title}" + (f", {verdict.unproven}" if verdict.unproven else "")
    state: Status = "passed" if verdict.promotes else "failed" if verdict.kind == "broken" else "broken"
    reasons = [
        f"- **{reason.outcome}** {plain(f'{reason.gate}: ' if reason.gate else '')}{plain(reason.sentence)}"
        for reason in verdict.reasons[:50]
    ]
    commands = [
        f"- {plain(gate.name)} (owner {plain(gate.owner)}): `{again(verdict, gate)}`"
        for gate in verdict.gates
        if gate.severity is Severity.BLOCKING and not gate.outcome.promotes
    ]
    text = [
        *(plain(verdict.unproven), subject(verdict), "\n".join(reasons), "\n".join(commands)),
        f"Next: `{next_command(verdict)}`",
    ]
    return {
        **_result(
            uuid,
            f"verdict:{verdict.environment}",
            clipped(f"{name}: {verdict.because}", LONGEST),
            state,
            at_ms,
        ),
        "description": "\n\n".join(part for part in (*text, f"Ledger head `{head}`", *notes) if part),
        "statusDetails": {"message": f"{verdict.title}: {verdict.because}"},
        "labels": _labels(
            [("epic", f"entry to {verdict.environment}"), ("feature", "verdict"), ("severity", "blocker")]
        ),
    }


def attached(file: str, at_ms: int) -> dict[str, Any]:
    """Return ``*-globals.json``, by which Allure shows the release page beside all results."""
    page = {"name": "Release page", "source": file, "type": "text/html", "timestamp": at_ms}
    return {"attachments": [page]}


def missing_result(test: str, gate: GateSpec, environment: str, uuid: str, at_ms: int) -> dict[str, Any]:
    """Return the synthetic result of an expected test that never ran."""
    because = f"MISSING: gates/expected/{gate.name}.txt expects this test; it did not run"
    return lost_result(test, because, gate, environment, uuid, at_ms)


def lost_result(
    test: str, because: str, gate: GateSpec, environment: str, uuid: str, at_ms: int
) -> dict[str, Any]:
    """Return the synthetic result of a test of which Allure heard nothing, or not the end."""
    return {
        **_result(uuid, test, test.rpartition("::")[2] or test, "broken", at_ms),
        "description": description(because, gate, environment, ()),
        "statusDetails": {"message": because},
        "parameters": [{"name": CASE, "value": test}],
        "labels": _labels(labels(gate, environment)),
    }


def _result(uuid: str, test: str, name: str, state: Status, at_ms: int) -> dict[str, Any]:
    return {
        "uuid": uuid,
        "historyId": history_id(test),
        "testCaseId": history_id(test),
        "fullName": test,
        "name": name,
        "status": state,
        "stage": "finished",
        "start": at_ms,
        "stop": at_ms,
    }


def performance(
    records: Iterable[TestRecord], environment: EnvironmentPolicy
) -> Iterator[dict[str, str | float | int]]:
    """Yield each measured value for Allure's trend (``*-perf.json``), by a key that stays over runs."""
    better = {
        rule.name: "lower" if rule.limit.bounds[0].operator in ("<=", "<") else "higher"
        for gate in environment.gates
        for rule in gate.limits
        if rule.limit and len(rule.limit.bounds) == 1 and rule.limit.bounds[0].operator != "=="
    }
    for record in records:
        stop = milliseconds(record.finished)
        for each in record.measurements:
            if each.value is None:
                continue
            key = f"{record.gate}/{each.name}{f'[{each.key}]' if each.key else ''}"
            yield {
                "id": history_id(f"{record.id} {key}"),
                "key": key,
                "title": each.name,
                "group": record.gate,
                "value": each.value,
                "unit": each.unit,
                "start": stop - round(record.duration_s * 1000),
                "stop": stop,
                **({"better": better[each.name]} if each.name in better else {}),
            }


def environment_properties(verdict: Verdict, host: HostFacts, head: str) -> str:
    """Return ``environment.properties``: what was decided on, by which rules, measured where."""
    found = {
        "Commit": verdict.candidate.commit or "unknown",
        "Digest": verdict.candidate.digest,
        "Rules": verdict.inputs.rules,
        "Run": verdict.run,
        "Ledger head": head,
        "Host": host.hostname,
        "Processor": f"{host.cpu_model}, {host.cores} cores, {host.numa_nodes} NUMA",
        "Governor": host.governor,
        "Kernel": host.kernel,
    }
    return "".join(f"{key.replace(' ', '_')}={_property(value)}\n" for key, value in found.items())


def variables(verdict: Verdict) -> dict[str, str]:
    """Return what stands on page one: the verdict and what it is about."""
    candidate = verdict.candidate
    return {
        "Verdict": verdict.title,
        "Because": verdict.because,
        "Entry": verdict.environment,
        "Candidate": f"{candidate.name} {candidate.version}",
        **({"Route": verdict.route_name, "Unproven": verdict.unproven} if verdict.unproven else {}),
        "Attempt": f"{verdict.attempt} of {verdict.attempts_allowed}",
        "Ledger": _local(verdict) if verdict.local else "signed",
    }


def _local(verdict: Verdict) -> str:
    return f"LOCAL ({verdict.why_local})" if verdict.elsewhere else "LOCAL (unsigned)"


def executor(environ: Mapping[str, str]) -> dict[str, str] | None:
    """Return ``executor.json`` from the variables of GitHub, GitLab or Jenkins; None elsewhere."""
    found: dict[str, str | None]
    if environ.get("GITHUB_ACTIONS") == "true":
        server, place = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_REPOSITORY", "")
        run = environ.get("GITHUB_RUN_ID", "")
        found = {
            "type": "github",
            "name": "GitHub Actions",
            "buildName": f"{environ.get('GITHUB_WORKFLOW', '')} #{environ.get('GITHUB_RUN_NUMBER', '')}",
            "buildUrl": f"{server}/{place}/actions/runs/{run}" if server and run else "",
        }
    elif environ.get("GITLAB_CI") == "true":
        found = {
            "type": "gitlab",
            "name": "GitLab CI",
            "buildName": f"{environ.get('CI_JOB_NAME', '')} #{environ.get('CI_PIPELINE_ID', '')}",
            "buildUrl": environ.get("CI_JOB_URL"),
        }
    elif environ.get("JENKINS_URL"):
        found = {
            "type": "jenkins",
            "name": "Jenkins",
            "buildName": f"{environ.get('JOB_NAME', '')} #{environ.get('BUILD_NUMBER', '')}",
            "buildUrl": environ.get("BUILD_URL"),
        }
    else:
        return None
    return {key: value for key, value in found.items() if value}


def milliseconds(at: datetime) -> int:
    """Return a time as Allure has it."""
    return round(at.timestamp() * 1000)


def _labels(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


def _property(value: str) -> str:
    return " ".join(value.split()).replace("\\", "\\\\")
