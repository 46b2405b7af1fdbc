"""What policy may say to the coverage probe, as ``[gate.coverage.coverage]``."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

Rate = Literal["line", "branch", "function"]
"""What a rate counts."""

RESERVED = frozenset({"total", "diff", "baseline"})
"""Names that measurements use themselves, so that no component may bear them."""


class CoverageSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the coverage of a candidate is read.

    ``report`` names the candidate's artifact; ``source_root`` is relative to the root of the suite; ``components``
    maps a name to path patterns, ``exclude`` lists patterns of sources that are not looked at. ``rates`` says what is
    measured; ``diff`` whether the lines changed since the baseline are; ``baseline`` whether its report is compared.
    Raises ValueError for a component name that is no word or is reserved, and for one without a pattern.
    """

    report: str = "coverage.json"
    source_root: str = "."
    components: dict[str, list[str]]
    exclude: list[str] = []
    rates: list[Rate] = ["line", "branch", "function"]
    diff: bool = True
    baseline: bool = True

    def __post_init__(self) -> None:
        for name, patterns in self.components.items():
            if name in RESERVED or not re.fullmatch(r"[A-Za-z0-9_-]+", name):
                raise ValueError(
                    f"component {name!r}: use letters, digits, _ and -, and none of {sorted(RESERVED)}"
                )
            if not patterns or "" in patterns:
                raise ValueError(f"component {name!r} has no path pattern, or an empty one")
        if not self.rates or len(set(self.rates)) != len(self.rates):
            raise ValueError("rates must name line, branch or function, each at most once")
