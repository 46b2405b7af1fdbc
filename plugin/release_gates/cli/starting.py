"""``init`` and ``demo``: the first ten minutes."""

from __future__ import annotations

import click

from release_gates.cli.project import Project, refusing


@click.command()
@click.pass_obj
@refusing
def init(project: Project) -> None:
    """."""


@click.command()
def demo() -> None:
    """."""
