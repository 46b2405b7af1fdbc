"""The pytest fixture of the load probe."""

from __future__ import annotations

from pathlib import Path

import pytest

from release_gates.probes.load.gate_load import Gate, GateLoad
from release_gates.probes.load.live import Say

_TERMINAL_EVERY_S = 1.0
_LOG_EVERY_S = 10.0


@pytest.fixture
def gate_load(gate: Gate, tmp_path: Path, request: pytest.FixtureRequest) -> GateLoad:
    """Load: ``gate_load.run(target, traffic, profile="load")`` measures every endpoint's latency and errors.

    Profiles and targets stand in ``[gate.NAME.load]``; ``gate_load.compare(…)`` loads two builds in turn.
    """
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")
    every_s = _TERMINAL_EVERY_S if terminal is not None and terminal.isatty else _LOG_EVERY_S
    return GateLoad(gate, tmp_path, _saying(request.config), every_s=every_s)


def _saying(config: pytest.Config) -> Say:
    """Return what shows a line at once, past pytest's capture; a worker of xdist has nobody to show it to."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")
    if terminal is None or capture is None:
        return lambda _: None

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled():
            if terminal.isatty:
                terminal.rewrite(line, erase=True)
            else:
                terminal.ensure_newline()
                terminal.write_line(line)
            terminal.flush()

    return say
