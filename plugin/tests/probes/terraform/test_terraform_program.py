"""What Terraform itself says: by a stand-in with its words everywhere, and by the real one where there is one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from release_gates.errors import MeasurementError, ProbeUnavailable
from release_gates.probes.terraform.program import invalid, unformatted

from .conftest import DATA
from .test_gate_terraform import looked

REAL = shutil.which("terraform") or shutil.which("tofu") or ""
BAD = '{"valid": false, "diagnostics": [{"severity": "error", "summary": "Unsupported block type", "detail": "x"}]}'


def program(folder: Path, text: str, status: int) -> str:
    """Return a program that says something and ends with a status."""
    path = folder / "terraform"
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\nexit {status}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("text", "status", "names"), [("", 0, ()), ("main.tf\nmodule/main.tf", 3, ("main.tf", "module/main.tf"))]
)
def test_what_is_not_formatted(text: str, status: int, names: tuple[str, ...], tmp_path: Path) -> None:
    assert unformatted(program(tmp_path, text, status), tmp_path) == names


@pytest.mark.parametrize(
    ("text", "status"), [("", 1), ("main.tf", 0), ("", 3), ("Error: no such command", 127)]
)
def test_anything_else_is_an_error(text: str, status: int, tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match=f"ended with status {status}"):
        unformatted(program(tmp_path, text, status), tmp_path)


def test_what_is_invalid(tmp_path: Path) -> None:
    good = program(tmp_path, '{"valid": true, "diagnostics": [{"severity": "warning", "summary": "old"}]}', 0)
    assert invalid(good, tmp_path) == ()
    assert invalid(program(tmp_path, BAD, 1), tmp_path) == ("Unsupported block type: x",)


@pytest.mark.parametrize(
    ("text", "status"), [("", 1), ("{}", 0), (BAD, 0), ('{"valid": true, "diagnostics": []}', 1), ("[]", 0)]
)
def test_validation_that_did_not_take_place(text: str, status: int, tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="validate ended with status"):
        invalid(program(tmp_path, text, status), tmp_path)


def test_policy_asks_for_it_or_not(tmp_path: Path) -> None:
    probe, gate = looked(tmp_path)
    probe.check_sources()
    assert gate.told == {"terraform.sources": "WARN policy names no program to ask"}
    with pytest.raises(ProbeUnavailable, match="cannot be run"):
        looked(tmp_path, program=str(tmp_path / "absent"))[0].check_sources()
    with pytest.raises(AssertionError, match=r"main\.tf is not formatted"):
        looked(tmp_path, program=program(tmp_path, "main.tf", 3))[0].check_sources()
    bad = program(tmp_path, BAD, 1).replace("terraform", "only-validates")
    Path(bad).write_text(f"#!/bin/sh\n[ $1 = fmt ] && exit 0\necho '{BAD}'\nexit 1\n")
    Path(bad).chmod(0o755)
    with pytest.raises(AssertionError, match="Unsupported block type"):
        looked(tmp_path, program=bad, validate=True)[0].check_sources()


@pytest.mark.skipif(not REAL, reason="Terraform and OpenTofu are no packages of Debian")
def test_the_real_program(tmp_path: Path) -> None:
    shutil.copytree(DATA / "sources", tmp_path / "infra")
    folder = tmp_path / "infra"
    assert unformatted(REAL, folder) == ()
    with (folder / "main.tf").open("a") as file:
        file.write('resource "terraform_data" "x" {\ninput=1\n}\n')
    assert unformatted(REAL, folder) == ("main.tf",)
    looked(tmp_path, program=REAL)[0].check_sources()  # the reference's own
    (folder / "bad.tf").write_text('resource "terraform_data" "y" {\n  nonsense = 1\n}\n')
    with pytest.raises((MeasurementError, AssertionError)):
        assert invalid(REAL, folder) == ()
