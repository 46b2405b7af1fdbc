"""Every fenced block of README and the guides, and what a comment above it says about running it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[3]
AT_THE_TOP = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<kind>[^\n]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
NOTE = re.compile(r"<!-- (in|not run|run by): (.+?) -->\s*\Z")
FILE = re.compile(r"# ([\w/.-]+\.(?:py|toml))\b[^\n]*\n")
LEFT_OUT = "…"


class Snippet(NamedTuple):
    """One block: ``note`` is the word and the rest of the comment above it, both empty if there is none."""

    page: str
    line: int
    kind: str
    text: str
    note: tuple[str, str]

    @property
    def place(self) -> str:
        """Page and line, for messages and ids of tests."""
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str:
        """The file that its first line names; "" if none."""
        found = FILE.match(self.text)
        return found[1] if found else ""


def pages() -> tuple[Path, ...]:
    """Return README, ARCHITECTURE, CONTRIBUTING and every guide."""
    return (*(ROOT / name for name in AT_THE_TOP), *sorted((ROOT / "docs").rglob("*.md")))


def snippets(page: Path) -> Iterator[Snippet]:
    """Yield the blocks of a page in their order."""
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        note = NOTE.search(text, 0, found.start())
        yield Snippet(
            page=page.relative_to(ROOT).as_posix(),
            line=text.count("\n", 0, found.start()) + 1,
            kind=found["kind"].strip(),
            text=dedent(found["text"]),
            note=(note[1], note[2]) if note else ("", ""),
        )


def every_snippet() -> list[Snippet]:
    """Return the blocks of all pages."""
    return [each for page in pages() for each in snippets(page)]
