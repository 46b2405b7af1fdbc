"""The gate on hosts: one run each of a good host, a bad one, and of facts that are no evidence."""

from __future__ import annotations

import json
import os
import re
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from fixtures.trading_system.host.defects import DEFECTS, said, write_facts, wrote
from fixtures.trading_system.host.reference import ENGINE, NIC, reference_facts
from release_gates.cli.commands import program
from release_gates.errors import MeasurementError, ProbeUnavailable
from release_gates.policy.load import load_policy
from release_gates.policy.settings import settings_for
from release_gates.probes.checkov.settings import CheckovSettings
from release_gates.probes.machine.hosts.assessment import GateHost
from release_gates.probes.machine.hosts.catalogue import ids
from release_gates.probes.machine.hosts.facts import Facts, read_facts
from release_gates.probes.machine.hosts.seen import Hosts, Seen
from release_gates.probes.machine.hosts.settings import HostSettings
from release_gates.probes.machine.hosts.transport import Look, read_host
from release_gates.testing import GateProject

RULES = ("HL13", "HL21", "HL23")
GROUP: dict[str, Any] = {
    "profile": "hft-engine",
    "engine": ENGINE,
    "isolated": "4-7",
    "node": 1,
    "housekeeping": ["log-*"],
    "nics": [NIC],
    "hugepages": {"node1/2048kB": 1024},
    "kernels": ["6.1.0-28-rt-amd64"],
    "microcodes": ["0x2b0005c0"],
}
SUITE = """
import pytest
pytestmark = pytest.mark.gate("host")

@pytest.mark.parametrize("rule", ["HL13", "HL21", "HL23"])
def test_rule(rule, gate_host):
    gate_host.check(rule)

def test_counts(gate_host):
    gate_host.measure()
"""


def project(folder: Path, facts: Facts | None) -> GateProject:
    made = GateProject(folder)
    made.write("conftest.py", 'pytest_plugins = ["release_gates.probes.machine.hosts.fixtures"]\n')
    made.write("suites/test_host.py", SUITE)
    group = "".join(f"{key} = {json.dumps(value)}\n" for key, value in GROUP.items() if key != "hugepages")
    made.write(
        "gates/staging.toml",
        'schema = 1\n[gate.host]\nowner = "sre"\n[gate.host.host.group.engine]\n'
        f'{group}hugepages = {{ "node1/2048kB" = 1024 }}\nfacts = {{ engine-1 = "engine-1.json" }}\n'
        '[gate.host.limits]\n"host.decided" = "== 30 count"\n"host.clock_error" = "<= 100 us"\n',
    )
    if facts is not None:
        made.write("engine-1.json", msgspec.json.encode(facts).decode())
    return made


def recorded(**changed: object) -> Facts:
    facts = reference_facts(datetime.now(UTC))
    return msgspec.structs.replace(facts, **changed)


def outcomes(made: GateProject, *, workers: int = 0) -> tuple[bool, str, str]:
    """Return whether the run promotes, the gate's outcome, and every sentence."""
    rules = [f"suites/test_host.py::test_rule[{rule}]" for rule in RULES]
    made.expect([*rules, "suites/test_host.py::test_counts"], gate="host")
    result = made.run(workers=workers)
    assert result.verdict is not None, result.output
    (gate,) = (each for each in result.verdict.gates if each.name == "host")
    return result.promotes, str(gate.outcome), result.sentences


def test_a_well_tuned_host_is_green_and_keeps_its_facts(tmp_path: Path) -> None:
    made = project(tmp_path, recorded())
    _, outcome, sentences = outcomes(made, workers=2)
    assert outcome == "PASS", sentences


NOT_GREEN = {
    "broken": (DEFECTS["host_clock_own"][1](recorded()), "FAIL", "HL21 (critical) engine (engine-1):"),
    "absent": (
        None,
        "MISSING",
        "engine-1.json is absent. On the host: release-gates host facts local --engine trading-engine.service"
        " --nic enp65s0f0 > facts.json; bring it here as engine-1.json",
    ),
    "stale": (recorded(recorded=datetime.now(UTC) - timedelta(hours=25)), "MISSING", "more than 24 h ago"),
    "undecided": (
        said("engine", "2412", "", status=1)(recorded()),
        "ERROR",
        "the engine (trading-engine.service)",
    ),
}


@pytest.mark.parametrize("name", NOT_GREEN)
def test_a_run_over_anything_else_is_held(tmp_path: Path, name: str) -> None:
    facts, wanted, sentence = NOT_GREEN[name]
    promotes, outcome, sentences = outcomes(project(tmp_path, facts))
    assert not promotes
    assert outcome == wanted, sentences
    assert sentence in sentences


# -- the same without a run: a stand-in for the fixture `gate` ------------------------------------


