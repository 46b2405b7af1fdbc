"""A verdict on a shorter route, in every form: never taken for the normal one, and red while that is owed."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from release_gates.cli.reporting import FORMS
from release_gates.ledger.chronicle import chronicle
from release_gates.ledger.history import runs
from release_gates.ledger.owed import owed
from release_gates.model.chronicle import Chronicle
from release_gates.model.release import Release
from release_gates.model.verdict import Verdict
from release_gates.report.allure_run import variables, verdict_result
from release_gates.report.headline import headline
from release_gates.report.ledger_page import ledger_page
from release_gates.report.notification import notification
from release_gates.report.rows import rows
from release_gates.report.tables import table
from release_gates.report.text import explanation_lines, next_command, verdict_lines

from .sample import Story, hotfixed, measured, promoted
from .test_ci_forms import green, told
from .test_page import text

SAID = ("on route hotfix", "left unproven", "benchmark", "drill")
DUE = "a PROMOTE on the normal route for the same digests is due by 2026-01-31"
EMERGENCY = {"route": "break-glass", "full_within_s": 86400.0, "ticket": "OPS-1", "reason": "orders are lost"}


@pytest.fixture
def hotfix(tmp_path: Path) -> Release:
    return told(hotfixed(tmp_path))


def verdict_of(release: Release) -> Verdict:
    assert release.verdict is not None
    assert release.verdict.promotes
    return release.verdict


def live(root: Path, **more: object) -> Story:
    story = hotfixed(root, str(more.get("route", "hotfix")))
    run = runs(story.events)[-1].started.run
    story.promote("1.2.0", run, **{"route": "hotfix", "full_within_s": 86400.0, **more})
    return story


def page_of(story: Story) -> Chronicle:
    made = story.events[-1].at + timedelta(hours=1)
    return chronicle(story.events, made=made, head="e" * 64, local=True, path=["staging"])


@pytest.mark.parametrize("form", sorted(FORMS))
def test_every_form_says_the_route_and_what_is_unproven(form: str, hotfix: Release) -> None:
    made = FORMS[form](hotfix)
    assert green(form, made)
    if form == "openmetrics":
        assert 'route="hotfix",unproven="benchmark,drill"' in made
    else:
        assert all(word in made for word in SAID), made


@pytest.mark.parametrize("form", sorted(FORMS))
def test_no_form_is_green_while_the_normal_route_is_owed(form: str, tmp_path: Path) -> None:
    story = live(tmp_path)
    debt = owed(story.events, "staging")
    assert debt is not None
    red = msgspec.structs.replace(told(story), stands=debt.sentence(story.events[-1].at))
    made = FORMS[form](red)
    assert not green(form, made)
    if form != "openmetrics":
        assert "due by" in made


def test_the_terminal_and_explain_say_it(hotfix: Release) -> None:
    verdict = verdict_of(hotfix)
    for lines in (
        verdict_lines(verdict, head="e" * 64),
        list(explanation_lines(verdict, {}, width=80, most=8)),
    ):
        assert all(word in " ".join(" ".join(lines).split()) for word in SAID)


def test_allure_says_it_in_the_title_and_on_page_one(hotfix: Release) -> None:
    verdict = verdict_of(hotfix)
    made = verdict_result(verdict, "e" * 64, "u", 0, ())
    assert made["name"].startswith(
        "Verdict: PROMOTE on route hotfix, left unproven on route hotfix: benchmark"
    )
    assert all(word in made["description"] for word in SAID)
    shown = variables(verdict)
    assert (shown["Route"], "benchmark, drill" in shown["Unproven"]) == ("hotfix", True)


def test_the_message_to_a_chat_says_it(hotfix: Release) -> None:
    message = json.loads(notification(hotfix))
    for part in (message["text"], message["blocks"][1]["text"]["text"]):
        assert all(word in part for word in SAID)


@pytest.mark.parametrize(
    ("route", "command"),
    [
        ("hotfix", "release-gates promote --to staging --route hotfix"),
        ("break-glass", "release-gates promote --to staging --break-glass --ticket TICKET --reason TEXT"),
    ],
)
def test_the_command_that_is_told_is_of_the_route(route: str, command: str, tmp_path: Path) -> None:
    release = told(hotfixed(tmp_path, route))
    assert next_command(verdict_of(release)) == command
    assert headline(release, rows(release)).commands == (command,)


def test_the_normal_route_is_told_as_ever(tmp_path: Path) -> None:
    release = told(promoted(tmp_path))
    assert all("route" not in FORMS[form](release) for form in FORMS if form != "html")
    assert "unproven" not in FORMS["html"](release)


def test_the_ledger_page_says_what_is_owed_and_since_when_it_is_overdue(tmp_path: Path) -> None:
    story = live(tmp_path, **EMERGENCY)
    made = ledger_page(page_of(story))
    for said in ("on route break-glass, OPS-1: orders are lost", DUE, "left unproven on route break-glass"):
        assert said in text(made), said
    assert made.count('<p class="FAIL"><b class="o">OWED</b>') == 1
    assert made.count('<td class="FAIL">') == 1
    late = chronicle(story.events, made=story.events[-1].at + timedelta(days=2), head="e", local=True)
    assert "same digests was due by" in text(ledger_page(late))
    line = next(line for line in table(page_of(story), "live").splitlines() if "OPS-1" in line)
    assert line.startswith("staging,")
    assert "break-glass,OPS-1," in line
    assert "is due by" in line


def test_the_ledger_page_stops_once_the_normal_route_has_passed(tmp_path: Path) -> None:
    story = live(tmp_path)
    story.run("1.2.0", measured(140.0))
    seen = text(ledger_page(page_of(story)))
    assert "OWED" not in seen
    assert "promoted by Jane Doe on route hotfix" in seen


def test_what_was_live_before_owes_nothing_on_the_page(tmp_path: Path) -> None:
    story = live(tmp_path)
    story.promote("1.3.0", story.run("1.3.0", measured(140.0)))
    assert "OWED" not in text(ledger_page(page_of(story)))
