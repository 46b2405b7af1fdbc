"""Text of others, made fit for our sentences: no reader of a file of others shows it otherwise."""

from __future__ import annotations

SHOWN = 80
"""Longer texts are cut in a message, in characters."""


def plain(text: object, most: int = SHOWN) -> str:
    """Return a foreign text on one line, without control characters, at most ``most`` long."""
    line = " ".join(str(text)[: 4 * most].split())
    line = "".join(c if c.isprintable() else "?" for c in line[: most + 1])
    return line if len(line) <= most else f"{line[: most - 1]}…"
