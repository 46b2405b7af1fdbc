"""Each executor that policy can name gets what policy says about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from release_gates.model.deploy_settings import EXECUTORS
from release_gates.policy.load import load_policy
from release_gates.promotion.executors.protocol import Site
from release_gates.promotion.executors.registry import CLASSES, executor_for

EACH = {
    "command": 'run = ["deploy.py"]',
    "git": 'repository = "https://x.org"\nbranch = "b"\nkustomization = "k.yaml"\nimages = { "r/e" = "i" }',
    "oci": 'artifact = "image"\nrepository = "registry.example/x"\nlogin = { "registry.example" = "LOGIN" }',
    "local": 'artifact = "engine"\nlisten = "127.0.0.1:80"\nports = [81, 82]\nhandover = "journal"',
}


@pytest.mark.parametrize("name", sorted(EXECUTORS))
def test_each_executor_gets_what_policy_says(tmp_path: Path, name: str) -> None:
    (tmp_path / "environments.toml").write_text(
        f'schema = 1\npath = ["dev"]\n[environment.dev.deploy]\nexecutor = "{name}"\n'
        f"[environment.dev.deploy.{name}]\n{EACH[name]}\n"
    )
    (tmp_path / "dev.toml").write_text(
        'schema = 1\n[gate.load]\nowner = "me"\n[gate.load.limits]\n"a.b" = "<= 1 ms"\n'
    )
    policy = load_policy(tmp_path, tool="test 1").environments[0].deploy
    made = executor_for(Site(root=tmp_path, state=tmp_path / ".gates", environment="dev", policy=policy))
    assert type(made).__name__ == f"{name.capitalize()}Executor"


def test_every_executor_has_settings() -> None:
    assert set(CLASSES) == set(EXECUTORS)
