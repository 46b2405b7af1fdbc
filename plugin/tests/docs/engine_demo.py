"""The second half of docs/demo.md, in this checkout: ``make demo``. It takes a quarter of an hour."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from plugin.tests.docs.console import Command, commands, environ, is_said
from plugin.tests.docs.snippets import ROOT, every_snippet

BLOCKS = [each for each in every_snippet() if each.note == ("run by", "make demo")]
STAGING = ROOT / "gates" / "staging.toml"
ATTEMPTS = 3
NOT_PROVEN = "HOLD (not proven)"
"""What a busy host may say; the page asks for another attempt then, as CI does."""


@pytest.fixture
def background() -> Iterator[ExitStack]:
    """End what was started with ``&``, and take back what was changed in policy, however the page ends."""
    policy = STAGING.read_bytes()
    with ExitStack() as started_here:
        yield started_here
    STAGING.write_bytes(policy)


def test_the_second_half_says_what_happens(background: ExitStack) -> None:
    ran = 0
    for block in BLOCKS:
        for command in commands(block.text):
            print(f"$ {command.shown}", flush=True)
            if command.words[-1] == "&":
                start(command, background)
            elif command.words == ("kill", "%1"):
                background.close()
            else:
                try_(command)
            ran += 1
    assert ran > 8


def start(command: Command, background: ExitStack) -> None:
    process = subprocess.Popen(command.words[:-1])
    background.callback(process.wait)
    background.callback(process.kill)


def try_(command: Command) -> None:
    """Run a command; one that was not proven, and that the page shows as decided, is run again."""
    for _ in range(ATTEMPTS):
        done = subprocess.run(
            command.words,
            cwd=ROOT,
            env=environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        output = done.stdout
        print(output, flush=True)
        if NOT_PROVEN not in output or any(NOT_PROVEN in line for line in command.says):
            break
    assert done.returncode == command.status, f"{command.shown} ends in {done.returncode}"
    assert is_said(command.says, output), f"{command.shown}: {command.says} is not what it prints"
