"""The ledger page: what it says, what it must never look like, its size; and the tables."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from release_gates.ledger.chain import Damage
from release_gates.ledger.chronicle import chronicle
from release_gates.model.chronicle import Chronicle
from release_gates.model.event import GateFailed, Promoted, RunInvalidated
from release_gates.report.delivered import FORMULAS
from release_gates.report.ledger_page import ledger_page
from release_gates.report.tables import TABLES, table

from .sample import EXPECTED, STAGING, Story, candidate_of, held, measured
from .test_page import text

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def told(story: Story, *damage: Damage) -> Chronicle:
    made = story.events[-1].at + timedelta(hours=1) if story.events else story._now
    return chronicle(story.events, made=made, head="e" * 64, local=True, damage=damage, path=["staging"])


def eventful(root: Path) -> Story:
    """Return a delivery that failed, a return to the build before it, a run that was taken back."""
    story = held(root)
    first = story.events[1].fact.run  # type: ignore[union-attr]
    fact = GateFailed(
        run="x",
        environment="production",
        candidate=candidate_of("1.0.0").digest,
        gate="smoke",
        test="t",
        because="orders are lost",
    )
    story._append(fact, story._tick())
    story.promote("1.0.0", first)  # a return in staging
    last = story.run("1.6.0", measured(150.0))
    story._append(
        RunInvalidated(run=last, by="pytest", reason="after the verdict a plugin broke"), story._tick()
    )
    return story


def empty(root: Path) -> Story:
    return Story(root, STAGING, EXPECTED)


def single(root: Path) -> Story:
    story = empty(root)
    story.adopt("0.9.0")
    return story


def long(root: Path) -> Story:
    """Return years of deliveries, with names that break pages."""
    story = empty(root)
    run = story.run("1.0.0", measured())
    for number in range(400):
        name = candidate_of(f"1.{number}.0{'-very-long-suffix' * 5}")
        story._now += timedelta(days=5)
        story._append(Promoted(environment="staging", candidate=name, run=run, by="Jane Doe"), story._now)
    return story


def test_what_it_says(tmp_path: Path) -> None:
    seen = text(ledger_page(told(eventful(tmp_path))))
    for sentence in (
        "8 candidates, 7 runs",
        "Newest run, 2026-01-30 21:00 UTC: trading-engine 1.6.0, entry to staging: PROMOTE, taken back.",
        "LOCAL: this ledger is unsigned",
        "HOLD (broken) 2026-01-30 18:00 UTC, 9 min, by ci",
        "live since 2026-01-30 12:00 UTC, promoted by Jane Doe",
        "FAILED SINCE gate smoke: orders are lost",
        "PROMOTE, taken back",
        "after the verdict a plugin broke",
        "2 deliveries in",
        "n = 2: too few deliveries for a rate or a trend",
        "trading-engine 1.0.0 came back",
        "1 of 2",
        "Never proved: smoke (staging)",
        *FORMULAS.values(),
    ):
        assert sentence in seen, sentence


def test_no_verdict_is_painted_as_a_go(tmp_path: Path) -> None:
    for story in (eventful, held, empty):
        html = ledger_page(told(story(tmp_path / story.__name__)))
        body = html[html.index("<body>") :]
        assert 'class="go"' not in body
        assert 'class="PASS"' not in body
        assert "may enter" not in body
        assert "promote --to" not in body


def test_a_damaged_ledger_is_not_believed(tmp_path: Path) -> None:
    html = ledger_page(told(held(tmp_path), Damage(3, "event 3 was changed")))
    assert '<header class="stop">' in html
    seen = text(html)
    assert "This ledger is damaged: believe nothing on this page." in seen
    assert "event 3 was changed" in seen
    assert "Its chain is whole" not in seen


def test_empty_and_single(tmp_path: Path) -> None:
    seen = text(ledger_page(told(empty(tmp_path / "empty"))))
    for sentence in ("The ledger is empty", "No candidate yet.", "No verdict yet, so no gate is known."):
        assert sentence in seen
    seen = text(ledger_page(told(single(tmp_path / "single"))))
    assert "1 candidate, 0 runs" in seen
    assert "0 deliveries in" in seen
    assert "nan" not in seen.casefold().split()


def test_nothing_is_said_as_it_was_written(tmp_path: Path) -> None:
    evil = '"><script>alert(1)</script>'
    story = single(tmp_path)
    fact = msgspec.structs.replace(story.events[0].fact, by=evil)
    story._append(msgspec.structs.replace(fact, candidate=candidate_of(f"2{evil}")), story._tick())
    html = ledger_page(told(story))
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 2


def test_years_fit_into_200_kb(tmp_path: Path) -> None:
    html = ledger_page(told(long(tmp_path)))
    assert len(html.encode()) < 200_000
    assert "And 301 older candidates" in html
    assert re.search(r"[\d.]+ a week \(400 deliveries in [\d.]+ days\)", text(html))


def test_tables(tmp_path: Path) -> None:
    found = told(eventful(tmp_path))
    for name, (header, _) in TABLES.items():
        rows = list(csv.reader(table(found, name).splitlines()))
        assert tuple(rows[0]) == header
        assert len(rows) > 1 or name == "waivers"
        assert {len(row) for row in rows} == {len(header)}
    (bad,) = [row for row in csv.DictReader(table(found, "runs").splitlines()) if row["invalidated"]]
    assert bad["verdict"] == "PROMOTE, taken back"
    assert bad["duration_s"] == "542.0"


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    story = single(tmp_path)
    fact = msgspec.structs.replace(story.events[0].fact, by="=cmd|'/c calc'!A0", candidate=candidate_of("9"))
    story._append(fact, story._tick())
    cells = [cell for row in csv.reader(table(told(story), "live").splitlines()) for cell in row]
    assert "'=cmd|'/c calc'!A0" in cells
    assert not any(cell.startswith("=") for cell in cells)


@pytest.mark.parametrize("story", [empty, single, eventful, long])
def test_in_a_browser(browser: Browser, story: Callable[[Path], Story], tmp_path: Path) -> None:
    from axe_playwright_python.sync_playwright import Axe

    from .test_page_in_browser import RULES

    file = tmp_path / "ledger.html"
    file.write_text(ledger_page(told(story(tmp_path))), encoding="utf-8")
    schemes: list[Any] = ["light", "dark"]
    for width, scheme in zip((390, 1400), schemes, strict=True):
        view = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        asked: list[str] = []
        said: list[str] = []
        view.on("request", lambda request, asked=asked: asked.append(request.url))
        view.on("console", lambda message, said=said: said.append(message.text))
        view.goto(file.as_uri())
        assert (asked, said) == ([file.as_uri()], [])
        assert view.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(view, options={"runOnly": {"type": "tag", "values": RULES}})
        assert found.violations_count == 0, found.generate_report()
        view.close()
