"""``[environment.NAME.deploy]``: what carries a candidate into an environment.

::

    [environment.production.deploy]
    executor = "command"               # default: record, the ledger alone
    timeout = "5 min"                  # of each step; default: 5 min
    backup = ["deploy/backup.sh"]      # runs before the first step
    env = ["KUBECONFIG"]               # variables that commands get besides PATH, HOME and LANG
    rollback_within = "60 s"           # a slower rollback is reported
    [environment.production.deploy.command]
    run = ["deploy/production.py"]
"""

from __future__ import annotations

import re
from typing import Any

from release_gates.errors import PolicyError
from release_gates.model.deploy_settings import EXECUTORS, RECORD
from release_gates.model.deployment import DeployPolicy
from release_gates.policy.grammar import parse_duration_s
from release_gates.policy.mistake import suggestion
from release_gates.policy.settings import check_keys, check_whole
from release_gates.policy.table import Table

_KEYS = ("executor", "timeout", "backup", "env", "rollback_within")
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"
TIMEOUT_S = 300.0


def read_deploy(environment: Table) -> DeployPolicy:
    """Return how an environment's table wants to be deployed to; every mistake is noted."""
    table = environment.table("deploy")
    if table is None:
        return DeployPolicy()
    table.refuse_unknown((*_KEYS, *EXECUTORS))
    timeout_s = _seconds(table, "timeout")
    return DeployPolicy(
        executor=(executor := _executor(table)),
        settings=_settings(table, executor),
        backup=_words(table, "backup"),
        env=_variables(table),
        timeout_s=TIMEOUT_S if timeout_s is None else timeout_s,
        rollback_within_s=_seconds(table, "rollback_within"),
    )


def _executor(table: Table) -> str:
    name = table.text("executor")
    if name is None or name == RECORD or name in EXECUTORS:
        return RECORD if name is None else name
    known = (RECORD, *EXECUTORS)
    table.wrong("executor", f"there is no executor '{name}'.{suggestion(name, known)}", "unknown-executor")
    return RECORD


def _settings(table: Table, executor: str) -> dict[str, Any]:
    """Return the executor's own table; one of an executor that is not asked for would mean nothing."""
    for other in EXECUTORS:
        if other in table.values and other != executor:
            sentence = f'belongs to executor = "{other}", and this one is "{executor}"'
            table.mistakes.add(table.at.key(other), sentence, "deploy")
    kind, own = EXECUTORS.get(executor), table.table(executor)
    if kind is None:
        return {}
    values, before = (own.values if own else {}), len(table.mistakes.found)
    check_keys(values, kind, table.at.key(executor), table.mistakes)
    fault = check_whole(values, kind)
    if fault and len(table.mistakes.found) == before:
        table.mistakes.add(table.at.key(executor), fault, "deploy")
    return values


def _words(table: Table, key: str) -> tuple[str, ...]:
    value = table.values.get(key)
    if value is None:
        return ()
    if isinstance(value, list) and value and all(isinstance(word, str) and word for word in value):
        return tuple(value)
    table.wrong(key, 'must be a list of words: ["deploy/backup.sh", "--all"]; no shell reads it', "deploy")
    return ()


def _variables(table: Table) -> tuple[str, ...]:
    names = _words(table, "env")
    for name in names:
        if re.fullmatch(_VARIABLE, name) is None:
            table.wrong("env", f"'{name}' is no name of a variable. Name it, and not its value", "deploy")
    return names


def _seconds(table: Table, key: str) -> float | None:
    text = table.text(key)
    try:
        return None if text is None else parse_duration_s(text)
    except PolicyError as error:
        table.mistakes.add_error(table.at.key(key), error, value=text)
        return None
