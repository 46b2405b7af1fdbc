"""The pictures of the statistics page are what the judge says today."""

from __future__ import annotations

from pathlib import Path

from defusedxml.ElementTree import fromstring

from docs.figures import HERE, LIMIT, PLAN, figures
from plugin.tests.docs.snippets import ROOT
from release_gates.judge.sequential import is_plan
from release_gates.policy.load import load_policy


def test_pictures_are_current() -> None:
    """After a change of the judge: ``python docs/figures.py``, and look at them."""
    drawn = figures()
    assert sorted(drawn) == sorted(path.name for path in HERE.glob("*.svg"))
    for name, text in drawn.items():
        assert (HERE / name).read_text(encoding="utf-8") == text, f"{name} is stale: python docs/figures.py"


def test_pictures_are_svg_that_asks_nobody() -> None:
    for path in HERE.glob("*.svg"):
        root = fromstring(path.read_text(encoding="utf-8"))
        assert root.tag.endswith("svg")
        assert not [each for each in root.iter() if any("href" in key or "src" in key for key in each.attrib)]
        assert "url(" not in path.read_text(encoding="utf-8")


def test_the_plan_is_that_of_this_repository() -> None:
    gate = load_policy(Path(ROOT / "gates"), tool="docs").environment("staging").gate("benchmark")
    assert tuple(gate.settings["benchmark"]["looks"]) == PLAN.looks
    assert is_plan(PLAN)
    assert 0.0148 < LIMIT < 0.015
