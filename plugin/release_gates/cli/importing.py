"""``import``: results of other tools become one part of the evidence; ``decide`` joins the parts."""

from __future__ import annotations

import click


@click.group("import")
def import_results() -> None:
    """Take results of other tools into the evidence, as one part of a run.

    Each file is read strictly: what is damaged, stale, empty or about another commit is refused, and
    nothing is written then. `release-gates decide` joins the parts.

    Exit status: 0 when the part was written (whatever the results are), 10 if the file proves nothing,
    2 if the command is wrong.
    """
