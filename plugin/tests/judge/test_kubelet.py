"""What a kubelet has to say; both probes that read one judge it by this."""

from __future__ import annotations

from typing import Any

import pytest

from release_gates.judge.kubelet import KubeletSettings, unmet_settings

GOOD: dict[str, Any] = {
    "cpu_manager": "static",
    "cpu_options": {"full-pcpus-only": "true", "strict-cpu-reservation": "true"},
    "topology_manager": "single-numa-node",
    "memory_manager": "Static",
    "reserved": frozenset({2, 3}),
}


@pytest.mark.parametrize(
    ("changed", "unmet"),
    [
        ({}, []),
        ({"cpu_manager": None}, ["cpuManagerPolicy"]),
        ({"cpu_manager": "Static"}, ["cpuManagerPolicy"]),
        ({"cpu_options": {}}, ["full-pcpus-only", "strict-cpu-reservation"]),
        ({"topology_manager": ["single-numa-node"]}, ["topologyManagerPolicy"]),
        ({"memory_manager": "static"}, ["memoryManagerPolicy"]),
        ({"reserved": frozenset()}, ["reservedSystemCPUs"]),
        ({"reserved": frozenset({1, 2})}, ["reservedSystemCPUs"]),
    ],
)
def test_each_setting_is_asked_for(changed: dict[str, Any], unmet: list[str]) -> None:
    said = KubeletSettings(**{**GOOD, **changed})
    assert [one.setting for one in unmet_settings(said, frozenset({0, 1}))] == unmet
