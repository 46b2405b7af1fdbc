"""``ledger init`` and ``ledger checkpoint``: what keeps the ledger an authority."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from release_gates.cli.project import Project, refusing
from release_gates.cli.signing import KEY
from release_gates.errors import LedgerError
from release_gates.ledger.attestations.keys import read_key
from release_gates.ledger.checkpoint import write_checkpoint
from release_gates.ledger.notes import note_of
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
@click.argument("place", required=False)
@click.option("--key", "file", type=KEY, help="A machine's private key with the role checkpoint.")
@click.pass_obj
@refusing
def checkpoint(project: Project, place: str | None, file: Path | None) -> None:
    """Note number and digest of the ledger's last event in PLACE (default: --gate-checkpoint).

    PLACE is a file, or git:PREFIX for an annotated tag PREFIX-NUMBER in the project's repository. Keep it
    where those who write the ledger cannot: every command compares, and finds a rewound ledger.
    """
    named = None if place is None else note_of(place, base=Path.cwd(), root=project.root)
    note = project.checkpoint if named is None else named
    if note is None:
        raise click.UsageError("name a PLACE, or set GATE_CHECKPOINT")
    signer = None if file is None else read_key(file, project.root)
    ledger = project.ledger(compare=note != project.checkpoint)
    made = write_checkpoint(note, ledger, project.trust(), now=datetime.now(UTC), signer=signer)
    signed = f", signed by key {made.key.name}" if made.key else ""
    project.say(made, [f"{made.name}: event {made.checkpoint.seq}, {made.checkpoint.digest}{signed}"])
