"""Reading ``defects.toml``: every mistake in words, and no surprise on any input."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_gates.errors import PolicyError
from release_gates.model.gate import EnvironmentPolicy, Policy
from release_gates.model.outcome import Outcome
from release_gates.policy.load import policy_from_snapshot
from release_gates.policy.mistake import PolicyMistakes
from release_gates.proof.registry import FILE, Registry, first_of_each, read_registry, review_defects, select

HEAD = """
schema = 1
environment = "staging"
clean = ["{python}", "-m", "plant", "{candidate}"]
apply = ["{python}", "-m", "plant", "{candidate}", "{defect}"]
"""
LOST = """
[defect.lost_order]
what = "An order is acknowledged and never journalled."
gate = "smoke"
message = "journal.lost_events is"
"""
POLICY: dict[str, str] = {
    "/tool": "test 1",
    "environments.toml": 'schema = 1\npath = ["dev", "staging"]\n',
    "dev.toml": 'schema = 1\n[gate.smoke]\nowner = "me"\n',
    "staging.toml": 'schema = 1\nextends = "dev"\n[gate.load]\nowner = "me"\n',
}


def policy() -> Policy:
    return policy_from_snapshot(POLICY)


def read(text: str | None) -> Registry:
    return read_registry(POLICY if text is None else {**POLICY, FILE: text}, policy())


def staging() -> EnvironmentPolicy:
    found = policy().environment("staging")
    assert found is not None
    return found


def mistakes(text: str) -> dict[str, str]:
    with pytest.raises(PolicyMistakes) as found:
        read(text)
    return {mistake.slug: str(mistake) for mistake in found.value.mistakes}


def test_everything_that_can_be_declared() -> None:
    own = """
