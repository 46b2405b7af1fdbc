"""A workflow decides, promotes and hands on a bundle without a key: sigstore, from an instance of ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from plugin.tests.ledger.sigstore_instance import CLAIMS, REPOSITORY, WORKFLOW, Instance
from plugin.tests.ledger.test_ambient import Served, serving
from release_gates.testing import GateProject

IDENTITY = """schema = 1
[identity.gates]
issuer = "{issuer}"
workflow = "{workflow}"
repository = "{repository}"
ref = "refs/heads/main"
trigger = "push"
roles = ["evidence", "verdict"]
valid_from = {since}
valid_until = {until}
"""


def policy(project: GateProject, served: Served) -> None:
    day = datetime.now(UTC).date()
    days = {"since": day - timedelta(days=1), "until": day + timedelta(days=30)}
    claims = {"issuer": CLAIMS[8], "workflow": WORKFLOW, "repository": REPOSITORY}
    project.write("gates/environments.toml", 'schema = 1\npath = ["staging"]\n')
    project.write("gates/trust.toml", IDENTITY.format(**claims, **days))
    project.write("gates/trusted_root.json", served.instance.trusted_root())
    project.write("gates/signing_config.json", served.config)
    project.write("suites/test_smoke.py", 'import pytest\n\n@pytest.mark.gate("smoke")\ndef test_a(): pass\n')
    project.expect(["suites/test_smoke.py::test_a"])


def test_a_workflow_needs_no_key(tmp_path: Path) -> None:
    project = GateProject(tmp_path / "project")
    with serving(Instance()) as served:
        policy(project, served)
        part = project.run("--gate-part", "--gate-evidence", "part.jsonl")
        assert part.status == 0, part.output
        words = ("decide", "--environment", "staging", "--sign", "sigstore", "part.jsonl")
        job = {"GITHUB_ACTIONS": "true", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "", "NO_PROXY": "127.0.0.1"}
        refused = project.cli(*words, env=job)
        assert "[no-credential]" in refused.output
        assert project.runs() == ()
        job |= {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x", "ACTIONS_ID_TOKEN_REQUEST_URL": served.url}
        done = project.cli(*words, env=job)
        assert done.status == 0, done.output
        assert "LOCAL" not in done.output
    # From here on there is no instance any more.
    run = project.runs()[-1].started.run
    promoted = project.cli("promote", "--to", "staging")
    assert promoted.status == 0, promoted.output
    assert project.cli("bundle", run, "--output", "run.zip").status == 0
    trusted = ("--trust", str(project.root / "gates/trust.toml"))
    assert "identity gates" in project.cli("verify", "--bundle", "run.zip", *trusted).output
    project.write("gates/trusted_root.json", Instance().trusted_root())
    refused = project.cli("verify", "--bundle", "run.zip", *trusted)
    assert "[identity-unverified]" in refused.output
    assert refused.status == 2
