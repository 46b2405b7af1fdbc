"""The kubelet's configuration, as far as it decides where a pod runs: read strictly, and linted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec

from release_gates.errors import ProbeUnavailable
from release_gates.judge.kubelet import (
    CPU_MANAGER,
    OPTIONS,
    RESERVED,
    TOPOLOGY_MANAGER,
    KubeletSettings,
    Unmet,
    unmet_settings,
)
from release_gates.model.cpus import list_text, parse_list
from release_gates.probes.machine.faults import malformed

LARGEST_BYTES = 1 << 20
_KIND = "KubeletConfiguration"
_API = "kubelet.config.k8s.io/"
_SO = {
    CPU_MANAGER: ", so no CPU is exclusive",
    TOPOLOGY_MANAGER: ", so CPUs and memory may be on different nodes",
}


class Kubelet(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Fields of a ``KubeletConfiguration`` (v1beta1); the defaults are Kubernetes' own."""

    api_version: str = ""
    kind: str = ""
    cpu_manager_policy: str = "none"
    cpu_manager_policy_options: dict[str, str] = {}
    topology_manager_policy: str = "none"
    memory_manager_policy: str = "None"
    reserved_memory: list[dict[str, Any]] = []
    reserved_cpus: Annotated[str, msgspec.Meta(max_length=4096)] = msgspec.field(
        default="", name="reservedSystemCPUs"
    )


def read_kubelet(file: Path) -> Kubelet:
    """Return what a kubelet's configuration says: YAML, JSON, or the answer of ``/configz``.

    ``MeasurementError`` for a file that is absent, larger than 1 MiB, malformed, or about something else;
    ``ProbeUnavailable`` for YAML without PyYAML.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise malformed(str(file), f"cannot be read: {error.strerror}") from None
    if len(content) > LARGEST_BYTES:
        raise malformed(str(file), f"is larger than {LARGEST_BYTES >> 20} MiB")
    return parse_kubelet(content, str(file))


def parse_kubelet(content: bytes, file: str) -> Kubelet:
    """Return what the bytes of a kubelet's configuration say. Pure, apart from the YAML package."""
    document = _document(content, file)
    if isinstance(document, dict) and isinstance(document.get("kubeletconfig"), dict):
        document = {"kind": _KIND, "apiVersion": f"{_API}v1beta1", **document["kubeletconfig"]}
    try:
        kubelet = msgspec.convert(document, Kubelet, strict=True)
        parse_list(kubelet.reserved_cpus)
    except (msgspec.ValidationError, ValueError) as error:
        raise malformed(file, f"is no kubelet configuration: {error}") from None
    if kubelet.kind != _KIND or not kubelet.api_version.startswith(_API):
        raise malformed(file, f"is '{kubelet.api_version} {kubelet.kind}', not '{_API}v1beta1 {_KIND}'")
    return kubelet


def lint_kubelet(kubelet: Kubelet, pinned: frozenset[int]) -> Iterator[str]:
    """Yield a sentence for each setting by which a pod's threads or memory may end up elsewhere.

    ``pinned`` are the CPUs that the service's threads want.
    """
    said = KubeletSettings(
        cpu_manager=kubelet.cpu_manager_policy,
        cpu_options=kubelet.cpu_manager_policy_options,
        topology_manager=kubelet.topology_manager_policy,
        memory_manager=kubelet.memory_manager_policy,
        reserved=parse_list(kubelet.reserved_cpus),
    )
    yield from (f"kubelet: {_sentence(one)}" for one in unmet_settings(said, pinned))
    if kubelet.memory_manager_policy == "Static" and not kubelet.reserved_memory:
        yield "kubelet: memoryManagerPolicy Static wants reservedMemory, without which kubelet does not start"


def _sentence(one: Unmet) -> str:
    if one.setting == RESERVED:
        if one.shared:
            return f"{RESERVED} has CPUs {list_text(one.shared)}, to which threads are bound"
        return f"{RESERVED} is empty, so the system's daemons run on every CPU"
    setting = f"cpuManagerPolicyOptions.{one.setting}" if one.setting in OPTIONS else one.setting
    value = "absent" if one.said is None else one.said
    return f"{setting} is {value}{_SO.get(one.setting, '')}; want {one.wanted}"


def _document(content: bytes, file: str) -> object:
    if content.lstrip()[:1] == b"{":
        try:
            return msgspec.json.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise malformed(file, f"is no JSON: {error}") from None
    try:
        import yaml
    except ImportError:
        raise ProbeUnavailable(
            f"{file} is YAML, and PyYAML is not installed.",
            slug="machine-package-missing",
            hint="pip install 'pytest-release-gates[machine]'",
        ) from None
    try:
        return yaml.safe_load(content)
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:
        raise malformed(file, f"is no YAML: {' '.join(str(error).split())[:200]}") from None
