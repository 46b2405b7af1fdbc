"""The overlays of the reference, rendered by the real kubectl: each passes, and is the environment that it says."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fixtures.trading_system.deploy.render import PLACEHOLDER
from plugin.tests.probes.kubernetes import test_rules as rules
from release_gates.errors import MeasurementError
from release_gates.probes.kubernetes.sources import read_kustomize

OVERLAYS = rules.REFERENCE.parent / "overlays"
ENVIRONMENTS = {
    "dev": (2, 3, "orders.dev.trading.example", "10Gi"),
    "staging": (3, 6, "orders.staging.trading.example", "100Gi"),
    "production": (4, 12, "orders.trading.example", "500Gi"),
}


@pytest.fixture(autouse=True)
def kubectl_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")


def rendered(folder: Path) -> list[dict[str, Any]]:
    documents = [one.value for one in read_kustomize(folder, folder.name)]
    text = msgspec.json.encode([*documents, rules.KUBELET])
    assert PLACEHOLDER.encode() in text
    found: list[dict[str, Any]] = msgspec.json.decode(
        text.replace(PLACEHOLDER.encode(), rules.DIGEST.encode())
    )
    return found


def one_of(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = (one for one in objects if one["kind"] == kind)
    return found


def test_there_is_an_overlay_for_each_environment() -> None:
    assert sorted(one.name for one in OVERLAYS.iterdir()) == sorted(ENVIRONMENTS)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_overlay_passes_every_rule_and_is_its_environment(environment: str) -> None:
    objects = rendered(OVERLAYS / environment)
    judgement = rules.judged(objects)
    assert (judgement.findings, judgement.undecided, judgement.pods) == ((), (), 2)
    assert len(objects) == len(rules.GOOD)
    scaler, ingress = one_of(objects, "HorizontalPodAutoscaler")["spec"], one_of(objects, "Ingress")["spec"]
    claim = one_of(objects, "StatefulSet")["spec"]["volumeClaimTemplates"][0]["spec"]
    assert ENVIRONMENTS[environment] == (
        scaler["minReplicas"],
        scaler["maxReplicas"],
        ingress["rules"][0]["host"],
        claim["resources"]["requests"]["storage"],
    )
    declared = [one for one in objects if one["kind"] != "KubeletConfiguration"]
    assert {one["metadata"]["labels"]["trading.example/environment"] for one in declared} == {environment}


def patched(folder: Path, kind: str, **operation: object) -> Path:
    """Make a kustomization of the production overlay and one more patch."""
    base = os.path.relpath(OVERLAYS / "production", folder)
    patch = {"target": {"kind": kind}, "patch": json.dumps([operation])}
    (folder / "kustomization.yaml").write_text(json.dumps({"resources": [base], "patches": [patch]}))
    return folder


def test_a_fault_that_a_patch_brings_is_found(tmp_path: Path) -> None:
    place = "/spec/template/spec/containers/0/securityContext/privileged"
    folder = patched(tmp_path, "Deployment", op="add", path=place, value=True)
    assert [one.rule for one in rules.judged(rendered(folder)).findings] == ["PSS-privileged"]


def test_a_patch_that_meets_nothing_is_an_error(tmp_path: Path) -> None:
    folder = patched(tmp_path, "Ingress", op="replace", path="/spec/rules/7/host", value="x")
    with pytest.raises(MeasurementError, match=r"kubectl kustomize failed: .*/spec/rules/7/host"):
        read_kustomize(folder, "overlay")
