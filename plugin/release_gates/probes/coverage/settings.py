"""What policy may say to the coverage probe, as ``[gate.coverage.coverage]``."""

from __future__ import annotations

import re

import msgspec

RESERVED = frozenset({"total", "diff", "baseline"})
"""Names that measurements use themselves, so that no component may bear them."""


class CoverageSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the coverage of a candidate is read.

    ``report`` names the candidate's artifact; ``source_root`` is relative to the root of the suite.
    ``source_roots`` are folders below it that relative paths in the report start from, or that hold a go.mod;
    without any, JaCoCo's packages are looked for in Maven's layout. ``go_module`` is the module path of
    ``source_root`` where it has no go.mod.
    ``components`` maps a name to path patterns: every source on disk that they name is expected in the
    report; ``exclude`` lists patterns of sources that are not looked at.
    ``diff`` says whether the lines changed since the baseline are measured. Raises ValueError without a
    component, for a component name that is no word or is reserved, and for patterns that are none.
    """

    report: str = "coverage.json"
    source_root: str = "."
    source_roots: list[str] = []
    go_module: str = ""
    components: dict[str, list[str]]
    exclude: list[str] = []
    diff: bool = True

    def __post_init__(self) -> None:
        if not self.components:
            raise ValueError("components must name at least one, so that a source lost from the report shows")
        for name, patterns in self.components.items():
            if name in RESERVED or not re.fullmatch(r"[A-Za-z0-9_-]+", name):
                raise ValueError(
                    f"component {name!r}: use letters, digits, _ and -, and none of {sorted(RESERVED)}"
                )
            if not patterns or "" in patterns:
                raise ValueError(f"component {name!r} has no path pattern, or an empty one")
            for pattern in patterns:
                if pattern.startswith("/") or ".." in pattern.split("/"):
                    raise ValueError(f"component {name!r}: {pattern!r} must lie below source_root")
        for folder in self.source_roots:
            if not folder or folder.startswith("/") or ".." in folder.split("/"):
                raise ValueError(f"source_roots: {folder!r} must be a folder below source_root")
