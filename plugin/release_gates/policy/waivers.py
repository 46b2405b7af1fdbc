"""``waivers.toml``: what is accepted for a while. Form only; whether a waiver counts is judged with a clock.

::

    [waiver.NAME]
    environment = "staging"
    gate        = "load"
    limit       = "order_entry.p95"      # or test = "suites/load/test_x.py::test_y"
    candidate   = "SHA-256"              # or versions = "1.4.0 .. 1.4.3"
    bound       = "<= 620 ms"            # of a limit; or baseline = "<= 4 %"; fingerprint = "…" of a test
    reason      = "…"
    ticket      = "OPS-12"
    owner       = "ann"
    approver    = "bob"
    created     = 2026-12-01             # a day in UTC, or a moment with its offset
    expires     = 2026-12-08             # the last day
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import Any

from packaging.version import InvalidVersion, Version

from release_gates.errors import PolicyError
from release_gates.model.gate import EnvironmentPolicy, GateSpec
from release_gates.model.limit import Limit
from release_gates.model.waiver import Waiver
from release_gates.policy.document import read_document
from release_gates.policy.grammar import Kind, check_measurement_name, parse_limit
from release_gates.policy.mistake import Mistakes, suggestion
from release_gates.policy.table import GATE_NAME, Table, is_name

FILE = "waivers.toml"
TEXTS = ("environment", "gate", "reason", "ticket", "owner", "approver")
KEYS = (
    *TEXTS,
    *("limit", "test", "candidate", "versions", "bound", "baseline", "fingerprint", "created", "expires"),
)
LONGEST = 300
"""Characters of one text: it stands in every report."""


def read_waivers(
    snapshot: Mapping[str, str], environments: Sequence[EnvironmentPolicy] | None, mistakes: Mistakes
) -> tuple[Waiver, ...]:
    """Return the waivers of a snapshot, in the order of the file; every mistake is noted.

    ``environments`` are None where they have mistakes themselves, so that nobody can tell what is known.
    """
    text = snapshot.get(FILE)
    document = None if text is None else read_document(FILE, text, mistakes)
    if document is None:
        return ()
    document.refuse_schema()
    document.refuse_unknown(("schema", "waiver"))
    found = [_waiver(name, table, environments) for name, table in document.tables("waiver")]
    return tuple(each for each in found if each is not None)


def _waiver(name: str, table: Table, environments: Sequence[EnvironmentPolicy] | None) -> Waiver | None:
    before = len(table.mistakes.found)
    table.refuse_unknown(KEYS)
    if not is_name(name, GATE_NAME):
        sentence = f"'{name}' is no name of a waiver. Write lower-case letters, digits, '_' and '-'"
        table.mistakes.add(table.at, sentence, "waiver")
    values: dict[str, Any] = {key: _text(table, key) for key in TEXTS}
    values |= {key: _text(table, key) or "" for key in ("limit", "test", "candidate", "fingerprint")}
    values |= {
        "bound": _limit(table, "bound", "limit"),
        "change": _limit(table, "baseline", "baseline"),
        "versions": _versions(table),
        "created": _moment(table, "created", last=False),
        "expires": _moment(table, "expires", last=True),
    }
    for pair in (("limit", "test"), ("candidate", "versions")):
        _one_of(table, pair)
    for key in (*TEXTS, "created", "expires"):
        if key not in table.values:
            table.mistakes.add(table.at.key(key), "is absent, and every waiver says it", "missing-key")
    _check_form(table)
    if len(table.mistakes.found) > before or (
        environments is not None and not _is_known(table, environments)
    ):
        return None
    return Waiver(name=name, **values)


def _text(table: Table, key: str) -> str | None:
    text = table.text(key)
    if text is not None and (len(text) > LONGEST or not text.isprintable()):
        table.wrong(key, f"must be one line of at most {LONGEST} printable characters", "waiver")
    return text


def _limit(table: Table, key: str, kind: Kind) -> Limit | None:
    text = table.text(key)
    try:
        return None if text is None else parse_limit(text, kind)
    except PolicyError as error:
        table.mistakes.add_error(table.at.key(key), error, value=text)
        return None


def _versions(table: Table) -> tuple[str, str] | None:
    text = _text(table, "versions")
    if text is None:
        return None
    first, separator, last = (part.strip() for part in text.partition(" .. "))
    last = last if separator else first
    try:
        if Version(first) <= Version(last):
            return first, last
        table.wrong("versions", "is an empty range: its first version is the later one", "waiver")
    except InvalidVersion:
        table.wrong("versions", 'must be one version or both ends of a range: "1.4.0 .. 1.4.3"', "waiver")
    return None


def _moment(table: Table, key: str, *, last: bool) -> datetime | None:
    """Return a moment in UTC; of a day its beginning, of the ``last`` day its end."""
    value = table.values.get(key)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    if isinstance(value, date) and not isinstance(value, datetime) and value < date.max:
        return datetime.combine(value + timedelta(days=last), time(), UTC)
    if value is not None:
        what = "must be a date (2026-12-05), or a time with its offset (2026-12-05T18:00:00Z), without quotes"
        table.wrong(key, what, "wrong-type")
    return None


def _one_of(table: Table, pair: tuple[str, str]) -> None:
    stated = [key for key in pair if key in table.values]
    if len(stated) != 1:
        sentence = f"must name either {pair[0]} or {pair[1]}, {'not both' if stated else 'and names neither'}"
        table.mistakes.add(table.at, sentence, "waiver")


def _check_form(table: Table) -> None:
    values = table.values
    for key, digits in (("candidate", 64), ("fingerprint", 32)):
        value = values.get(key)
        if isinstance(value, str) and re.fullmatch(rf"[0-9a-f]{{{digits}}}", value) is None:
            table.wrong(key, f"must be {digits} hexadecimal digits, in lower case", "waiver")
    wrong = ("fingerprint",) if "limit" in values else ("bound", "baseline")
    for key in wrong:
        if key in values and ("limit" in values) is not ("test" in values):
            sentence = "bounds a test" if key == "fingerprint" else "bounds a limit"
            table.wrong(key, f"{sentence}, and this waiver names none", "waiver")
    name = values.get("limit")
    if isinstance(name, str):
        try:
            check_measurement_name(name)
        except PolicyError as error:
            table.mistakes.add_error(table.at.key("limit"), error, value=name)
        if "*" in name:
            table.wrong("limit", "names one measurement, and no pattern of several", "waiver")


def _is_known(table: Table, environments: Sequence[EnvironmentPolicy]) -> bool:
    """Note a waiver for what no policy asks for: it would wait there for something of that name."""
    values = table.values
    environment = next((each for each in environments if each.name == values["environment"]), None)
    if environment is None:
        names = [each.name for each in environments]
        sentence = f"unknown environment.{suggestion(values['environment'], names)}"
        table.wrong("environment", sentence, "unknown-environment")
        return False
    gate = environment.gate(values["gate"])
    if gate is None:
        names = [each.name for each in environment.gates]
        sentence = f"the entry to {environment.name} has no such gate.{suggestion(values['gate'], names)}"
        table.wrong("gate", sentence, "unknown-gate")
        return False
    if "limit" in values and not _has_limit(gate, values["limit"]):
        names = [rule.name for rule in gate.limits]
        sentence = f"gate {gate.name} has no such limit.{suggestion(values['limit'], names)}"
        table.wrong("limit", sentence, "waiver")
        return False
    return True


def _has_limit(gate: GateSpec, name: str) -> bool:
    return any(rule.name == name or fnmatchcase(name, rule.name) for rule in gate.limits)
