"""Where a setting comes from: command line, then environment variable, then ini, then default."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from release_gates.errors import PolicyError
from release_gates.policy.grammar import parse_duration_s
from release_gates.policy.home import OWN, elsewhere, find_root


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


def duration_setting(config: pytest.Config, name: str, default_s: float) -> float:
    """Return a setting as seconds: ``20m``, ``90 s``, ``2 h``, or 0. Raises PolicyError for anything else."""
    text, _ = setting(config, name)
    if text is None:
        return default_s
    if text.strip() == "0":
        return 0.0
    try:
        return parse_duration_s(re.sub(r"(?<=[0-9 ])m$", "min", text.strip()))
    except PolicyError as error:
        raise PolicyError(
            f"--gate-{name.replace('_', '-')} = {text!r}: {error.message.rstrip('.')}.",
            slug="duration",
            hint="Write '20m', '90 s' or 0.",
        ) from None


def policy_folder(config: pytest.Config) -> Path:
    """Return the folder of the policy, whether or not it exists."""
    return path_setting(config, "policy", OWN)


def foreign_policy(config: pytest.Config) -> str:
    """Return the folder of a policy that is not the project's own; "" if it is.

    Where the call named the root folder or the configuration, the project is where it was called.
    """
    named = config.option.rootdir is not None or config.option.inifilename is not None
    root = find_root(config.invocation_params.dir) if named else config.rootpath
    return elsewhere(policy_folder(config), root)
