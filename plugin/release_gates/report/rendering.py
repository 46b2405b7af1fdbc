"""Templates of pages: everything that goes in is escaped, and a name that does not exist is an error."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from release_gates.report.tally import count

TEMPLATES = Path(__file__).parent / "templates"


def template(name: str) -> Any:
    """Return a template of this package, with what all pages call."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"when": when, "digest": lambda text: str(text)[:12], "count": count}
    return environment.get_template(name)


def when(at: datetime) -> str:
    """Return a moment to the minute."""
    return f"{at:%Y-%m-%d %H:%M} UTC"
