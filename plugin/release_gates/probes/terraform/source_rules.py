"""Rules on sources: are providers and modules pinned, and where is the state kept."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from release_gates.model.foreign import plain
from release_gates.probes.terraform.plan import Plan, modules
from release_gates.probes.terraform.rule import Doubt, Fault
from release_gates.probes.terraform.settings import TerraformSettings, fits
from release_gates.probes.terraform.sources import Sources

BUILT_IN = "terraform.io/builtin/"
EXACT = re.compile(r"=?\s*v?[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?")
UPPER = re.compile(r"^\s*(?:~>|<|=|[0-9])")
COMMIT = re.compile(
    r"[?&]ref=(?:refs/tags/)?(?:[0-9a-f]{40}|v?[0-9]+(?:\.[0-9]+){1,2}(?:-[0-9A-Za-z.-]+)?)(?:&|$)"
)
REMOTE = re.compile(r"^(?:[a-z0-9]+::|git@|https?://|github\.com/|bitbucket\.org/|[^/]+\.git\b)")
KEEPS = frozenset({"azurerm", "gcs", "remote", "cloud"})
"""Backends that encrypt and lock by themselves."""
OPEN = frozenset({"consul", "kubernetes", "pg", "cos", "oss", "etcdv3", "manta", "swift"})
"""Backends of which the sources do not tell whether they encrypt."""


def unpinned_providers(plan: Plan, sources: Sources, settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF12: yield providers that are not named, without an upper end, or without hashes in the lock file."""
    declared: dict[str, list[str]] = {}
    for one in plan.configuration.provider_config.values():
        declared.setdefault(one.full_name, []).append(one.version_constraint)
    used = {each.provider_name for each in plan.resource_changes} | declared.keys()
    for name in sorted(used):
        if name.startswith(BUILT_IN):
            continue
        where = plain(name) or "a provider"
        if settings.providers and not any(fits(pattern, name) for pattern in settings.providers):
            yield Fault(where, "", "not among those that policy names in `providers`", "one of them")
        if not any(_has_end(one) for one in declared.get(name, ())):
            said = ", ".join(filter(None, declared.get(name, ())))
            yield Fault(where, "version", plain(said) or "not set", "a version with an upper end")
        version, hashes = sources.locked.get(name, ("", 0))
        if not version or not hashes:
            found = "without hashes" if version else "not there"
            yield Fault(where, ".terraform.lock.hcl", found, "a version with hashes")


def unpinned_modules(plan: Plan, _sources: Sources, _settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF13: yield modules that may be another tomorrow."""
    for path, module in modules(plan):
        for name, call in module.module_calls.items():
            address, source = f"{path}.module.{name}".lstrip("."), call.source
            if source.startswith(("./", "../")):
                continue
            if not source:
                yield Doubt(address, "source", "the plan does not say where it comes from")
            elif REMOTE.search(source):
                if not COMMIT.search(source):
                    yield Fault(address, "source", plain(source), "?ref= with a tag or a commit")
            elif not EXACT.fullmatch(call.version_constraint.strip()):
                said = plain(call.version_constraint) or "not set"
                yield Fault(address, "version", said, "one exact version")


def unkept_state(_plan: Plan, sources: Sources, _settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF14: yield a state that lies in a file, is not encrypted, or is not locked."""
    backends = [found for block in sources.blocks for found in _backends(block)]
    if not backends:
        yield Fault("terraform", "backend", "not there, so the state is a local file", "a remote backend")
    for kind, said in backends:
        if kind == "s3":
            yield from _s3(said)
        elif kind == "http":
            yield from _http(said)
        elif kind in OPEN:
            yield Doubt("terraform", f"backend.{kind}", "the sources do not tell whether it encrypts")
        elif kind not in KEEPS:
            yield Fault("terraform", "backend", plain(kind), "a remote backend that is known")


def _s3(said: Mapping[str, Any]) -> Iterator[Fault]:
    if said.get("encrypt") is not True:
        found = plain(said.get("encrypt", "not set"))
        yield Fault("terraform", "backend.s3.encrypt", found, "true")
    if said.get("use_lockfile") is not True and not said.get("dynamodb_table"):
        yield Fault("terraform", "backend.s3.use_lockfile", "not set", "true, or a dynamodb_table")


def _http(said: Mapping[str, Any]) -> Iterator[Fault]:
    for name in ("address", "lock_address"):
        if not str(said.get(name, "")).startswith("https://"):
            yield Fault("terraform", f"backend.http.{name}", plain(said.get(name, "not set")), "https://…")


def _backends(block: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield kind and content of every backend, of HCL (lists of blocks) and of JSON."""
    if "cloud" in block:
        yield "cloud", {}
    found = block.get("backend", ())
    for one in found if isinstance(found, list) else [found]:
        for kind, said in one.items() if isinstance(one, dict) else ():
            content = said[0] if isinstance(said, list) and said else said
            yield str(kind), content if isinstance(content, dict) else {}


def _has_end(constraint: str) -> bool:
    parts = [part for part in constraint.split(",") if part.strip()]
    return any(UPPER.search(part) and not part.strip().startswith("!=") for part in parts)
