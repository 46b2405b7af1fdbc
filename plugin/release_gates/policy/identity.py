"""``[identity.NAME]`` of ``trust.toml``: a workflow whose signature counts, by sigstore's certificates.

::

    [identity.gates]
    issuer      = "https://token.actions.githubusercontent.com"
    workflow    = "https://github.com/acme/engine/.github/workflows/gates.yml@refs/heads/main"
    repository  = "https://github.com/acme/engine"
    ref         = "refs/heads/main"
    trigger     = "push"
    roles       = ["evidence", "verdict"]
    valid_from  = 2026-11-01
    valid_until = 2027-10-31

Every text is compared whole. ``repository`` stands beside ``workflow``, because others may call a workflow
from theirs: its certificate then names ours as workflow, and theirs as repository.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from release_gates.model.trust import TrustedIdentity
from release_gates.policy.mistake import At, Mistakes
from release_gates.policy.signatory import KEYS, NEEDED, ROOT, check_roles_and_days, refuse_absent, shared
from release_gates.policy.table import Table

CLAIMS = ("issuer", "workflow", "repository", "ref", "trigger")
ADDRESSES = CLAIMS[:3]
OF_MERGE_REQUESTS = (
    "pull_request",
    "pull_request_target",
    "merge_request_event",
    "external_pull_request_event",
)
"""Triggers by which whoever offers a change starts the workflow."""
_REFS_OF_MERGE_REQUESTS = ("refs/pull/", "refs/merge-requests/")
MEDIA_TYPE = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
MOST_CHARACTERS = 1_000_000


class _Root(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The outline of a trusted root; sigstore reads the rest when something is verified."""

    media_type: str
    tlogs: list[msgspec.Raw]
    certificate_authorities: list[msgspec.Raw]
    ctlogs: list[msgspec.Raw]
    timestamp_authorities: list[msgspec.Raw] = []


def read_identity(name: str, table: Table, environments: Sequence[str] | None) -> TrustedIdentity | None:
    """Return an identity, None where anything of it is wrong; every mistake is noted."""
    before = len(table.mistakes.found)
    table.refuse_unknown((*CLAIMS, *KEYS))
    refuse_absent(table, (*CLAIMS, *NEEDED), what="identity")
    values = shared(name, table, environments, what="an identity")
    values |= {key: _claim(table, key) for key in CLAIMS}
    if len(table.mistakes.found) > before:
        return None
    made = TrustedIdentity(**values)
    check_roles_and_days(made, table, what="the key")
    if "checkpoint" in made.roles:
        table.wrong("roles", "checkpoint is for the key of a machine, and for no identity", "trust-identity")
    return made


def read_root(snapshot: Mapping[str, str], mistakes: Mistakes, *, needed: bool) -> str:
    """Return the text of ``trusted_root.json``; a mistake where it is needed and absent, or is none."""
    text = snapshot.get(ROOT)
    if text is None:
        if needed:
            sentence = (
                "is absent, and identities are believed by it alone. It is sigstore's trusted root as JSON; "
                "docs/trust.md says where it comes from"
            )
            mistakes.add(At(ROOT), sentence, "trusted-root")
        return ""
    if len(text) > MOST_CHARACTERS:
        mistakes.add(At(ROOT), f"is longer than {MOST_CHARACTERS} characters", "trusted-root")
        return ""
    if why := _why_no_root(text):
        mistakes.add(At(ROOT), f"is no trusted root of sigstore: {why}", "trusted-root")
        return ""
    return text


def _why_no_root(text: str) -> str:
    try:
        root = msgspec.json.decode(text, type=_Root)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        return ascii(str(error)[:100])
    if root.media_type != MEDIA_TYPE:
        return f"its mediaType is {root.media_type[:80]!a}, not {MEDIA_TYPE}"
    if not (root.tlogs and root.certificate_authorities and root.ctlogs):
        return "it names no authority, no certificate log or no transparency log"
    return ""


def _claim(table: Table, key: str) -> str:
    """Return one text of the certificate; what could never be meant, or is never admissible, is a mistake."""
    text = table.text(key) or ""
    if not text:
        return ""
    if text != text.strip() or not text.isprintable() or "*" in text:
        table.wrong(key, "is compared whole, so it has no blanks around it and no wildcard", "trust-identity")
    elif key in ADDRESSES and not text.startswith("https://"):
        table.wrong(key, "must be an address that begins with https://", "trust-identity")
    elif key == "workflow" and "@" not in text:
        sentence = "must name the file and its revision: https://…/gates.yml@refs/heads/main"
        table.wrong(key, sentence, "trust-identity")
    elif (key == "trigger" and text in OF_MERGE_REQUESTS) or (
        key == "ref" and text.startswith(_REFS_OF_MERGE_REQUESTS)
    ):
        sentence = "is of merge requests, and what those measure is advice: it is never admissible"
        table.wrong(key, sentence, "trust-identity")
    return text
