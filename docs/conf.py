"""Sphinx: README, ARCHITECTURE and CONTRIBUTING as pages, and a reference that is made from the code."""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))

from reference_pages import PAGES  # noqa: E402

from release_gates import TOOL  # noqa: E402

project = "pytest-release-gates"
release = TOOL.rpartition(" ")[2]
html_title = f"pytest-release-gates {release}"
html_theme = "furo"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_use_type_comments = False
html_static_path: list[str] = []
html_show_sourcelink = False
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False

AT_THE_TOP = {"readme": "README.md", "architecture": "ARCHITECTURE.md", "contributing": "CONTRIBUTING.md"}
"""Pages that are files of the root folder, as they stand there."""
OTHERS = "all-other-guides"
"""Stands in the index for every guide that it does not name."""
LINK = re.compile(r"\[([^\]]+)\]\((?!https?:|#)([^)#]+)(#[^)]*)?\)")


def read_source(_: object, name: str, source: list[str]) -> None:
    """Fill a page in before it is parsed: from the root folder, or made from the code."""
    if name in AT_THE_TOP:
        source[0] = LINK.sub(_link, (ROOT / AT_THE_TOP[name]).read_text(encoding="utf-8"))
    if name == "index":
        source[0] = source[0].replace(OTHERS, "\n".join(_others(source[0])))
    if name in PAGES:
        source[0] = f"{source[0]}\n{PAGES[name]()}"


def _others(index: str) -> list[str]:
    """Return the guides of this folder that the index does not name: a new one needs no entry."""
    named = set(index.split())
    return sorted(page.stem for page in HERE.glob("*.md") if page.stem not in {*named, "index"})


def _link(found: re.Match[str]) -> str:
    """Return a link of the root folder as one of this site; what is no page here is named by its path."""
    text, target, anchor = found[1], found[2], found[3] or ""
    pages = {file: f"{name}.md" for name, file in AT_THE_TOP.items()}
    page = pages.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else "")
    if page:
        return f"[{text}]({page}{anchor})"
    if not (ROOT / target).exists():
        raise ValueError(f"a link leads to {target}, which is not there")
    return text if target in text else f"{text} (`{target}`)"


def setup(app: object) -> None:
    """Hear of each page before it is parsed."""
    app.connect("source-read", read_source)  # type: ignore[attr-defined]