class StandIn:
    """The fixture ``gate``; it keeps what is told."""

    def __init__(self, root: Path, recording: Facts | None, /, **group: object) -> None:
        self.rootdir = root
        self.told: dict[str, float | str] = {}
        self._group = {**GROUP, "hosts": [], "facts": {"engine-1": "engine-1.json"}, **group}
        if recording is not None:
            (root / "engine-1.json").write_bytes(msgspec.json.encode(recording))

    def settings(self, kind: type[Any]) -> Any:
        return msgspec.convert({"group": {"engine": self._group}}, kind)

    def measure(self, name: str, value: float, unit: str, *, samples: int | None = None) -> None:
        assert samples, "nothing was looked at"
        self.told[name] = value

    def missing(self, name: str, because: str) -> None:
        self.told[name] = f"MISSING {because}"

    def not_applicable(self, name: str, because: str) -> None:
        self.told[name] = f"WARN {because}"

    def attach(self, name: str, path: Path) -> None:
        self.told[name] = path.name


def looked(root: Path, recording: Facts | None, /, **group: object) -> tuple[GateHost, StandIn]:
    gate = StandIn(root, recording, **group)
    return GateHost(gate, Hosts(), root / "kept"), gate


def test_what_is_measured_of_a_good_host(tmp_path: Path) -> None:
    host, gate = looked(tmp_path, recorded())
    for rule in ids():
        host.check(rule)
    assert gate.told == {}
    host.measure()
    assert gate.told.pop("host.clock_error") == pytest.approx(1.2225, rel=1e-3)
    counts = {
        "host.hosts": 1,
        "host.decided": 30,
        "host.tolerated": 0,
        "host.off": 0,
        "host.not_applicable": 0,
    }
    assert gate.told == {**counts, "host-facts-1.json": "host-facts-1.json"}


NO_EVIDENCE = {
    "another host's": (
        wrote("/proc/sys/kernel/hostname", "engine-2")(recorded()),
        "it is about engine-2, and policy asks for engine-1",
    ),
    "without the engine": (recorded(engine=""), "it looked at no process"),
    "denied": (
        recorded(denied=("/proc/irq/27/smp_affinity_list",)),
        "HL17 engine (engine-1): cannot be decided: /proc/irq/27/smp_affinity_list may not be read",
    ),
}


@pytest.mark.parametrize("name", NO_EVIDENCE)
def test_facts_that_are_no_evidence_are_an_error(tmp_path: Path, name: str) -> None:
    facts, sentence = NO_EVIDENCE[name]
    host, _ = looked(tmp_path, facts)
    with pytest.raises(MeasurementError) as error:
        host.check("HL17")
    assert sentence in str(error.value)


def test_facts_from_the_future_or_nowhere_are_missing(tmp_path: Path) -> None:
    for facts, sentence in (
        (None, "there are no facts of engine-1: engine-1.json is absent"),
        (recorded(recorded=datetime.now(UTC) + timedelta(hours=1)), "in the future"),
    ):
        host, gate = looked(tmp_path, facts)
        with pytest.raises(pytest.skip.Exception, match=sentence):
            host.check("HL04")
        host.measure()
        assert all(str(told).startswith("MISSING ") for told in gate.told.values())
        assert {"host.decided", "host.clock_error"} <= set(gate.told)


def test_a_host_that_does_not_answer_is_an_error_and_hides_no_finding(tmp_path: Path) -> None:
    gone = {"hosts": ["ssh://127.0.0.1:1"], "engine": ENGINE}
    host, _ = looked(tmp_path, DEFECTS["host_ksm"][1](DEFECTS["host_thp"][1](recorded())), **gone)
    with pytest.raises(AssertionError, match="HL04"):
        host.check("HL04")
    with pytest.raises(ProbeUnavailable, match=r"ssh://127\.0\.0\.1:1 could not be read"):
        host.check("HL05")
    with pytest.raises(ProbeUnavailable):
        host.check("HL19")  # a finding that is tolerated
    with pytest.raises(ProbeUnavailable):
        host.measure()


