"""Which executor policy names: each is imported when somebody deploys with it."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from release_gates.errors import DeployError
from release_gates.model.deploy_settings import RECORD
from release_gates.promotion.executors.protocol import Executor, Site

_FOLDER = "release_gates.promotion.executors"
CLASSES = {
    "command": f"{_FOLDER}.command:CommandExecutor",
    "git": f"{_FOLDER}.git.executor:GitExecutor",
    "local": f"{_FOLDER}.local.executor:LocalExecutor",
    "oci": f"{_FOLDER}.oci.executor:OciExecutor",
}
"""Executor -> "module:class"; the class takes a ``Site``."""


def executor_for(site: Site) -> Executor | None:
    """Return what carries candidates into an environment; None where the ledger alone says what is live."""
    name = site.policy.executor
    if name == RECORD:
        return None
    if name not in CLASSES:
        raise DeployError(
            f"there is no executor '{name}'.",
            slug="unknown-executor",
            hint=f"There are: {', '.join((RECORD, *CLASSES))}.",
        )
    module, _, kind = CLASSES[name].partition(":")
    return cast("Executor", getattr(import_module(module), kind)(site))
