"""Where a setting comes from: command line, then environment variable, then ini, then default."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def setting(config: pytest.Config, name: str) -> tuple[str | None, Path]:
    """Return the text of ``--gate-NAME``, ``GATE_NAME`` or ini ``gate_NAME``, and the folder it starts from.

    An explicit empty text counts as given: precedence is tested with ``is not None``.
    """
    option = config.getoption(f"gate_{name}")
    if option is not None:
        return str(option), config.invocation_params.dir
    variable = os.environ.get(f"GATE_{name.upper()}")
    if variable is not None:
        return variable, config.invocation_params.dir
    ini = config.getini(f"gate_{name}")
    return (str(ini) if ini else None), config.inipath.parent if config.inipath else config.rootpath


def path_setting(config: pytest.Config, name: str, default: str) -> Path:
    """Return a setting as an absolute path; the default is relative to the root folder."""
    text, base = setting(config, name)
    return base / text if text is not None else config.rootpath / default


def policy_folder(config: pytest.Config) -> Path:
    """Return the folder of the policy, whether or not it exists."""
    return path_setting(config, "policy", "gates")
