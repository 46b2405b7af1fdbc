"""``trust.toml``: each way to name a key wrongly is a mistake that stops the policy."""

from __future__ import annotations

import pytest

from release_gates.errors import PolicyError
from release_gates.model.gate import Policy
from release_gates.policy.listed import key_changes
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
WORKFLOW = "https://github.com/acme/engine/.github/workflows/gates.yml@refs/heads/main"
IDENTITY = f"""[identity.gates]
issuer = "https://token.actions.githubusercontent.com"
workflow = "{WORKFLOW}"
repository = "https://github.com/acme/engine"
ref = "refs/heads/main"
trigger = "push"
roles = ["evidence", "verdict"]
{DAYS}"""
ROOT = (
    '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1",'
    '"tlogs":[{}],"certificateAuthorities":[{}],"ctlogs":[{}]}'
)
WEAK = int.from_bytes(bytes.fromhex("01" + "00" * 30 + "80"), "big")


def read(text: str, root: str | None = None) -> Policy:
    snapshot = {"/tool": "t", "environments.toml": PATH, "staging.toml": GATES}
    roots = {} if root is None else {"trusted_root.json": root}
    return policy_from_snapshot({**snapshot, **roots, "trust.toml": f"schema = 1\n{text}"})


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
        (MACHINE.replace("key.ci", "key.CI"), "no name of a key"),
    ],
)
def test_mistakes(text: str, says: str) -> None:
    with pytest.raises(PolicyError) as found:
        read(text)
    assert says in str(found.value)


def test_an_identity_is_a_machine_that_a_workflow_is() -> None:
    policy = read(MACHINE + IDENTITY, ROOT)
    trust = policy.environments[0].trust
    assert trust is not None
    [one] = trust.identities
    assert (one.name, one.holder, one.person, one.workflow) == ("gates", "machine", "", WORKFLOW)
    assert one.may("verdict", "staging")
    assert not one.may("rules", "staging")
    assert trust.trusted_root == ROOT
    assert policy.digest != read(MACHINE + IDENTITY, ROOT.replace("[{}]", "[{},{}]")).digest


def test_identities_alone_are_enough() -> None:
    trust = read(IDENTITY, ROOT).environments[0].trust
    assert trust is not None
    assert not trust.keys


def claim(key: str, text: str) -> str:
    return "".join(
        f'{key} = "{text}"\n' if line.startswith(f"{key} =") else line
        for line in IDENTITY.splitlines(keepends=True)
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (claim("issuer", "http://x"), "begins with https://"),
        (claim("workflow", "acme/engine/.github/workflows/gates.yml@main"), "begins with https://"),
        (claim("workflow", WORKFLOW.partition("@")[0]), "its revision"),
        (claim("workflow", WORKFLOW.replace("main", "*")), "no wildcard"),
        (claim("ref", " refs/heads/main"), "no blanks around it"),
        (claim("ref", ""), "a text that is not empty"),
        (claim("ref", "refs/pull/7/merge"), "is never admissible"),
        (claim("trigger", "pull_request_target"), "is never admissible"),
        (claim("trigger", "merge_request_event"), "is never admissible"),
        (IDENTITY.replace('"verdict"', '"rules"'), "rules is for the key of a person"),
        (IDENTITY.replace('"verdict"', '"approval"'), "approval is for the key of a person"),
        (IDENTITY.replace('"verdict"', '"checkpoint"'), "for no identity"),
        (IDENTITY.replace('repository = "https://github.com/acme/engine"\n', ""), "every identity says it"),
        (IDENTITY + 'holder = "person"\n', "unknown key 'holder'"),
        (IDENTITY + 'person = "Ann Lee <ann@example.org>"\n', "unknown key 'person'"),
        (IDENTITY + 'environments = ["prod"]\n', "does not know 'prod'"),
        (IDENTITY.replace("2026-12-31", "2025-12-31"), "lies before valid_from"),
        (IDENTITY + IDENTITY.replace("identity.gates", "identity.twice"), "the same identity as another"),
        (MACHINE.replace("key.ci", "key.gates") + IDENTITY, "has the name of a key"),
        (IDENTITY.replace("identity.gates", "identity.Gates"), "no name of an identity"),
    ],
)
def test_mistakes_of_identities(text: str, says: str) -> None:
    with pytest.raises(PolicyError) as found:
        read(text, ROOT)
    assert says in str(found.value)


@pytest.mark.parametrize(
    ("root", "says"),
    [
        (None, "is absent"),
        ("", "is no trusted root"),
        ("[]", "is no trusted root"),
        (ROOT.replace('"ctlogs":[{}]', '"ctlogs":[]'), "names no authority"),
        (ROOT.replace("trustedroot+json", "signingconfig+json"), "its mediaType is"),
        (ROOT.replace('"tlogs"', '"tlog"'), "is no trusted root"),
        (ROOT + " " * 1_000_000, "is longer than"),
    ],
)
def test_identities_need_a_trusted_root(root: str | None, says: str) -> None:
    with pytest.raises(PolicyError) as found:
        read(IDENTITY, root)
    assert "gates/trusted_root.json: " in str(found.value)
    assert says in str(found.value)


def test_what_is_weaker_of_identities_is_said() -> None:
    def said(after: str, root: str = ROOT) -> list[str]:
        old, new = (read(*each).environments[0] for each in ((IDENTITY, ROOT), (after, root)))
        return [f"{each.kind}: {each.place} {each.sentence}" for each in key_changes(old, new)]

    wider = "weaker: staging, identity gates is trusted for more, or longer"
    assert said(IDENTITY) == []
    assert said(claim("ref", "refs/heads/feature")) == [wider]
    assert said(IDENTITY.replace("2026-12-31", "2027-12-31")) == [wider]
    assert said(IDENTITY.replace("2026-12-31", "2026-11-30")) == [
        "other: staging, identity gates is trusted for less"
    ]
    assert sorted(said(MACHINE)) == [
        "other: staging, identity gates is no longer trusted",
        "weaker: staging, key ci is trusted, for evidence, verdict",
    ]
    assert said(IDENTITY, ROOT.replace("[{}]", "[{},{}]")) == [
        "weaker: staging, trusted_root.json says otherwise whose certificates and logs are believed"
    ]


def test_every_mistake_of_an_identity_at_once() -> None:
    with pytest.raises(PolicyError) as found:
        read(claim("issuer", "x").replace('"push"', '"pull_request"').replace("roles", "rolls"))
    for says in (
        "begins with https://",
        "never admissible",
        "unknown key 'rolls'",
        "is absent, and identities",
    ):
        assert says in str(found.value)
