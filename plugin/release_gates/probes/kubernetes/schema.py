"""Is it what the API of the target version has? Strict: a misspelt field is a finding (PW09).

Schemas come with the package kubernetes-validate, compiled by jsonschema-rs; both work offline.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from release_gates.errors import MeasurementError, ProbeUnavailable
from release_gates.probes.kubernetes.faults import clip, unknown_kind
from release_gates.probes.kubernetes.findings import Finding
from release_gates.probes.kubernetes.objects import Deployed, Object

OLDEST = 25
MOST_ERRORS = 20
SERVED = "x-kubernetes-group-version-kind"
DEFINITIONS = "https://kubernetes.io/api/_definitions.json"

REMOVED = {
    "extensions/v1beta1": (22, "apps/v1, networking.k8s.io/v1"),
    "apps/v1beta1": (16, "apps/v1"),
    "apps/v1beta2": (16, "apps/v1"),
    "admissionregistration.k8s.io/v1beta1": (22, "admissionregistration.k8s.io/v1"),
    "apiextensions.k8s.io/v1beta1": (22, "apiextensions.k8s.io/v1"),
    "networking.k8s.io/v1beta1": (22, "networking.k8s.io/v1"),
    "rbac.authorization.k8s.io/v1beta1": (22, "rbac.authorization.k8s.io/v1"),
    "scheduling.k8s.io/v1beta1": (22, "scheduling.k8s.io/v1"),
    "batch/v1beta1": (25, "batch/v1"),
    "discovery.k8s.io/v1beta1": (25, "discovery.k8s.io/v1"),
    "autoscaling/v2beta1": (25, "autoscaling/v2"),
    "autoscaling/v2beta2": (26, "autoscaling/v2"),
    "policy/v1beta1": (25, "policy/v1"),
    "node.k8s.io/v1beta1": (25, "node.k8s.io/v1"),
    "flowcontrol.apiserver.k8s.io/v1beta2": (29, "flowcontrol.apiserver.k8s.io/v1"),
    "flowcontrol.apiserver.k8s.io/v1beta3": (32, "flowcontrol.apiserver.k8s.io/v1"),
}
"""API versions that are gone: from which minor version on, and what to write instead."""

DEPRECATED = {
    ("v1", "Endpoints"): (33, "discovery.k8s.io/v1 EndpointSlice"),
    ("v1", "ComponentStatus"): (19, "none"),
}
"""Kinds that are still served and should not be used any more."""


def schema_findings(deployed: Deployed, minor: int, accepted: frozenset[str]) -> Iterator[Finding]:
    """Yield what does not fit the schemas of a minor version (PW09).

    ``accepted`` are kinds that policy lets pass unjudged, as ``Kind.group/version``. Raises MeasurementError
    (``kubernetes-kind-unknown``) for any other kind without a schema, (``kubernetes-version``) for a version
    that has no schemas here, and ProbeUnavailable without the packages.
    """
    for one in deployed.objects:
        gone = REMOVED.get(one.api_version)
        if gone is not None and minor >= gone[0]:
            yield Finding("PW09", one.title, f"{one.api_version} is gone since 1.{gone[0]}; write {gone[1]}")
            continue
        if one.kind == "KubeletConfiguration":
            continue
        old = DEPRECATED.get((one.api_version, one.api_kind))
        if old is not None and minor >= old[0]:
            yield Finding(
                "PW09", one.title, f"{one.api_kind} is deprecated since 1.{old[0]}; instead: {old[1]}"
            )
        validator = _validator(minor, one.api_version, one.api_kind)
        if validator is not None:
            yield from _errors(one, validator, minor)
        elif kind_name(one) not in accepted:
            raise unknown_kind(one.place, kind_name(one), f"is no kind of Kubernetes 1.{minor}")


def kind_name(one: Object) -> str:
    """Return a kind as policy names it: ``ServiceMonitor.monitoring.coreos.com/v1``."""
    return clip(f"{one.api_kind}.{one.api_version}", 200)


def _errors(one: Object, validator: Any, minor: int) -> Iterator[Finding]:
    for number, error in enumerate(validator.iter_errors(one.body)):
        if number == MOST_ERRORS:
            yield Finding("PW09", one.title, "and more errors in the schema")
            return
        where = ".".join(str(part) for part in error.instance_path) or "the object"
        unexpected = getattr(error.kind, "unexpected", None)
        if unexpected:
            for name in unexpected:
                close = difflib.get_close_matches(name, _names(minor), n=1)
                meant = f"; did you mean {close[0]!r}?" if close else ""
                yield Finding("PW09", one.title, f"{clip(where)} has no field {clip(name, 60)!r}{meant}")
        else:
            yield Finding("PW09", one.title, f"{clip(where)}: {clip(error.message)}")


@cache
def _folder(minor: int) -> Path:
    """Return the folder of the schemas; the package itself is not imported, which would take a second."""
    found = find_spec("kubernetes_validate")
    if found is None or not found.submodule_search_locations:
        raise ProbeUnavailable(
            "the schemas of Kubernetes are not installed.",
            slug="kubernetes-extra",
            hint="pip install 'pytest-release-gates[kubernetes]'",
        )
    root = Path(found.submodule_search_locations[0])
    folder = root / "kubernetes-json-schema" / f"v1.{minor}.0-local-strict"
    if minor < OLDEST or not folder.is_dir():
        raise MeasurementError(
            f"there are no schemas for Kubernetes 1.{minor}, only from 1.{OLDEST} on.",
            slug="kubernetes-version",
            hint="Set `version` to that of the cluster; `pod_security_version` may be older.",
        )
    return folder


@cache
def _definitions(minor: int) -> Any:
    return msgspec.json.decode((_folder(minor) / "_definitions.json").read_bytes())


@cache
def _names(minor: int) -> tuple[str, ...]:
    kinds = _definitions(minor)["$defs"].values()
    return tuple(sorted({name for kind in kinds for name in kind.get("properties", ())}))


@cache
def _registry(minor: int) -> Any:
    try:
        import jsonschema_rs
    except ModuleNotFoundError:
        raise ProbeUnavailable(
            "jsonschema-rs is not installed.",
            slug="kubernetes-extra",
            hint="pip install 'pytest-release-gates[kubernetes]'",
        ) from None
    return jsonschema_rs.Registry([(DEFINITIONS, _definitions(minor))])


@cache
def _validator(minor: int, api_version: str, kind: str) -> Any:
    """Return the compiled schema of a kind, None if that version has no such kind."""
    if not (
        re.fullmatch(r"[A-Za-z0-9]{1,80}", kind) and re.fullmatch(r"[a-z0-9.-]+(/[a-z0-9]+)?", api_version)
    ):
        return None
    registry = _registry(minor)
    group, _, version = api_version.rpartition("/")
    short = f"{group.split('.')[0]}-{version}" if group else version
    file = _folder(minor) / f"{kind.lower()}-{short}.json"
    if not file.is_file():
        return None
    schema = msgspec.json.decode(file.read_bytes())
    known = schema.get(SERVED) or []
    if {"group": group, "kind": kind, "version": version} not in known:
        return None
    import jsonschema_rs

    return jsonschema_rs.validator_for(schema, registry=registry)
