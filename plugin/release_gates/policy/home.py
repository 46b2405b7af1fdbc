"""Whose policy it is: the project's own ``gates/``, or one from elsewhere, under which a verdict is LOCAL."""

from __future__ import annotations

from pathlib import Path

OWN = "gates"


def find_root(start: Path) -> Path:
    """Return the nearest folder upwards that holds ``gates/``, or ``start`` itself."""
    return next((folder for folder in (start, *start.parents) if (folder / OWN).is_dir()), start)


def elsewhere(policy_dir: Path, root: Path) -> str:
    """Return the policy folder, if it is not the project's own; "" if it is.

    Links are followed: what lies in the project's ``gates/`` is its own, wherever that leads.
    """
    return "" if policy_dir.resolve() == (root / OWN).resolve() else str(policy_dir.resolve())
