"""``trust.toml``: each way to name a key wrongly is a mistake that stops the policy."""

from __future__ import annotations

import pytest

from release_gates.errors import PolicyError
from release_gates.model.gate import Policy
from release_gates.policy.load import policy_from_snapshot
from release_gates.policy.review import review

GATES = 'schema = 1\n[gate.smoke]\nowner = "me"\n'
PATH = 'schema = 1\npath = ["staging"]\n'
DAYS = "valid_from = 2026-01-01\nvalid_until = 2026-12-31\n"
MACHINE = f'[key.ci]\npublic = "{"ab" * 32}"\nholder = "machine"\nroles = ["evidence", "verdict"]\n{DAYS}'
PERSON = (
    f'[key.ann]\npublic = "{"cd" * 32}"\nholder = "person"\nperson = "Ann Lee <ann@example.org>"\n'
    f'roles = ["rules"]\n{DAYS}'
)
WEAK = int.from_bytes(bytes.fromhex("01" + "00" * 30 + "80"), "big")


def read(text: str) -> Policy:
    snapshot = {"/tool": "t", "environments.toml": PATH, "staging.toml": GATES}
    return policy_from_snapshot({**snapshot, "trust.toml": f"schema = 1\n{text}"})


def test_every_entry_knows_the_keys() -> None:
    policy = read(MACHINE + PERSON)
    trust = policy.environments[0].trust
    assert trust is not None
    assert [key.name for key in trust.keys] == ["ci", "ann"]
    assert trust.keys[0].may("verdict", "staging")
    assert not trust.keys[0].may("rules", "staging")
    assert policy.digest != read(MACHINE).digest
    no_file = {"/tool": "t", "environments.toml": PATH, "staging.toml": GATES}
    assert policy_from_snapshot(no_file).environments[0].trust is None


ROLE = '[environment.staging.approvals.role.risk]\nleast = 1\npersons = ["Ann Lee <ann@example.org>"]\n'


def test_a_role_whose_persons_have_no_key_is_remarked() -> None:
    def said(keys: str, entry: str = "") -> str:
        snapshot = {"/tool": "t", "environments.toml": PATH + entry + ROLE, "staging.toml": GATES}
        policy = policy_from_snapshot({**snapshot, "trust.toml": f"schema = 1\n{keys}"})
        return " ".join(map(str, review(policy)))

    own = PERSON.replace('["rules"]', '["approval"]')
    assert "risk can never approve" in said(MACHINE)
    assert "risk can never approve" in said(MACHINE + PERSON)
    assert "risk can never approve" in said(MACHINE + own.replace("Ann Lee", "Ann Roe"))
    assert "never approve" not in said(MACHINE + own)
    assert "never approve" not in said(MACHINE, "[environment.staging]\nlocal_may_promote = true\n")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no key"),
        (MACHINE.replace("ab" * 32, "AB" * 32), "64 hexadecimal digits"),
        (MACHINE.replace("ab" * 32, "ab" * 31), "64 hexadecimal digits"),
        (MACHINE.replace("ab" * 32, "00" * 32), "anybody can sign by"),
        (MACHINE.replace("ab" * 32, f"{WEAK:064x}"), "anybody can sign by"),
        (MACHINE.replace('"machine"', '"robot"'), "machine or person"),
        (MACHINE.replace('"verdict"', '"rules"'), "rules is for the key of a person"),
        (PERSON.replace('"rules"', '"verdict"'), "verdict is for the key of a machine"),
        (MACHINE.replace('"verdict"', '"verdikt"'), "Did you mean 'verdict'?"),
        (MACHINE.replace('["evidence", "verdict"]', "[]"), "at least one word"),
        (PERSON.replace("Ann Lee <ann@example.org>", "ann"), "name and e-mail address"),
        (MACHINE + 'person = "Ann Lee <ann@example.org>"\n', "a machine is nobody"),
        (MACHINE + PERSON.replace("cd" * 32, "ab" * 32), "one key has one holder"),
        (MACHINE.replace("valid_until = 2026-12-31\n", ""), "is absent, and every key says it"),
        (MACHINE.replace("2026-12-31", "2025-12-31"), "lies before valid_from"),
        (MACHINE.replace("2026-12-31", '"2026-12-31"'), "a date without a time"),
        (MACHINE + 'environments = ["prod"]\n', "does not know 'prod'"),
        (MACHINE + 'enviroments = ["staging"]\n', "Did you mean 'environments'?"),
        (MACHINE + '[identity.github]\nissuer = "https://x"\n', "verifies public keys only"),
        (MACHINE.replace("key.ci", "key.CI"), "no name of a key"),
    ],
)
def test_mistakes(text: str, says: str) -> None:
    with pytest.raises(PolicyError) as found:
        read(text)
    assert says in str(found.value)
