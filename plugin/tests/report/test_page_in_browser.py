"""The release page in a real browser: no request, no error, readable for everybody, at every width."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from release_gates.report.page import page

from .sample import Story, held, many, ms, only, promoted

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def extreme(root: Path) -> Story:
    """Return values that break pictures: huge, tiny, zero, far beyond, with long names."""
    limits = '"*" = "<= 5 ms"\n'
    names = ["a" * 80, "huge", "tiny", "zero"]
    return only(
        root, limits, *(ms(name, value) for name, value in zip(names, (7, 1e300, 1e-300, 0), strict=True))
    )


def test_nobody_is_left_out(browser: Browser, tmp_path: Path) -> None:
    from axe_playwright_python.sync_playwright import Axe

    for story, width, scheme in (
        (held, 390, "light"),
        (held, 1400, "dark"),
        (promoted, 1400, "light"),
        (promoted, 390, "dark"),
    ):
        view = opened(browser, story, tmp_path, width=width, scheme=scheme)
        found = Axe().run(view, options={"runOnly": {"type": "tag", "values": RULES}})
        assert found.violations_count == 0, found.generate_report()
        view.close()


@pytest.mark.parametrize("story", [held, extreme, lambda root: many(root, 200)])
def test_every_page_fits_every_width(
    browser: Browser, story: Callable[[Path], Story], tmp_path: Path
) -> None:
    for width in (320, 390, 768, 1400):
        opened(browser, story, tmp_path, width=width, scheme="light").close()


def opened(
    browser: Browser, story: Callable[[Path], Story], folder: Path, *, width: int, scheme: Any
) -> Page:
    """Open a story's page; it asks for nothing but itself, complains of nothing, and is not too wide."""
    file = folder / f"{story.__name__.strip('<>')}.html"
    if not file.exists():
        file.write_text(page(story(folder / file.stem).release()), encoding="utf-8")
    view = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    asked: list[str] = []
    said: list[str] = []
    view.on("request", lambda request: asked.append(request.url))
    view.on("console", lambda message: said.append(message.text))
    view.on("pageerror", lambda error: said.append(str(error)))
    view.goto(file.as_uri())
    assert asked == [file.as_uri()]
    assert said == []
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    return view


def test_it_is_read_without_script_and_printed(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "release.html"
    file.write_text(page(held(tmp_path).release()), encoding="utf-8")
    context = browser.new_context(java_script_enabled=False)
    view = context.new_page()
    view.goto(file.as_uri())
    for sentence in ("HOLD (broken)", "order_ack.p99", "Where this comes from"):
        assert view.get_by_text(sentence).first.is_visible()
    view.emulate_media(media="print")
    view.set_viewport_size({"width": 718, "height": 1000})  # A4 less its margins, at 96 pixels an inch
    assert view.evaluate("document.documentElement.scrollWidth") <= 718
    printed = view.pdf(format="A4")
    assert printed.startswith(b"%PDF")
    assert 2 <= printed.count(b"/Type /Page\n") <= 8
    context.close()