outcome = "MISSING"
apply = ["tc", "qdisc", "add"]
undo = ["tc", "qdisc", "del", "{candidate}"]
"""
    registry = read(HEAD + 'timeout = "20 min"\n' + LOST + own)
    (defect,) = registry.defects
    assert (registry.environment, registry.timeout_s) == ("staging", 1200)
    assert defect.outcome is Outcome.MISSING
    assert (defect.name, defect.gate, defect.message) == ("lost_order", "smoke", "journal.lost_events is")
    assert defect.apply == ("tc", "qdisc", "add")
    assert defect.undo[-1] == "{candidate}"


def test_the_shared_command_plants_what_has_none_of_its_own() -> None:
    assert read(HEAD + LOST).defects[0].apply[-1] == "{defect}"
    assert read(HEAD + LOST).timeout_s == 900


def test_without_the_file_there_is_nothing_and_check_says_so() -> None:
    assert read(None) == Registry()
    (remark,) = review_defects(read(None), policy())
    assert str(remark).startswith("defects.toml: is absent")


def test_check_names_each_gate_without_a_defect() -> None:
    assert [remark.place for remark in review_defects(read(HEAD + LOST), policy())] == ["staging, gate load"]


@pytest.mark.parametrize(
    ("text", "slug", "part"),
    [
        ("schema = 1\nenvironment = [", "toml-syntax", "line 2"),
        (HEAD.replace("schema = 1", "schema = 2"), "schema", "schema 1 only"),
        (HEAD.replace("schema = 1", ""), "schema", "schema = 1"),
        (HEAD.replace("staging", "stagin"), "unknown-environment", "Did you mean 'staging'?"),
        (HEAD.replace('environment = "staging"', ""), "missing-key", "Name the environment"),
        (HEAD + 'timeout = "ten"\n' + LOST, "duration", "30 min"),
        (HEAD + "aply = 1\n" + LOST, "unknown-key", "Did you mean 'apply'?"),
        (HEAD + LOST + 'mesage = "x"', "unknown-key", "Did you mean 'message'?"),
        (HEAD + LOST + "apply = 'make bad'", "wrong-type", "a list of words"),
        (HEAD + LOST + "undo = []", "wrong-type", "a list of words"),
        (HEAD + LOST + 'undo = ["make", 3]', "wrong-type", "a list of words"),
        (HEAD + LOST + 'undo = ["make", "{candidat}"]', "unknown-placeholder", "Did you mean 'candidate'?"),
        (HEAD.replace('{candidate}"]', '{defect}"]') + LOST, "unknown-placeholder", "Known:"),
        (HEAD.replace("clean =", "claen =") + LOST, "missing-key", "without any defect"),
        (HEAD.replace("apply =", "aply =") + LOST, "missing-key", "plants the defect"),
        (
            HEAD + LOST.replace("An order is acknowledged and never journalled.", "  "),
            "wrong-type",
            "not empty",
        ),
        (HEAD + LOST.replace("what =", "# what ="), "missing-key", "what is wrong"),
        (HEAD + LOST.replace("gate =", "# gate ="), "missing-key", "has to catch it"),
        (HEAD + LOST.replace("message =", "# message ="), "missing-key", "reason must contain"),
        (HEAD + LOST.replace("journal.lost_events is", " "), "wrong-type", "not empty"),
        (HEAD + LOST.replace("journal.lost_events is", "lost is"), "vague-message", "at least 8"),
        (HEAD + LOST + 'outcome = "WARN"\n', "proof-outcome", "lets the candidate in"),
        (HEAD + LOST + 'outcome = "red"\n', "unknown-word", "outcome"),
        (HEAD + LOST.replace("journal.lost_events is", "; : . - , : ;"), "vague-message", "at least 8"),
        (HEAD + LOST.replace("lost_events is", "lost\\nevents"), "vague-message", "on one line"),
        (
            HEAD + LOST.replace("journal.lost_events is", "the limit is == 0"),
            "vague-message",
            "tell one reason",
        ),
        (HEAD + LOST.replace("journal.lost_events is", "has no value:"), "vague-message", "tell one reason"),
        (HEAD + LOST.replace("journal.lost_events is", "could not be measured"), "vague-message", "tell one"),
        (HEAD + LOST.replace("journal.lost_events is", "cannot be decided"), "vague-message", "tell one"),
        (HEAD + LOST.replace("journal.lost_events is", "nothing measured"), "vague-message", "tell one"),
        (HEAD + LOST.replace("defect.lost_order", "defect.clean"), "defect-name", "another name"),
        (HEAD + LOST.replace("lost_order", "'../x'"), "defect-name", "lower-case letter"),
        (HEAD + LOST.replace('"smoke"', '"smok"'), "unguarded-defect", "Did you mean 'smoke'?"),
        (HEAD + LOST + 'unguarded = "not built yet"', "guarded-by-now", "Remove 'unguarded'"),
        (HEAD + LOST.replace('"smoke"', '"far"') + 'unguarded = ""', "wrong-type", "not empty"),
        (HEAD + "defect = 3", "wrong-type", "a table"),
        (HEAD + "[defect]\nlost = 3", "wrong-type", "a table"),
    ],
)
def test_each_mistake_says_what_to_do(text: str, slug: str, part: str) -> None:
    found = mistakes(text)
    assert slug in found, found
    assert part in found[slug]
    assert found[slug].startswith("gates/defects.toml")


def test_all_mistakes_at_once() -> None:
    text = HEAD + LOST.replace('"smoke"', '"smok"').replace("what", "wat") + 'undo = "x"'
    assert set(mistakes(text)) == {"unknown-key", "missing-key", "unguarded-defect", "wrong-type"}


def test_an_unguarded_defect_needs_neither_command_nor_clean_system() -> None:
    text = 'schema = 1\nenvironment = "staging"\n' + LOST.replace('"smoke"', '"journal"')
    (defect,) = read(text + 'unguarded = "the journal has no gate yet"').defects
    assert defect.unguarded == "the journal has no gate yet"


class TestSelection:
    registry = read(HEAD + LOST + LOST.replace("lost_order", "slow").replace('"smoke"', '"load"'))

    def names(self, *, defects: tuple[str, ...] = (), gates: tuple[str, ...] = ()) -> list[str]:
        return [each.name for each in select(self.registry, staging(), defects=defects, gates=gates)]

    def test_all_where_nothing_is_named(self) -> None:
        assert self.names() == ["lost_order", "slow"]

    def test_by_defect_by_gate_and_by_both(self) -> None:
        assert self.names(defects=("slow",)) == ["slow"]
        assert self.names(gates=("smoke",)) == ["lost_order"]
        assert self.names(defects=("slow",), gates=("smoke",)) == []

    def test_the_first_of_each_gate(self) -> None:
        unguarded = 'unguarded = "the journal has no gate yet"\n'
        none = LOST.replace("lost_order", "none").replace('"smoke"', '"journal"') + unguarded
        twice = LOST.replace("lost_order", "again")
        registry = read(
            HEAD + none + LOST + twice + LOST.replace("lost_order", "slow").replace('"smoke"', '"load"')
        )
        chosen = select(registry, staging(), defects=(), gates=())
        assert [each.name for each in first_of_each(chosen, staging())] == ["lost_order", "slow"]

    @pytest.mark.parametrize(
        ("defects", "gates", "slug", "part"),
        [
            (("slo",), (), "unknown-defect", "--defect slo: nothing bears that name. Did you mean 'slow'?"),
            ((), ("smok",), "unknown-gate", "--gate smok: nothing bears that name. Did you mean 'smoke'?"),
        ],
    )
    def test_an_unknown_name_is_refused(
        self, defects: tuple[str, ...], gates: tuple[str, ...], slug: str, part: str
    ) -> None:
        with pytest.raises(PolicyError) as found:
            self.names(defects=defects, gates=gates)
        assert (found.value.slug, found.value.message) == (slug, part)


@settings(max_examples=200)
@given(st.text(max_size=200))
def test_any_text_is_a_registry_or_a_policy_error(text: str) -> None:
    try:
        registry = read(text)
    except PolicyError:
        return
    assert registry.environment


KEYS = ["schema", "environment", "timeout", "apply", "clean", "what", "gate", "message", "unguarded", "undo"]
WORDS = [
    "staging",
    "smoke",
    "far",
    "clean",
    "",
    " ",
    "{python}",
    "{nobody}",
    "10 s",
    "lost_events is",
    "\\u0000",
]
VALUES = st.recursive(
    st.one_of(
        st.sampled_from(["1", "0", "-3", "true", "nan", "inf", "1.5", "2026-01-01", "07:00:00"]),
        st.sampled_from(WORDS).map(lambda word: f'"{word}"'),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda values: f"[{', '.join(values)}]"),
        inner.map(lambda value: f"{{ what = {value} }}"),
    ),
    max_leaves=4,
)
TABLES = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8)


def toml(table: dict[str, str]) -> str:
    return "".join(f"{key} = {value}\n" for key, value in table.items())


@settings(max_examples=400)
@given(TABLES, st.dictionaries(st.sampled_from(["lost", "clean", "a-b", "'A b'"]), TABLES, max_size=3))
def test_any_table_is_a_registry_or_a_policy_error(
    head: dict[str, str], defects: dict[str, dict[str, str]]
) -> None:
    text = toml(head) + "".join(f"[defect.{name}]\n{toml(table)}" for name, table in defects.items())
    try:
        registry = read(text)
    except PolicyError:
        return
    assert registry.environment in ("dev", "staging")
    assert registry.timeout_s > 0
    for defect in registry.defects:
        assert defect.what
        assert defect.message
        assert bool(defect.unguarded) == (defect.gate not in policy().gate_names())
        assert defect.unguarded or (defect.apply and registry.clean)
