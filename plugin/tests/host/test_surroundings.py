"""No process with a candidate's code in it sees a key, the ledger or a token: real processes."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from release_gates.host.surroundings import BUILDING, check_variables, surroundings
from release_gates.model.gate import EnvironmentPolicy, Policy
from release_gates.probes.benchmark.isolated import run_isolated
from release_gates.probes.benchmark.settings import BenchmarkSettings
from release_gates.probes.load import generator
from release_gates.probes.load.plan import Phase, Plan
from release_gates.probes.load.settings import LoadSettings
from release_gates.probes.service.process import Service
from release_gates.probes.service.settings import ServiceSettings
from release_gates.proof.bench import Bench
from release_gates.proof.command import Stop

HIDDEN = "hunter2-of-ours"
OURS = {
    **{"PATH": "/usr/bin:/bin", "TZ": "UTC", "LD_PRELOAD": "", "LICENSE_FILE": "/opt/license"},
    **dict.fromkeys(
        ("GATES_KEY", "GATE_LEDGER", "CI_JOB_TOKEN", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD"), HIDDEN
    ),
    **dict.fromkeys(("GITHUB_TOKEN", "SSH_AUTH_SOCK", "HTTPS_PROXY", "PYTEST_CURRENT_TEST"), HIDDEN),
}
TELL = "import os, json, sys; print(json.dumps(dict(os.environ)), flush=True)"


def test_an_allow_list_and_what_policy_names() -> None:
    assert surroundings(OURS) == {"PATH": "/usr/bin:/bin", "TZ": "UTC"}
    assert surroundings(OURS, more=("LICENSE_FILE", "ABSENT"))["LICENSE_FILE"] == "/opt/license"
    assert HIDDEN not in surroundings(OURS, known=BUILDING).values()


@pytest.mark.parametrize(
    "name", ["GATE_LEDGER", "gate_x", "LD_PRELOAD", "PYTEST_ADDOPTS", "", "A=B", "A B", "Ä"]
)
@pytest.mark.parametrize("kind", [ServiceSettings, LoadSettings, BenchmarkSettings])
def test_policy_cannot_pass_on_what_is_ours(kind: type, name: str) -> None:
    with pytest.raises(ValueError, match="variables"):
        kind(variables=(name,))
    check_variables(kind(variables=("LICENSE_FILE",)).variables)


def test_a_service_that_runs(tmp_path: Path) -> None:
    more = ("LICENSE_FILE",)
    with Service(Path("/usr/bin/env"), folder=tmp_path, environ=OURS, variables=more) as service:
        while service.alive:
            time.sleep(0.01)
    told = sorted(service.stdout.read_text().splitlines())
    own = [line for line in told if not line.startswith("LC_CTYPE=")]  # Python's launcher adds it
    assert own == ["LICENSE_FILE=/opt/license", "PATH=/usr/bin:/bin", "TZ=UTC"]


def test_a_benchmark_that_runs(tmp_path: Path) -> None:
    ended = run_isolated(["/usr/bin/env"], folder=tmp_path, environ=OURS, timeout_s=20, most_bytes=10_000)
    lines = ended.out.decode().splitlines()
    assert sorted(line.partition("=")[0] for line in lines) == ["PAIRED_PARENT", "PATH", "TZ"]


def test_a_generator_of_load_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "teller.py").write_text(TELL)
    monkeypatch.setitem(generator.DRIVERS, "open", "teller")
    phases = (Phase(tag="steady", seconds=1, rate=1),)
    plan = Plan(target="tcp://127.0.0.1:1", phases=phases, root=str(tmp_path), traffic="a:b")
    made = generator.Generator("open", plan, folder=tmp_path, environ=OURS)
    made.run(lambda *_: "")
    log = (tmp_path / "generator.log").read_text()
    assert '"PATH": "/usr/bin:/bin"' in log
    assert HIDDEN not in log


def test_a_command_that_builds_a_planted_defect(tmp_path: Path) -> None:
    policy = Policy(environments=(), expected={}, digest="")
    bench = Bench(
        root=tmp_path,
        policy_dir=tmp_path,
        policy=policy,
        environment=EnvironmentPolicy(name="staging", gates=()),
        ledger_url="",
        live=None,
        timeout_s=20,
        variables={**OURS, "CC": "clang"},
        passed_on=("LICENSE_FILE",),
        stop=Stop(),
    )
    assert bench.undo("torn", (sys.executable, "-c", TELL)) == ""
    log = (bench.folder("torn") / "undo.log").read_text()
    assert '"CC": "clang"' in log
    assert '"LICENSE_FILE": "/opt/license"' in log
    assert HIDDEN not in log
