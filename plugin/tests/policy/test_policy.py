"""Reading ``gates/``: every mistake in words, merging, the digest, and no surprise on any input."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_gates.errors import PolicyError
from release_gates.model.gate import Policy
from release_gates.policy.expected import render_expected
from release_gates.policy.grammar import parse_limit
from release_gates.policy.load import load_policy, policy_from_snapshot
from release_gates.policy.review import review
from release_gates.policy.snapshot import read_snapshot

ENVIRONMENTS = 'schema = 1\npath = ["dev", "staging"]\n'
DEV = 'schema = 1\n[gate.smoke]\nowner = "me"\n[gate.smoke.limits]\n"a.time" = "<= 5 ms"\n'
STAGING = 'schema = 1\nextends = "dev"\n'


def folder(path: Path, **files: str) -> Path:
    texts = {"environments.toml": ENVIRONMENTS, "dev.toml": DEV, "staging.toml": STAGING}
    for name, text in (
        texts | {name.replace("_toml", ".toml"): text for name, text in files.items()}
    ).items():
        (path / name).write_text(text)
    return path


def load(path: Path) -> Policy:
    return load_policy(path, tool="test 1")


def mistakes(path: Path) -> str:
    with pytest.raises(PolicyError) as found:
        load(path)
    return str(found.value)


def test_child_inherits_and_overrides(tmp_path: Path) -> None:
    staging = 'schema = 1\nextends = "dev"\n[gate.smoke]\nvalid_for = "1 h"\n[gate.smoke.limits]\n"a.time" = "<= 3 ms"\n"b" = "== 0 count"\n'
    policy = load(folder(tmp_path, staging_toml=staging))
    gate = policy.environments[1].gate("smoke")
    assert gate is not None
    assert (gate.owner, gate.valid_for_s) == ("me", 3600)
    assert {rule.name: rule.limit.text for rule in gate.limits if rule.limit} == {
        "a.time": "<= 3 ms",
        "b": "== 0 count",
    }


def test_digest_covers_every_file_and_the_tool(tmp_path: Path) -> None:
    before = load(folder(tmp_path)).digest
    assert load_policy(tmp_path, tool="test 2").digest != before
    (tmp_path / "expected").mkdir()
    (tmp_path / "expected" / "smoke.txt").write_text("t.py::a\n")
    after = load(tmp_path)
    assert after.digest != before
    assert after.expected == {"smoke": ("t.py::a",)}
    assert policy_from_snapshot(read_snapshot(tmp_path, tool="test 1")) == after


@pytest.mark.parametrize(
    ("dev", "says"),
    [
        (
            '[gate.smoke]\nowner = "me"\n[gate.smoke.limits]\n"a" = "<= 5 mss"\n',
            "unknown unit 'mss'. Did you mean 'ms'?",
        ),
        ('[gate.smoke]\nowner = "me"\n[gate.smoke.limits]\na.b = "<= 5 ms"\n', "quote the key"),
        ('[gate.smoke]\nowner = "me"\nseverty = "info"\n', "unknown key 'severty'. Did you mean 'severity'?"),
        ('[gate.smoke]\nowner = "me"\nseverity = "loud"\n', "must be one of"),
        ("[gate.smoke]\n", "owner"),
        ('[gate.smoke]\nowner = "me"\nexclusive = "yes"\n', "exclusive"),
        ('[gate.smoke]\nowner = "me"\nvalid_for = "soon"\n', "24 h"),
        (
            '[gate.smoke]\nowner = "me"\n[gate.smoke.limits]\n"a" = { target = "<= 5 ms", limit = "<= 3 ms" }\n',
            "target",
        ),
        (
            '[gate.smoke]\nowner = "me"\n[gate.smoke.limits]\n"a" = { limit = "<= 5 ms", min_samples = true }\n',
            "min_samples",
        ),
        (
            '[gate.smoke]\nowner = "me"\n[gate.smoke.limits]\n"a" = { limit = "<= 5 ms", min_samples = 0 }\n',
            "min_samples",
        ),
        ('[gate.smoke]\nowner = "me"\n[gate.smoke.limits]\n"a" = "<= nan ms"\n', "number"),
        ('[gate.smoke]\nowner = "me"\n[gate.smoke.limits]\n"a" = {}\n', "asks for nothing"),
        ('[gate.smoke]\nowner = "me"\n[gate.smoke.coverage]\nreprt = "x"\n', "reprt"),
        ('[gate.smoke]\nowner = "me"\n[gate.smoke.nonsense]\nx = 1\n', "nonsense"),
        ("not toml at all [", "toml"),
    ],
)
def test_mistake_names_file_value_and_remedy(tmp_path: Path, dev: str, says: str) -> None:
    text = mistakes(folder(tmp_path, dev_toml=f"schema = 1\n{dev}", staging_toml="schema = 1\n"))
    assert "dev.toml" in text
    assert says.lower() in text.lower(), text


@pytest.mark.parametrize(
    ("environments", "says"),
    [
        ("schema = 1\n", "path"),
        ("schema = 1\npath = []\n", "path"),
        ('schema = 1\npath = ["dev", "dev"]\n', "dev"),
        ('schema = 2\npath = ["dev", "staging"]\n', "schema"),
        ('schema = 1\npath = ["dev", "staging"]\n[environment.nowhere]\n', "nowhere"),
        ('schema = 1\npath = ["dev", "staging"]\n[environment.dev]\nattempts = 0\n', "attempts"),
        ('schema = 1\npath = ["dev"]\n', "staging.toml"),
        ('schema = 1\npath = ["dev", "staging", "production"]\n', "production.toml"),
    ],
)
def test_mistakes_in_the_path(tmp_path: Path, environments: str, says: str) -> None:
    assert says in mistakes(folder(tmp_path, environments_toml=environments))


def test_five_mistakes_are_five(tmp_path: Path) -> None:
    dev = 'schema = 1\n[gate.smoke]\nownr = "me"\n[gate.smoke.limits]\n"a" = "<= 5 mss"\n"b" = "5"\n"c" = { limt = "<= 5 ms" }\n'
    assert mistakes(folder(tmp_path, dev_toml=dev)).splitlines()[0] == "The policy has 5 mistakes:"


def test_production_accepts_read_only(tmp_path: Path) -> None:
    environments = 'schema = 1\npath = ["dev", "production"]\n'
    (folder(tmp_path, environments_toml=environments) / "staging.toml").unlink()
    (tmp_path / "production.toml").write_text(
        'schema = 1\n[gate.smoke]\nowner = "me"\neffect = "write"\nruns_against = "production"\n'
    )
    assert "read" in mistakes(tmp_path)


def test_review_names_a_weaker_limit(tmp_path: Path) -> None:
    staging = 'schema = 1\nextends = "dev"\n[gate.smoke.limits]\n"a.time" = "<= 9 ms"\n'
    remarks = [str(remark) for remark in review(load(folder(tmp_path, staging_toml=staging)))]
    assert any(
        'the limit of "a.time" is <= 9 ms, weaker than the parent\'s <= 5 ms' in remark for remark in remarks
    )


@pytest.mark.parametrize(
    ("before", "after", "weaker"),
    [
        ("<= 5 ms", "<= 5000 us", False),
        ("<= 5 ms", "<= 0.006 s", True),
        ("<= 5 ms", "< 5 ms", False),
        ("< 5 ms", "<= 5 ms", True),
        (">= 1 req/s", ">= 2 req/s", False),
        (">= 2 req/s", ">= 1 req/s", True),
        ("== 0 count", "<= 1 count", True),
        ("<= 1 count", "== 0 count", False),
        ("1 .. 5 ms", "<= 5 ms", True),
        ("<= 5 ms", "1 .. 5 ms", False),
    ],
)
def test_weaker(tmp_path: Path, before: str, after: str, weaker: bool) -> None:
    dev = DEV.replace("<= 5 ms", before)
    staging = f'{STAGING}[gate.smoke.limits]\n"a.time" = "{after}"\n'
    remarks = review(load(folder(tmp_path, dev_toml=dev, staging_toml=staging)))
    assert any("weaker" in remark.sentence for remark in remarks) is weaker


class TestGrammar:
    @given(
        st.sampled_from(["<=", "<", ">=", ">", "=="]),
        st.decimals(min_value=0, max_value=10**9, places=4, allow_nan=False),
        st.sampled_from(["ms", "req/s", "%", "count", "MiB"]),
    )
    def test_what_is_written_is_what_is_meant(self, operator: str, number: object, unit: str) -> None:
        (bound,) = parse_limit(f"{operator} {number} {unit}").bounds
        assert (bound.operator, bound.value, bound.unit) == (operator, float(str(number)), unit)

    @settings(max_examples=400)
    @given(st.text(max_size=30))
    def test_any_text_is_a_limit_or_a_policy_error(self, text: str) -> None:
        try:
            limit = parse_limit(text)
        except PolicyError:
            return
        assert limit.bounds


@settings(max_examples=150)
@given(st.binary(max_size=300))
def test_any_bytes_in_a_policy_file_are_a_policy_error_or_a_policy(data: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        path = folder(Path(name))
        (path / "dev.toml").write_bytes(data)
        with pytest.raises(PolicyError):
            load(path)


@given(st.sets(st.text(min_size=1, max_size=30).filter(lambda text: "\0" not in text), max_size=6))
def test_expected_ids_round_trip(ids: set[str]) -> None:
    import tempfile

    if any("\ud800" <= character <= "\udfff" for text in ids for character in text):
        return
    with tempfile.TemporaryDirectory() as name:
        path = folder(Path(name))
        (path / "expected").mkdir()
        (path / "expected" / "smoke.txt").write_text(render_expected(ids), encoding="utf-8", newline="")
        assert load(path).expected["smoke"] == tuple(sorted(ids))
