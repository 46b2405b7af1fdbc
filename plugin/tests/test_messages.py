"""Every slug has its paragraph in docs/messages.md, and every paragraph its slug."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "plugin" / "release_gates"
SHAPE = re.compile(r"[a-z]+(-[a-z]+)*")
NO_SLUGS = {
    "approve-rules",
    "cat-file",
    "commit-tree",
    "condition-coverage",
    "first-release",
    "for-each-ref",
    "hash-object",
    "ls-files",
    "ls-remote",
    "ls-tree",
    "read-tree",
    "rev-parse",
    "update-index",
    "write-tree",
}
"""Words of the same shape that are passed to functions as they stand: attributes, commands."""


def constants() -> Iterator[tuple[str, bool]]:
    """Yield every text constant of the package, and whether it is certainly a slug."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                for keyword in node.keywords:
                    if keyword.arg == "slug" and isinstance(keyword.value, ast.Constant):
                        yield str(keyword.value.value), True
                for argument in node.args:
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                        text = argument.value
                        yield text, bool(SHAPE.fullmatch(text)) and "-" in text and text not in NO_SLUGS
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value, False
                for found in re.findall(r" \[([a-z]+(?:-[a-z]+)+)\]$", node.value):
                    yield found, True


def headings() -> list[str]:
    text = (ROOT / "docs" / "messages.md").read_text(encoding="utf-8")
    return re.findall(r"^## (.+)$", text, flags=re.MULTILINE)


def test_every_slug_has_its_paragraph() -> None:
    assert sorted({text for text, slug in constants() if slug} - set(headings())) == []


def test_every_paragraph_has_its_slug() -> None:
    known = {text for text, _ in constants()}
    assert [heading for heading in headings() if heading not in known] == []


def test_paragraphs_are_sorted_and_single() -> None:
    assert headings() == sorted(set(headings()))
