"""The suite that README gives to other projects: it asks every rule, by what the fixture really has."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import msgspec

from release_gates.cli import starting
from release_gates.probes.container.catalogue import CATALOGUE
from release_gates.probes.container.gate_container import GateContainer
from release_gates.probes.container.settings import ContainerSettings

WRITTEN = Path(starting.__file__).parent / "suites" / "container" / "test_container.py"
README = Path(__file__).parents[4] / "README.md"


def test_every_rule_is_asked_once() -> None:
    (block,) = (each for each in README.read_text().split("```python\n") if 'gate("container")' in each)
    names: dict[str, Any] = {}
    exec(block.partition("```")[0], names)  # noqa: S102 - the README of this repository
    asked: list[str] = []
    gate = create_autospec(GateContainer, instance=True)
    for test in (each for name, each in names.items() if name.startswith("test_")):
        marks = getattr(test, "pytestmark", [])
        rules = [rule for mark in marks for rule in mark.args[1]]
        asked += rules
        for rule in rules:
            test(rule, gate)
        if not rules:
            test(gate)
    assert sorted(asked) == sorted(CATALOGUE)
    calls = [*gate.dockerfile.mock_calls, *gate.image.mock_calls, *gate.running.mock_calls]
    assert sorted(call.args[0] for call in calls) == sorted(CATALOGUE)
    gate.measure_size.assert_called_once_with()


def test_the_readme_shows_what_init_writes() -> None:
    assert f"```python\n{WRITTEN.read_text()}```\n" in README.read_text()


def test_the_settings_of_the_readme_are_settings() -> None:
    (block,) = (
        each
        for each in README.read_text().split("```toml\n")
        if each.startswith("[gate.container.container]")
    )
    said = tomllib.loads(block.partition("```")[0])["gate"]["container"]["container"]
    settings = msgspec.convert(said, ContainerSettings, strict=True)
    assert settings.accepted
    assert settings.service
