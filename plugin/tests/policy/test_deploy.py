"""``[environment.NAME.deploy]``: read, and every mistake in it at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from release_gates.errors import PolicyError
from release_gates.model.deployment import DeployPolicy
from release_gates.policy.load import load_place, load_policy

GATE = 'schema = 1\n[gate.load]\nowner = "me"\n[gate.load.limits]\n"a.b" = "<= 1 ms"\n'
WHOLE = """
executor = "command"
timeout = "2 min"
backup = ["deploy/backup.sh", "--all"]
env = ["KUBECONFIG"]
rollback_within = "60 s"
[environment.dev.deploy.command]
run = ["deploy/dev.py", "{not a placeholder}"]
"""


def deploy_policy(folder: Path, text: str | None) -> DeployPolicy:
    table = "" if text is None else f"[environment.dev.deploy]\n{text}"
    (folder / "environments.toml").write_text(f'schema = 1\npath = ["dev"]\n{table}')
    (folder / "dev.toml").write_text(GATE)
    return load_policy(folder, tool="test 1").environments[0].deploy


def test_what_it_says(tmp_path: Path) -> None:
    assert deploy_policy(tmp_path, WHOLE) == DeployPolicy(
        executor="command",
        settings={"run": ["deploy/dev.py", "{not a placeholder}"]},
        backup=("deploy/backup.sh", "--all"),
        env=("KUBECONFIG",),
        timeout_s=120.0,
        rollback_within_s=60.0,
    )


@pytest.mark.parametrize("text", [None, "", 'executor = "record"'])
def test_without_an_executor_the_ledger_alone_says_what_is_live(tmp_path: Path, text: str | None) -> None:
    assert deploy_policy(tmp_path, text) == DeployPolicy(executor="record")


MISTAKES = [
    ('executor = "comand"', "there is no executor 'comand'. Did you mean 'command'? [unknown-executor]"),
    ("executer = 'command'", "unknown key 'executer'. Did you mean 'executor'? [unknown-key]"),
    ('executor = "command"', "Object missing required field `run` [deploy]"),
    ('executor = "command"\ncommand = { run = "deploy.sh" }', "[settings]"),
    (
        'executor = "command"\ncommand = { ran = ["x"] }',
        "unknown key 'ran'. Did you mean 'run'? [unknown-key]",
    ),
    ('command = { run = ["x"] }', 'belongs to executor = "command", and this one is "record" [deploy]'),
    ("backup = 'sh -c backup'", "must be a list of words"),
    ("backup = []", "must be a list of words"),
    ("env = ['TOKEN=hunter2']", "'TOKEN=hunter2' is no name of a variable. Name it, and not its value"),
    ("timeout = '0 s'", "must be longer than zero"),
    ("rollback_within = '60 mb'", "is no duration"),
]


@pytest.mark.parametrize(("text", "sentence"), MISTAKES, ids=[sentence for _, sentence in MISTAKES])
def test_mistakes(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(PolicyError) as refused:
        deploy_policy(tmp_path, text)
    assert sentence in str(refused.value)
    assert "environment.dev.deploy" in str(refused.value)


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="has 3 mistakes"):
        deploy_policy(tmp_path, 'executor = "comand"\ntimeout = "x"\nenv = [1]\n')


def test_who_goes_back_is_held_by_no_other_mistake(tmp_path: Path) -> None:
    whole = deploy_policy(tmp_path, WHOLE)
    for name in ("dev.toml", "waivers.toml", "freezes.toml"):
        (tmp_path / name).write_text("broken =")
    (tmp_path / "expected").symlink_to(tmp_path)
    assert load_place(tmp_path, "dev", tool="test 1").deploy == whole


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        (None, "prod", "there is no environment 'prod'"),
        ("schema = ", "dev", "environments.toml"),
        (
            'schema = 1\npath = ["dev"]\n[environment.dev.deploy]\nexecutor = "ssh"\n',
            "dev",
            "no executor 'ssh'",
        ),
        ('schema = 1\npath = ["dev"]\n[environment]\ndev = 1\n', "dev", "dev"),
    ],
)
def test_who_goes_back_has_to_know_how(tmp_path: Path, text: str | None, name: str, says: str) -> None:
    deploy_policy(tmp_path, WHOLE)
    if text is not None:
        (tmp_path / "environments.toml").write_text(text)
    with pytest.raises(PolicyError, match=says):
        load_place(tmp_path, name, tool="test 1")
    (tmp_path / "environments.toml").unlink()
    with pytest.raises(PolicyError, match=r"holds no environments\.toml"):
        load_place(tmp_path, name, tool="test 1")
