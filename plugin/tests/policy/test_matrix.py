"""``[gate.NAME.matrix]``: axes to cells, and every mistake in them."""

from __future__ import annotations

import pytest

from release_gates.model.gate import Policy
from release_gates.policy.load import policy_from_snapshot
from release_gates.policy.mistake import PolicyMistakes
from release_gates.policy.review import review

PATH = 'schema = 1\npath = ["dev", "staging"]\n'


def policy(dev: str, staging: str) -> Policy:
    gate = f'schema = 1\n[gate.unit]\nowner = "x"\n{dev}'
    snapshot = {
        "/tool": "t",
        "environments.toml": PATH,
        "dev.toml": gate,
        "staging.toml": f"schema = 1\n{staging}",
    }
    return policy_from_snapshot(snapshot)


def cells(dev: str, staging: str = 'extends = "dev"\n') -> list[tuple[str, ...]]:
    return [environment.gates[0].cells for environment in policy(dev, staging).environments]


def test_the_product_in_the_order_of_the_policy() -> None:
    both = cells('[gate.unit.matrix]\npython = ["3.11", "3.12"]\nos = ["linux", "mac"]\n')
    assert both[0] == (
        "python=3.11,os=linux",
        "python=3.11,os=mac",
        "python=3.12,os=linux",
        "python=3.12,os=mac",
    )
    assert both[1] == both[0]


def test_a_child_states_its_own() -> None:
    child = 'extends = "dev"\n[gate.unit.matrix]\nos = ["mac"]\n'
    assert cells('[gate.unit.matrix]\nos = ["linux"]\n', child) == [("os=linux",), ("os=mac",)]


def test_no_matrix_no_cells() -> None:
    assert cells("") == [(), ()]


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("matrix = 3", "wrong-type"),
        ("[gate.unit.matrix]", "matrix"),
        ("[gate.unit.matrix]\npython = []", "matrix"),
        ('[gate.unit.matrix]\npython = "3.11"', "matrix"),
        ("[gate.unit.matrix]\npython = [3.11]", "matrix"),
        ('[gate.unit.matrix]\npython = ["3.11", "3.11"]', "matrix"),
        ('[gate.unit.matrix]\npython = ["a,b"]', "matrix"),
        ('[gate.unit.matrix]\npython = ["a]"]', "matrix"),
        ('[gate.unit.matrix]\n"a=b" = ["x"]', "matrix"),
        (
            f"[gate.unit.matrix]\na = {[str(n) for n in range(17)]}\nb = {[str(n) for n in range(17)]}",
            "matrix",
        ),
    ],
)
def test_mistakes(text: str, slug: str) -> None:
    with pytest.raises(PolicyMistakes) as caught:
        cells(text)
    assert {mistake.slug for mistake in caught.value.mistakes} == {slug}


def test_a_cell_that_goes_away_is_remarked() -> None:
    child = 'extends = "dev"\n[gate.unit.matrix]\nos = ["mac"]\n'
    remarks = review(policy('[gate.unit.matrix]\nos = ["linux", "mac"]\n', child))
    assert any("leaves out 1 of the parent's cells" in remark.sentence for remark in remarks)
