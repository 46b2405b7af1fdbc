"""What a gate test asks: the whole service by policy's labels, and the size beside the builder stage."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from release_gates.errors import MeasurementError
from release_gates.probes.container import gate_container
from release_gates.probes.container.gate_container import GateContainer, Inspected
from release_gates.probes.container.settings import ContainerSettings

from .conftest import RELEASED, container, inspected

BUILDER = "b1" * 32
MIB = 1024**2


class Gate:
    """A gate whose candidate has an image, and the image of its builder stage."""

    baseline = None
    commit = ""

    def __init__(self, **settings: Any) -> None:
        self.said = ContainerSettings(profile="hft-engine", **settings)
        self.candidate: Any = self
        self.measured: dict[str, float] = {}
        self.doubtful: dict[str, str] = {}

    def artifact_digest(self, name: str) -> str:
        return {"image": RELEASED, "builder": BUILDER}[name]

    def settings(self, kind: Any) -> Any:
        return self.said

    def measure(self, name: str, value: float, unit: str, **_: Any) -> None:
        self.measured[name] = value

    def inconclusive(self, name: str, because: str) -> None:
        self.doubtful[name] = because


class Engine:
    """An engine with the containers of one service."""

    def __init__(self, *service: str) -> None:
        self.service = service

    def containers(self, labels: dict[str, str]) -> list[str]:
        assert labels == {"app": "engine"}
        return list(self.service)

    def close(self) -> None:
        pass


def asked(gate: Gate, engine: Engine) -> GateContainer:
    seen = Inspected()
    seen.__dict__["engine"] = engine
    return GateContainer(gate, seen)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    images = {"good": RELEASED, "straggler": "0d" * 32}
    monkeypatch.setattr(
        gate_container,
        "read_container",
        lambda _, name: container(inspected(Name=f"/{name}", Image=f"sha256:{images[name]}")),
    )


def test_a_straggler_that_the_suite_did_not_name_fails() -> None:
    asked(Gate(), Engine("straggler")).running("CR22", ["good"])
    with pytest.raises(AssertionError, match=RELEASED[:12]):
        asked(Gate(service={"app": "engine"}), Engine("good", "straggler")).running("CR22", ["good"])
    with pytest.raises(AssertionError, match=RELEASED[:12]):
        asked(Gate(service={"app": "engine"}), Engine("straggler")).running("CR22")


def test_a_container_that_only_the_suite_names_is_judged_too() -> None:
    with pytest.raises(AssertionError, match=RELEASED[:12]):
        asked(Gate(service={"app": "engine"}), Engine("good")).running("CR22", ["straggler"])


def test_labels_that_no_container_bears_are_an_error() -> None:
    with pytest.raises(MeasurementError, match="no container of the service runs"):
        asked(Gate(service={"app": "engine"}), Engine()).running("CR22", ["good"])


def test_a_label_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="a label needs a name"):
        ContainerSettings(service={"": "engine"})


def sized(gate: Gate, image: int, builder: int) -> Gate:
    judged = asked(gate, Engine())
    judged._inspected.once(("image", RELEASED), lambda: SimpleNamespace(size=image))
    judged._inspected.once(("size", BUILDER), lambda: builder)
    judged.measure_size()
    return gate


@pytest.mark.parametrize(("image", "builder", "saved"), [(40, 100, 60), (100, 100, 0), (150, 100, -50)])
def test_the_size_is_compared_with_the_builder_stage(image: int, builder: int, saved: float) -> None:
    gate = sized(Gate(builder="builder"), image * MIB, builder * MIB)
    assert gate.measured == {"image.size": image, "image.saved": pytest.approx(saved)}
    assert not gate.doubtful


def test_without_a_builder_stage_nobody_can_say_what_was_saved() -> None:
    gate = sized(Gate(), MIB, MIB)
    assert list(gate.measured) == ["image.size"]
    assert "builder" in gate.doubtful["image.saved"]


def test_an_empty_builder_stage_is_an_error() -> None:
    gate = Gate(builder="builder")
    with pytest.raises(MeasurementError, match="builder stage is empty"):
        sized(gate, MIB, 0)
    assert "image.saved" not in gate.measured


def test_a_signature_is_asked_for_and_never_taken_for_granted(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="policy names no artifact with the image's signature"):
        asked(Gate(), Engine()).image("IM12")
    gate = Gate(signature="image.sig")
    (tmp_path / "image.sig").write_text("")
    gate.artifact = lambda name: tmp_path / name  # type: ignore[attr-defined]
    gate.policy_file = lambda path: None  # type: ignore[attr-defined]
    with pytest.raises(MeasurementError, match=r"gates/cosign\.pub: there is no such file"):
        asked(gate, Engine()).image("IM12")
    key = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "ED25519"], capture_output=True, check=True
    ).stdout
    public = subprocess.run(["openssl", "pkey", "-pubout"], input=key, capture_output=True, check=True).stdout
    gate.policy_file = lambda path: public.decode()  # type: ignore[attr-defined]
    judged = asked(gate, Engine())
    facts = SimpleNamespace(identity=f"sha256:{RELEASED}", repo_digests=())
    judged._inspected.once(("image", RELEASED), lambda: facts)
    with pytest.raises(AssertionError, match="none is by the key that policy names"):
        judged.image("IM12")
