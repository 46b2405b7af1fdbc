"""TOML of a page as a policy: what it leaves out is added, and the real parser reads the whole."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

from plugin.tests.docs.snippets import Snippet
from release_gates import TOOL
from release_gates.model.gate import Policy
from release_gates.policy.identity import MEDIA_TYPE
from release_gates.policy.load import policy_from_snapshot
from release_gates.policy.signatory import ROOT
from release_gates.policy.snapshot import TOOL_KEY
from release_gates.proof.registry import read_registry

HEAD = 'schema = 1\npath = ["dev", "staging", "production"]\n'
GATE = 'schema = 1\n[gate.first]\nowner = "o"\n'
FILES = {
    "gate": "staging.toml",
    "environment": "environments.toml",
    "key": "trust.toml",
    "identity": "trust.toml",
    "waiver": "waivers.toml",
    "freeze": "freezes.toml",
    "defect": "defects.toml",
}
"""Table at the top -> the file in which it stands."""
TRUSTED_ROOT = json.dumps(
    {"mediaType": MEDIA_TYPE, "tlogs": [{}], "certificateAuthorities": [{}], "ctlogs": [{}]}
)
CUT = re.compile(r'"([0-9a-f]*)…"')
"""A digest or a key that the page cuts."""


def policy_of(snippet: Snippet) -> Policy:
    """Return the policy that a block is a part of. Raises the parser's own errors, and AssertionError."""
    text = CUT.sub(lambda found: f'"{found[1]:a<64}"', snippet.text)
    document = tomllib.loads(text)
    files = {FILES[name] for name, table in document.items() if name in FILES and isinstance(table, dict)}
    assert len(files) == 1, f"{snippet.place}: which file of a policy is this? It has {sorted(document)}"
    (file,) = files
    named = snippet.file.removeprefix("gates/")
    assert named in ("", file), f"{snippet.place}: says {named}, and belongs into {file}"
    snapshot = {TOOL_KEY: TOOL, "environments.toml": HEAD}
    snapshot |= {
        f"{name}.toml": GATE + "".join(_asked(document)) for name in ("dev", "staging", "production")
    }
    snapshot[file] = completed(file, text, document)
    if "identity" in document:
        snapshot[ROOT] = TRUSTED_ROOT
    for gate in document.get("gate", {}).values():
        snapshot.update(_foreign(gate))
    policy = policy_from_snapshot(snapshot)
    if file == "defects.toml":
        assert read_registry(snapshot, policy).defects
    return policy


def completed(file: str, text: str, document: dict[str, Any]) -> str:
    """Return a block as a whole file: schema, path, and an owner for each gate that has none."""
    if file == "environments.toml":
        return text if "path" in document else HEAD + text
    if file == "staging.toml":
        for name, gate in document["gate"].items():
            if "owner" not in gate:
                header = f"[gate.{name}]\n"
                owned = f'{header}owner = "o"\n'
                text = text.replace(header, owned) if header in text else owned + text
    return text if "schema" in document else f"schema = 1\n{text}"


def _asked(document: dict[str, Any]) -> Iterator[str]:
    """Yield the gates that waivers, defects and routes are about, with the limit of a waiver."""
    for each in (*document.get("waiver", {}).values(), *document.get("defect", {}).values()):
        limit = f'limits = {{ "{each["limit"]}" = "<= 500 ms" }}\n' if "limit" in each else ""
        yield f'[gate.{each["gate"]}]\nowner = "o"\n{limit}'
    environments = document.get("environment", {})
    for environment in environments.values() if isinstance(environments, dict) else ():
        for name in sorted(
            {name for route in environment.get("route", {}).values() for name in route["gates"]}
        ):
            yield f'[gate.{name}]\nowner = "o"\n'


def _foreign(gate: dict[str, Any]) -> dict[str, str]:
    """Return files of the policy folder that a gate's settings name."""
    signed_by = gate.get("container", {}).get("signed_by")
    return {signed_by: "-----BEGIN PUBLIC KEY-----\n"} if signed_by else {}