def test_one_machine_under_two_names_is_not_two_hosts(tmp_path: Path) -> None:
    """Both names of policy lead to this machine, so the second one was never looked at."""
    here = read_host(Look(host="local://"))
    (tmp_path / "again.json").write_bytes(msgspec.json.encode(here))
    both = {"profile": "ci", "engine": "", "hosts": ["local"], "facts": {here.hostname: "again.json"}}
    host, _ = looked(tmp_path, None, **both)
    with pytest.raises(MeasurementError, match=r"is the same machine as engine \(local://\)"):
        host.check("HL20")
    with pytest.raises(MeasurementError, match="one that policy asks for was not seen"):
        host.measure()
    booted = {**here.files, "/proc/sys/kernel/random/boot_id": "another run of another kernel"}
    (tmp_path / "again.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(here, files=booted)))
    looked(tmp_path, None, **both)[0].check("HL20")


def test_a_way_that_leads_to_another_host_is_an_error(tmp_path: Path) -> None:
    """An alias, an address or a port that was given away: what answers is not what policy asks for."""
    named = {"profile": "ci", "engine": "", "hosts": ["local"], "facts": {}}
    looked(tmp_path, None, **named, hostnames=[os.uname().nodename])[0].check("HL20")
    host, _ = looked(tmp_path, None, **named, hostnames=["engine-1"])
    with pytest.raises(MeasurementError, match=f"it is {os.uname().nodename}, and policy asks for engine-1"):
        host.check("HL20")


def test_what_is_mild_or_off_is_counted(tmp_path: Path) -> None:
    off = {"HL13": "nobody looked there yet"}
    host, gate = looked(tmp_path, DEFECTS["host_ksm"][1](recorded()), off=off)
    host.check("HL19")
    host.check("HL13")
    assert gate.told == {"rule.HL13": "WARN nobody looked there yet"}
    host.measure()
    assert (gate.told["host.decided"], gate.told["host.tolerated"], gate.told["host.off"]) == (29, 1, 1)


def test_a_host_of_which_nothing_is_asked_is_not_proven(tmp_path: Path) -> None:
    off = dict.fromkeys(ids(), "not asked at all")
    host, _ = looked(tmp_path, recorded(), off=off)
    with pytest.raises(MeasurementError, match=r"no rule at all was decided on engine \(engine-1\)"):
        host.measure()


def test_an_audit_that_decides_nothing_is_no_success(tmp_path: Path) -> None:
    """A sandbox without /sys and without limits of buffers shows what `ci` asks for nowhere."""
    facts = recorded()
    gone = tuple(path for path in facts.files if "/clocksource/" in path or "/net/core/" in path)
    left = {path: text for path, text in facts.files.items() if path not in gone}
    file = tmp_path / "facts.json"
    file.write_bytes(msgspec.json.encode(recorded(files=left, absent=(*facts.absent, *gone))))
    done = CliRunner().invoke(program, ["audit", "host", str(file), "--profile", "ci"])
    assert done.output.endswith("nothing found, 0 undecided, 0 rules decided\n"), done.output
    assert done.exit_code == 10


def test_a_living_hosts_facts_are_kept(tmp_path: Path) -> None:
    host, gate = looked(tmp_path, None, profile="ci", hosts=["local"], facts={}, engine="")
    for rule in ids():
        host.check(rule)
    host.measure()
    kept = tmp_path / "kept" / str(gate.told["host-facts-1.json"])
    assert read_facts(kept).hostname == os.uname().nodename
    assert gate.told["host.decided"] in {1, 2}


def test_a_clock_that_cannot_be_told_is_missing(tmp_path: Path) -> None:
    host, gate = looked(tmp_path, DEFECTS["host_clock_own"][1](recorded()))
    host.measure()
    assert gate.told["host.clock_error"] == "MISSING a clock follows nobody"


def test_production_of_this_repository_asks_for_the_engines_host(tmp_path: Path) -> None:
    """Nothing of the host is there: the entry is not proven, and the sentence says how it gets there."""
    entry = load_policy(Path(__file__).parents[4] / "gates", tool="test 1").environment("production")
    assert entry is not None
    gate = entry.gate("host")
    assert gate is not None
    settings = settings_for(gate, HostSettings)
    assert (settings.group["engine"].profile, settings.facts_hours) == ("hft-engine", 24.0)
    (gone,) = (each for each in Hosts().seen(settings, tmp_path) if not isinstance(each, Seen))
    assert "host facts local --engine trading-engine.service --nic enp65s0f0" in gone.because
    (name, path), *_ = settings.group["engine"].facts.items()
    write_facts(tmp_path / path)
    told = [each.facts for each in Hosts().seen(settings, tmp_path) if isinstance(each, Seen)]
    assert [one.hostname for one in told if isinstance(one, Facts)] == [os.uname().nodename, name]


def test_a_rule_that_nobody_knows(tmp_path: Path) -> None:
    host, _ = looked(tmp_path, recorded())
    with pytest.raises(MeasurementError, match="no rule bears the name HL31"):
        host.check("HL31")


def test_the_guide_is_policy_that_loads_and_a_suite_that_runs() -> None:
    page = (Path(__file__).parents[4] / "docs" / "infra-gate.md").read_text(encoding="utf-8")
    for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL):
        for name, gate in tomllib.loads(block)["gate"].items():
            kind = {"host": HostSettings, "checkov": CheckovSettings}[next(iter(gate.keys() - {"limits"}))]
            msgspec.convert(gate[next(iter(gate.keys() - {"limits"}))], kind)
            assert name in {"host", "iac"}
    (suite,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    ours = (Path(__file__).parents[4] / "suites" / "infra" / "test_host.py").read_text(encoding="utf-8")
    for line in ("gate_host.check(rule)", "gate_host.measure()", 'pytest.mark.parametrize("rule", ids())'):
        assert line in suite
        assert line in ours
    assert set(ids()) <= set(spelt(page)), "every rule is in the table"


def spelt(page: str) -> list[str]:
    """Return the rules that the page's table names, ranges spelt out."""
    found = re.findall(r"^\| (HL\d\d)(?:( to |, )(HL\d\d))?", page, re.MULTILINE)
    spans = [(int(low[2:]), int(high[2:]) if high else int(low[2:])) for low, _, high in found]
    return [f"HL{number:02}" for low, high in spans for number in range(low, high + 1)]
