"""``over 10 s`` and ``abort``: read, refused with what to write, and missed where a child drops them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.errors import PolicyError
from release_gates.policy.grammar import parse_limit, render_limit
from release_gates.policy.load import load_policy
from release_gates.policy.review import review

PATH = 'schema = 1\npath = ["dev", "staging"]\n'


def written(folder: Path, dev: str, staging: str) -> Path:
    head = '[gate.load]\nowner = "me"\n[gate.load.limits]\n'
    (folder / "environments.toml").write_text(PATH)
    (folder / "dev.toml").write_text(f"schema = 1\n{head}{dev}\n")
    (folder / "staging.toml").write_text(f'schema = 1\nextends = "dev"\n[gate.load.limits]\n{staging}\n')
    return folder


def remarks(folder: Path) -> str:
    return "\n".join(str(remark) for remark in review(load_policy(folder, tool="test 1")))


@pytest.mark.parametrize(
    ("text", "window_s", "shown"),
    [
        ("<= 1 s over 10 s", 10.0, "<= 1 s over 10 s"),
        ("<=1ms over 1 min", 60.0, "<= 1 ms over 60 s"),
        ("1 .. 5 ms  over  2000 ms", 2.0, "1 .. 5 ms over 2 s"),
        ("<= 0.1 % over 10s", 10.0, "<= 0.1 % over 10 s"),
    ],
)
def test_a_window_is_part_of_the_limit(text: str, window_s: float, shown: str) -> None:
    limit = parse_limit(text)
    assert limit.window_s == window_s
    assert limit.bounds == parse_limit(text.split("over", maxsplit=1)[0]).bounds
    assert render_limit(limit) == shown
    assert parse_limit(shown).bounds == limit.bounds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<= 1 s over", "'over ' names no duration"),
        ("<= 1 s over 10", "'over 10' names no duration"),
        ("<= 1 s over -10 s", "'over -10 s' names no duration"),
        ("<= 1 s over 10 ms", "'over 10 ms' is not a whole number of seconds"),
        ("<= 1 s over 10 MiB", "'over 10 MiB' names no duration"),
        ("<= 1 s over 10 s over 5 s", "names no duration"),
    ],
)
def test_what_is_no_window_says_what_to_write(text: str, message: str) -> None:
    with pytest.raises(PolicyError, match="over 10 s") as found:
        parse_limit(text)
    assert message in str(found.value)
    assert "limit-window" in str(found.value)


def test_a_change_has_no_window() -> None:
    with pytest.raises(PolicyError, match="for limits and targets only"):
        parse_limit("<= 5 % over 10 s", "baseline")


@given(st.floats(0, 1e6, allow_subnormal=False), st.integers(1, 10**6))
def test_what_is_rendered_reads_the_same(value: float, seconds: int) -> None:
    limit = parse_limit(f"<= {value!r} s over {seconds} s")
    again = parse_limit(render_limit(limit))
    assert (again.bounds, again.window_s) == (limit.bounds, limit.window_s)


def test_abort_is_read_and_needs_a_limit(tmp_path: Path) -> None:
    rule = '"a.p99" = { limit = "<= 1 s", abort = true }'
    policy = load_policy(written(tmp_path, rule, ""), tool="test 1")
    assert [rule.abort for rule in policy.environments[1].gates[0].limits] == [True]
    with pytest.raises(PolicyError, match="abort-limit"):
        load_policy(written(tmp_path, '"a.p99" = { target = "<= 1 s", abort = true }', ""), tool="test 1")
    with pytest.raises(PolicyError, match="must be true or false"):
        load_policy(written(tmp_path, '"a.p99" = { limit = "<= 1 s", abort = "yes" }', ""), tool="test 1")


@pytest.mark.parametrize(
    ("dev", "staging", "weaker"),
    [
        ('"<= 1 s over 10 s"', '"<= 1 s"', True),
        ('"<= 1 s over 10 s"', '"<= 1 s over 20 s"', True),
        ('"<= 1 s over 10 s"', '"<= 0.5 s over 20 s"', True),
        ('"<= 1 s over 10 s"', '"<= 1 s over 10 s"', False),
        ('"<= 1 s over 10 s"', '"<= 1 s over 5 s"', False),
        ('"<= 1 s"', '"<= 1 s over 10 s"', False),
        ('"<= 1 s over 10 s"', '"<= 2 s over 10 s"', True),
    ],
)
def test_a_window_that_is_dropped_or_widened_is_weaker(
    tmp_path: Path, dev: str, staging: str, weaker: bool
) -> None:
    found = remarks(written(tmp_path, f'"a.p99" = {dev}', f'"a.p99" = {staging}'))
    assert ("weaker than the parent's" in found) is weaker


def test_an_abort_that_is_dropped_is_said(tmp_path: Path) -> None:
    rule = '"a.p99" = {{ limit = "<= 1 s", abort = {} }}'
    found = remarks(written(tmp_path, rule.format("true"), rule.format("false")))
    assert '"a.p99" no longer ends a run that breaks it' in found
    assert "no longer" not in remarks(written(tmp_path, rule.format("false"), rule.format("true")))
