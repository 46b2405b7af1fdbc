"""How bad a finding is: by its CVSS score where the tool gives one, else by its level."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from release_gates.model.foreign import plain
from release_gates.model.severity import Severity
from release_gates.probes.sarif.document import Level
from release_gates.probes.sarif.faults import unreadable

SCORE = "security-severity"
"""Property of a rule (GitHub's convention) or of a result: a CVSS score from 0.0 to 10.0."""


def worst(severities: Iterable[Severity]) -> Severity:
    """Return the worst of at least one severity."""
    return min(severities, key=lambda severity: severity.rank)


def by_score(score: Decimal) -> Severity:
    """Return the severity of a CVSS score, by the bands of CVSS 3.1 (section 5); 0.0 is low."""
    for least, severity in ((9, Severity.CRITICAL), (7, Severity.HIGH), (4, Severity.MEDIUM)):
        if score >= least:
            return severity
    return Severity.LOW


def by_level(level: Level) -> Severity:
    """Return the severity of a level; ``none`` on a result that failed says nothing and is a warning."""
    return {
        "error": Severity.HIGH,
        "warning": Severity.MEDIUM,
        "note": Severity.LOW,
        "none": Severity.MEDIUM,
    }[level]


def score_of(properties: dict[str, Any], *, file: str, place: str) -> Decimal | None:
    """Return the CVSS score among some properties, None without one.

    Raises MeasurementError (``sarif-unreadable``) for anything but a decimal number from 0 to 10.
    """
    said = properties.get(SCORE)
    if said is None:
        return None
    text = str(said).strip()
    number = isinstance(said, (str, int, float)) and not isinstance(said, bool)
    if not number or not re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,9})?", text) or Decimal(text) > 10:
        raise unreadable(file, place, f"{SCORE} {plain(repr(said))} is no number from 0.0 to 10.0")
    return Decimal(text)
