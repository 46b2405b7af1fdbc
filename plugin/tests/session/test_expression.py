"""Which environments a ``-m`` expression decides, against Python's own evaluation."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.errors import PolicyError
from release_gates.session.expression import deciding_environments

ENVIRONMENTS = ("dev", "staging", "production")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("gate_staging", ("staging",)),
        ("not gate_staging", ()),
        ("gate_staging and not slow", ("staging",)),
        ("slow or gate_staging", ("staging",)),
        ("not (slow and not gate_staging)", ("staging",)),
        ("gate_staging or not gate_staging", ()),
        ("gate_staging and not gate_staging", ()),
        ("gate_dev or gate_production", ("dev", "production")),
        ('gate_staging(gate="load")', ("staging",)),
        ('gate_staging and not gate_staging(gate="load")', ("staging",)),
        ("not not gate_dev", ("dev",)),
        ("slow", ()),
        ("", ()),
        ("(gate_staging", ("staging",)),
    ],
)
def test_table(expression: str, expected: tuple[str, ...]) -> None:
    assert deciding_environments(expression, ENVIRONMENTS) == expected


@pytest.mark.parametrize("expression", ["gate_stagng", "slow or gate_prod", "not gate_x"])
def test_unknown_environment_is_refused(expression: str) -> None:
    with pytest.raises(PolicyError, match="unknown-environment"):
        deciding_environments(expression, ENVIRONMENTS)


def test_too_many_names() -> None:
    expression = " or ".join(["gate_dev", *(f"m{number}" for number in range(20))])
    with pytest.raises(PolicyError, match="expression-too-long"):
        deciding_environments(expression, ENVIRONMENTS)


NAMES = ["gate_dev", "gate_staging", "slow", "fast"]
EXPRESSIONS = st.recursive(
    st.sampled_from(NAMES),
    lambda inner: st.one_of(
        inner.map(lambda one: f"not {one}"),
        inner.map(lambda one: f"({one})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda parts: f"({' '.join(parts)})"),
    ),
    max_leaves=6,
)


@given(EXPRESSIONS)
def test_decides_what_can_turn_the_expression_from_false_to_true(expression: str) -> None:
    def true(values: dict[str, bool]) -> bool:
        return bool(eval(expression, {}, values))

    expected = []
    for environment in ("dev", "staging"):
        name = f"gate_{environment}"
        others = [other for other in NAMES if other != name]
        rows = [dict(zip(others, row, strict=True)) for row in itertools.product((False, True), repeat=3)]
        if any(true({**row, name: True}) and not true({**row, name: False}) for row in rows):
            expected.append(environment)
    assert deciding_environments(expression, ENVIRONMENTS) == tuple(expected)
