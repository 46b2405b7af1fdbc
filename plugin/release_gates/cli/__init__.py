"""``release-gates …``: thin commands over the packages that do the work."""

from __future__ import annotations


def main() -> None:
    """Run the command line (entry point ``release-gates``)."""
    from release_gates.cli.commands import program

    program()
