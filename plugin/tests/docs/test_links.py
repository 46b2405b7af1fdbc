"""Every link of README and the guides leads somewhere: a file, a heading, or an address that may be one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from plugin.tests.docs.snippets import FENCE, ROOT, pages

LINK = re.compile(
    r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)>\s]+)>?[^)]*\)|<(https?:[^>\s]+)>|(https?://[^\s)>`\"']+)"
)
CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
HEADING = re.compile(r"^#{1,6} +(.+?)\s*$", re.MULTILINE)
TARGETS = re.compile(r"^\(([\w-]+)\)=$", re.MULTILINE)


def links(page: Path) -> Iterator[str]:
    """Yield where a page's links lead, without those in code."""
    text = CODE.sub("", FENCE.sub("", page.read_text(encoding="utf-8")))
    for found in LINK.finditer(text):
        yield next(filter(None, found.groups()))


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return what GitHub and Sphinx call the headings of a page."""
    text = page.read_text(encoding="utf-8")
    seen: Counter[str] = Counter()
    names = set(TARGETS.findall(text))
    for heading in HEADING.findall(FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        names.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return frozenset(names)


def problem(page: Path, link: str) -> str:
    """Return why a link leads nowhere; "" if it does."""
    parts = urlsplit(link)
    if parts.scheme:
        host = parts.hostname or ""
        fits = parts.scheme == "https" and re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", host)
        return "" if fits else "is no https address of a host"
    target = (page.parent / parts.path).resolve() if parts.path else page
    if not target.exists():
        return "is not there"
    if not target.is_relative_to(ROOT):
        return "is outside of the repository"
    if parts.fragment and parts.fragment not in anchors(target):
        return f"has no such heading; it has {sorted(anchors(target))}"
    return ""


@pytest.mark.parametrize(
    "page", [pytest.param(each, id=each.relative_to(ROOT).as_posix()) for each in pages()]
)
def test_every_link_leads_somewhere(page: Path) -> None:
    wrong = [f"{link} {why}" for link in links(page) if (why := problem(page, link))]
    assert wrong == []


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ("README.md#two-commands", ""),
        ("#add-a-unit", "no such heading"),
        ("docs/nowhere.md", "is not there"),
        ("../outside.md", "is not there"),
        ("/etc/passwd", "is outside"),
        ("http://example.org/", "no https"),
        ("https:///path", "no https"),
        ("https://exa mple.org", "no https"),
        ("https://allurereport.org", ""),
        ("mailto:me@example.org", "no https"),
    ],
)
def test_what_leads_nowhere_is_found(link: str, why: str) -> None:
    found = problem(ROOT / "README.md", link)
    assert why in found if why else found == ""


def test_links_are_found(tmp_path: Path) -> None:
    """Those in text are, those in code are not."""
    page = tmp_path / "a.md"
    page.write_text(
        "[a](b.md) ![c](d.svg) <https://e.org> `[f](g.md)` https://h.org/i\n"
        "```text\n[j](k.md)\n```\n[l `m`](n.md#o)"
    )
    assert list(links(page)) == ["b.md", "d.svg", "https://e.org", "https://h.org/i", "n.md#o"]


def test_there_are_links() -> None:
    assert sum(1 for page in pages() for _ in links(page)) > 40
