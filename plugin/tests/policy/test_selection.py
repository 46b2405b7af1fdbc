"""``select``: what a pattern takes, compared with a matcher that is too simple to be wrong; every mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from release_gates.errors import PolicyError
from release_gates.model.gate import Policy
from release_gates.policy.load import load_policy
from release_gates.policy.review import review
from release_gates.policy.selection import expected_in, parse_pattern

ENVIRONMENTS = 'schema = 1\npath = ["dev", "staging"]\n'


def policy(folder: Path, dev: str, staging: str = "", expected: str = "") -> Policy:
    (folder / "environments.toml").write_text(ENVIRONMENTS)
    (folder / "dev.toml").write_text(f'schema = 1\n[gate.unit]\nowner = "me"\n{dev}')
    (folder / "staging.toml").write_text(f'schema = 1\nextends = "dev"\n{staging}')
    (folder / "expected").mkdir(exist_ok=True)
    (folder / "expected/unit.txt").write_text(expected)
    return load_policy(folder, tool="test 1")


def naive(pattern: str, nodeid: str) -> bool:
    """The definition, by recursion over characters."""
    path, _, node = nodeid.partition("::")
    wanted, separator, name = pattern.partition("::")
    return folders(wanted.split("/"), path.split("/")) and (not separator or glob(name, node))


def folders(pattern: list[str], names: list[str]) -> bool:
    if not pattern:
        return not names
    if pattern == ["**"]:
        return bool(names)
    if pattern[0] == "**":
        return folders(pattern[1:], names) or (bool(names) and folders(pattern, names[1:]))
    return bool(names) and glob(pattern[0], names[0]) and folders(pattern[1:], names[1:])


def glob(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return glob(pattern[1:], text) or (bool(text) and glob(pattern, text[1:]))
    return bool(text) and pattern[0] in ("?", text[0]) and glob(pattern[1:], text[1:])


letters = st.text("ab[]!-*?\n", max_size=4)
names = st.text("ab[]", min_size=1, max_size=3)
segments = st.one_of(st.just("**"), st.text("ab[]*?", min_size=1, max_size=3))
patterns = st.builds(
    lambda path, node: "/".join(path) + node,
    st.lists(segments, min_size=1, max_size=4),
    st.one_of(st.just(""), st.text("ab[]*?:/", min_size=1, max_size=5).map("::{}".format)),
)
nodeids = st.builds(
    lambda path, node: "/".join(path) + node,
    st.lists(names, min_size=1, max_size=4),
    st.one_of(st.just(""), letters.map("::{}".format), letters.map("::ab::b[{}]".format)),
)


@settings(max_examples=1000)
@given(patterns, nodeids)
@example("**/b/**/b", "b/a/b/b")
@example("**", "a::b")
@example("a/**", "a")
@example("a::*", "a")
@example("a::*\n", "a::b\n")
def test_takes_what_the_definition_says(pattern: str, nodeid: str) -> None:
    try:
        parsed = parse_pattern(pattern)
    except PolicyError:
        return
    assert parsed.takes(nodeid) is naive(pattern, nodeid)


@settings(max_examples=500)
@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_is_a_pattern_or_a_policy_error(text: str, nodeid: str) -> None:
    try:
        pattern = parse_pattern(text)
    except PolicyError as refused:
        error = refused
    else:
        assert isinstance(pattern.takes(nodeid), bool)
        assert "*" not in pattern.start
        return
    assert (error.slug, bool(error.hint)) == ("select-pattern", True)


@settings(max_examples=300)
@given(st.lists(names, min_size=1, max_size=4), letters.filter(bool))
def test_a_node_id_without_wildcards_takes_itself(path: list[str], node: str) -> None:
    nodeid = "/".join(path) + "::" + node
    if not any(character in nodeid for character in "*?\n"):
        assert parse_pattern(nodeid).takes(nodeid)
        assert parse_pattern("/".join(path)).takes(nodeid)
        assert parse_pattern("**::*").takes(nodeid)


def test_a_hostile_pattern_costs_no_time() -> None:
    pattern = parse_pattern("**/a*a*a*a*a*a*a*a*b/**/**/**/b::" + "a*" * 40 + "b")
    assert not pattern.takes("/".join(["a" * 200] * 40) + "::" + "a" * 5000)
    assert not pattern.takes("a" * 20 + "b/b::" + "a" * 5000)


@pytest.mark.parametrize(
    ("pattern", "node", "takes"),
    [
        ("tests/load/**", "tests/load/test_a.py::test_b", True),
        ("tests/load/**", "tests/load/deep/er/test_a.py::T::test_b[1]", True),
        ("tests/load/**", "tests/loader/test_a.py::test_b", False),
        ("tests/load/*", "tests/load/deep/test_a.py::test_b", False),
        ("tests/**/test_a.py", "tests/test_a.py::test_b", True),
        ("**/test_a.py", "test_a.py::test_b", True),
        ("test_a.py", "tests/test_a.py::test_b", False),
        ("tests/test_a.py::test_b", "tests/test_a.py::test_b[1]", False),
        ("tests/test_a.py::test_b[[]1]", "tests/test_a.py::test_b[1]", False),
        ("tests/test_a.py::test_b[1]", "tests/test_a.py::test_b[1]", True),
        ("tests/test_a.py::test_b[1]", "tests/test_a.py::test_b1", False),
        ("tests/test_a.py::T*", "tests/test_a.py::TestA::test_b[x/y::z]", True),
        ("tests/test_a.py::*[?]", "tests/test_a.py::test_b[x]", True),
        ("Tests/test_a.py", "tests/test_a.py::test_b", False),
        ("tests/test_ä.py", "tests/test_ä.py::test_b", True),
    ],
)
def test_examples(pattern: str, node: str, takes: bool) -> None:
    assert parse_pattern(pattern).takes(node) is takes


@pytest.mark.parametrize(
    ("select", "says"),
    [
        ('"tests/**"', 'select = "tests/**": must be a list of patterns: ["tests/load/**"]'),
        ("[]", "select = []: must be a list of patterns"),
        ("[3]", "select.0 = 3: must be a text in quotes"),
        ('["a.py", ""]', 'select.1 = "": is empty. Write'),
        ('["  "]', "is empty"),
        ('["a.py "]', 'has blanks at its ends. Write "a.py"'),
        ('["/a.py"]', 'select.0 = "/a.py": is an absolute path. Write it from pytest\'s root folder'),
        ('["C:/a.py"]', "is an absolute path"),
        ('["../a.py"]', "goes through '.' or '..'"),
        ('["./a.py"]', "goes through '.' or '..'"),
        ("['a\\\\b.py']", "has a backslash. Write '/' between folders"),
        ("['C:\\\\a.py']", "has a backslash"),
        ('["a//b.py"]', "two '/' in a row"),
        ('["tests/"]', "ends in '/'. Write \"tests/**\""),
        ('["tests/**.py"]', 'Write "**/*.py" for files of that name'),
        ('["::test_a"]', "Write '**::' for any file"),
        ('["a.py::"]', 'Write "a.py" for all tests of the file'),
        ('["a.py", "a.py"]', "stands here twice"),
        ('["a\\nb"]', "cannot be printed"),
    ],
)
def test_mistakes(tmp_path: Path, select: str, says: str) -> None:
    with pytest.raises(PolicyError) as found:
        policy(tmp_path, f"select = {select}\n")
    assert "dev.toml: gate.unit.select" in str(found.value)
    assert says in str(found.value), str(found.value)
    assert "[select-pattern]" in str(found.value)


def test_every_mistake_of_a_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="The policy has 3 mistakes"):
        policy(tmp_path, 'select = ["/a", "b", "..", "c/"]\n')


def test_a_child_inherits_or_replaces_the_whole_list(tmp_path: Path) -> None:
    inherits = policy(tmp_path, 'select = ["a/**", "b/**"]\n', '[gate.unit]\nvalid_for = "1 h"\n')
    assert [env.gates[0].select for env in inherits.environments] == [("a/**", "b/**")] * 2
    replaces = policy(tmp_path, 'select = ["a/**", "b/**"]\n', '[gate.unit]\nselect = ["b/**", "c/**"]\n')
    assert [env.gates[0].select for env in replaces.environments] == [("a/**", "b/**"), ("b/**", "c/**")]
    remarks = [str(remark) for remark in review(replaces)]
    assert 'staging, gate unit: `select` has not "a/**", which the parent\'s has' in remarks


def test_each_entry_expects_what_it_selects(tmp_path: Path) -> None:
    tests = "a/t.py::x\nb/t.py::x\nc/t.py::x\njunit:a/t.py::y\nmarked.py::x\n"
    both = policy(tmp_path, 'select = ["a/**", "b/**"]\n', '[gate.unit]\nselect = ["b/**", "c/**"]\n', tests)
    either = ("junit:a/t.py::y", "marked.py::x")
    dev, staging = (expected_in(both, env)["unit"] for env in both.environments)
    assert dev == ("a/t.py::x", "b/t.py::x", *either)
    assert staging == ("b/t.py::x", "c/t.py::x", *either)
    same = policy(tmp_path, 'select = ["a/**"]\n', "", tests)
    assert expected_in(same, same.environments[1]) == same.expected
