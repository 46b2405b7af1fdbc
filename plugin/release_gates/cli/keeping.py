"""``ledger init`` and ``ledger checkpoint``: what keeps the ledger an authority."""

from __future__ import annotations

from pathlib import Path

import click

from release_gates.cli.project import Project, refusing
from release_gates.errors import LedgerError
from release_gates.ledger.checkpoint import write_checkpoint
from release_gates.ledger.postgresql.address import SCHEME
from release_gates.ledger.postgresql.making import make_ledger


@click.group()
def ledger() -> None:
    """Make a ledger that many hosts share, and note outside where it is."""


@ledger.command()
@click.argument("url", required=False)
@click.option("--writer", required=True, metavar="ROLE", help="The role that may append and read, no more.")
@click.pass_obj
@refusing
def init(project: Project, url: str | None, writer: str) -> None:
    """Make the ledger in PostgreSQL that URL names (default: --gate-ledger), owned by URL's role.

    Runs of gates connect as ROLE, which is there already. For a ledger that is there, ROLE gets its rights.
    """
    address = url if url is not None else project.ledger_url
    if address is None or not address.startswith(f"{SCHEME}://"):
        raise LedgerError(
            "`ledger init` makes a ledger in PostgreSQL, and none is named.",
            slug="unknown-ledger",
            hint="Name postgresql://owner@host/database; a file is made by the first run that uses it.",
        )
    place, new = make_ledger(address, writer)
    done = "made" if new else "was there"
    lines = [
        f"{place}: the ledger {done}; {writer} may append and read, and nobody may change what is written"
    ]
    project.say({"ledger": place, "new": new, "writer": writer}, lines)


@ledger.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.pass_obj
@refusing
def checkpoint(project: Project, file: Path | None) -> None:
    """Note number and digest of the ledger's last event in FILE (default: --gate-checkpoint).

    Keep it where those who write the ledger cannot: every command compares, and finds a rewound ledger.
    """
    path = file.absolute() if file is not None else project.checkpoint
    if path is None:
        raise click.UsageError("name a FILE, or set GATE_CHECKPOINT")
    made = write_checkpoint(path, project.ledger(compare=path != project.checkpoint))
    project.say(made, [f"{path.name}: event {made.seq}, {made.digest}"])
