"""Every rule of hosts: a well-tuned host keeps all, each defect breaks exactly its own; nothing unread passes."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.trading_system.host.defects import DEFECTS, lost, said, wrote
from fixtures.trading_system.host.reference import (
    CPU,
    ENGINE,
    ISOLATED,
    NIC,
    VULNERABILITIES,
    reference_facts,
)
from release_gates.errors import MeasurementError
from release_gates.probes.machine.hosts.catalogue import CATALOGUE
from release_gates.probes.machine.hosts.facts import Facts, parse_facts
from release_gates.probes.machine.hosts.judging import CHECKS, Report, judge_host
from release_gates.probes.machine.hosts.profile import PROFILES, Profile
from release_gates.probes.machine.hosts.settings import HostGroup, HostSettings

NOW = datetime(2026, 11, 21, 14, tzinfo=UTC)
TODAY = NOW.date()
GROUP: dict[str, Any] = {
    "profile": "hft-engine",
    "hosts": ["ssh://gate@engine-1"],
    "engine": ENGINE,
    "isolated": ISOLATED,
    "node": 1,
    "housekeeping": ["log-*"],
    "nics": [NIC],
    "hugepages": {"node1/2048kB": 1024},
    "kernels": ["6.1.0-28-rt-amd64"],
    "microcodes": ["0x2b0005c0"],
}


def expected(**changed: object) -> Profile:
    """Return what the policy of the reference host expects; ``changed`` replaces fields of its group."""
    return msgspec.convert({**GROUP, **changed}, HostGroup).expected(TODAY)


def judged(facts: Facts, **changed: object) -> Report:
    return judge_host(facts, expected(**changed))


def told(report: Report) -> set[str]:
    """Return the rules that do not pass."""
    return {each.rule.id for each in (*report.findings, *report.doubts)}


def test_every_rule_is_in_the_catalogue_and_is_asked() -> None:
    assert list(CHECKS) == list(CATALOGUE) == [f"HL{number:02}" for number in range(1, 31)]
    assert all(rule.title and rule.remedy for rule in CATALOGUE.values())


def test_a_well_tuned_host_keeps_every_rule() -> None:
    report = judged(reference_facts(NOW))
    assert (*report.findings, *report.doubts, *report.inapplicable, *report.off) == ()
    assert report.decided == len(CATALOGUE)


@pytest.mark.parametrize("name", DEFECTS)
def test_each_defect_breaks_exactly_its_rule(name: str) -> None:
    rule, plant = DEFECTS[name]
    report = judged(plant(reference_facts(NOW)))
    assert told(report) == {rule}
    assert not report.doubts, "a defect is found, not guessed"
    sentence = report.findings[0].sentence
    assert sentence.startswith(f"{rule} ({CATALOGUE[rule].severity}) engine-1: {CATALOGUE[rule].title}. ")


def test_each_rule_has_a_defect() -> None:
    assert {rule for rule, _ in DEFECTS.values()} == set(CATALOGUE)


def fields(facts: Facts) -> list[str]:
    """Return what can be lost: files, and answers as ``=name``."""
    return [*facts.files, *(f"={name}" for name, answer in facts.answers.items() if answer.status == 0)]


MAY_BE_LOST = {
    *(
        "hostname",
        "boot_id",
        "=irqbalance",
        "=cpu_dma_latency",
    ),  # without one, names alone tell machines apart
    *("name", "latency", "disable"),  # of idle states that are disabled, and of shared CPUs
    *("free_hugepages", "nr_hugepages"),  # of the other node; free ones while the engine holds them
    *("smp_affinity_list", *VULNERABILITIES),  # the kernel lists what there is: fewer are fewer
    *("online", "cpulist"),
}
"""Which facts no rule of the reference host may need, by the last part of their names."""


def test_whatever_is_lost_is_never_a_pass() -> None:
    """Each file and answer is taken away, emptied, denied: what every rule still passes without is known."""
    facts = reference_facts(NOW)
    unnoticed = {
        each for each in fields(facts) for broken in damaged(facts, each) if not told(judged(broken))
    }
    assert {each.rpartition("/")[2] for each in unnoticed} <= MAY_BE_LOST
    needed = {f"{CPU}/cpu5/cpuidle/state2/disable", f"{CPU}/online", "/proc/1/status", "/proc/2412/status"}
    needed |= {"/sys/devices/system/node/node1/cpulist", "/sys/devices/system/node/online"}
    needed |= {"/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages"}
    assert not unnoticed & needed


def damaged(facts: Facts, name: str) -> list[Facts]:
    if name.startswith("="):
        answers = facts.answers
        return [
            msgspec.structs.replace(facts, answers={k: v for k, v in answers.items() if k != name[1:]}),
            said(name[1:], answers[name[1:]].text, "Operation not permitted", status=1)(facts),
            said(name[1:], answers[name[1:]].text, "no such program", status=127)(facts),
        ]
    left = {path: text for path, text in facts.files.items() if path != name}
    return [
        lost(name)(facts),
        wrote(name, "")(facts),
        msgspec.structs.replace(facts, files=left, denied=(name,)),
        msgspec.structs.replace(facts, files=left),
    ]


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_garbage_in_a_file_is_never_a_crash_nor_more_passes(data: st.DataObject) -> None:
    facts = reference_facts(NOW)
    name = data.draw(st.sampled_from(fields(facts)))
    text = data.draw(
        st.text(max_size=60) | st.sampled_from(["0-", "9" * 30, "-1", "0x", "CPU", ":::", "\x00", "4-7,"])
    )
    changed = wrote(name, text) if name[0] == "/" else said(name[1:], facts.answers[name[1:]].text, text)
    if name[0] == "=" and name != "=irqbalance" and not facts.answers[name[1:]].text:
        return
    report = judged(changed(facts))
    assert len({each.rule.id for each in report.findings}) + report.decided >= 0


# -- traps: what looks well and is not ------------------------------------------------------------


def cmdline(facts: Facts, old: str, new: str) -> Facts:
    text = facts.files["/proc/cmdline"]
    assert old in text
    return wrote("/proc/cmdline", text.replace(old, new))(facts)


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("nohz_full=4-7 ", "-- nohz_full=4-7 ", "HL01"),  # for init, not for the kernel
        ("nohz_full=4-7", 'note="nohz_full=4-7"', "HL01"),
        ("nohz_full=4-7", "nohz_full=4-7 nohz_full=4-6", "HL01"),
        ("isolcpus=managed_irq,domain,4-7", "isolcpus=4-7", "HL02"),
        ("isolcpus=managed_irq,domain,4-7", "isolcpus=managed_irq,domain,3-7", "HL02"),
        ("intel_pstate=disable", "intel_pstate=disable intel_pstate=active", "HL03"),
        ("tsc=reliable", "tsc=reliablex", "HL03"),
        ("nosmt", "nosmt mitigations=auto;no_user_kernel,no_cross_thread", "HL28"),
        ("nosmt", "nosmt pti=off", "HL28"),
    ],
)
def test_command_lines_that_look_well(old: str, new: str, rule: str) -> None:
    assert rule in told(judged(cmdline(reference_facts(NOW), old, new)))


def test_sets_of_cpus_are_compared_as_sets() -> None:
    facts = wrote(f"{CPU}/isolated", "4,5,6-7")(reference_facts(NOW))
    facts = cmdline(facts, "isolcpus=managed_irq,domain,4-7", "isolcpus=domain,managed_irq,6,7,4-5")
    assert told(judged(facts, isolated="7,6,4-5")) == set()
    assert told(judged(cmdline(facts, "quiet", "mitigations=auto,nosmt"))) == set()


def test_a_profile_in_force_with_nothing_isolated() -> None:
    """tuned says yes, and the kernel isolates nothing (tuned#98)."""
    report = judged(wrote(f"{CPU}/isolated", "")(reference_facts(NOW)))
    assert told(report) == {"HL02"}


def test_inside_of_a_container_the_hosts_processes_are_not_seen() -> None:
    report = judged(said("pid_namespace", "4026531836", "4026532799")(reference_facts(NOW)))
    assert {each.rule.id for each in report.doubts} == {"HL16", "HL18"}


@pytest.mark.parametrize("cut", ["rows", "counts", "columns"])
def test_interrupts_that_are_not_told_are_no_quiet(cut: str) -> None:
    path, facts = "/proc/interrupts", reference_facts(NOW)
    header, *rows = facts.files[path].splitlines()
    shorter = {
        "rows": [header],
        "counts": [header, *(row.replace("1200 ", "", 1) for row in rows)],
        "columns": [header.replace("CPU5", "    "), *rows],
    }
    report = judged(wrote(path, "\n".join(shorter[cut]))(facts))
    assert {each.rule.id for each in report.doubts} == {"HL17"}
    assert not report.findings


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("\npid 812\nIRQBALANCE_BANNED_CPULIST=0-1,4-7", set()),
        ("\npid 812\nIRQBALANCE_BANNED_CPUS=f0", set()),
        ("\npid 812\n", {"HL16"}),
        ("\npid 812\ndenied", {"HL16"}),
        ("\npid 812\nIRQBALANCE_BANNED_CPULIST=lots", {"HL16"}),
        ("\npid 812\nIRQBALANCE_BANNED_CPUS=f0\npid 813\n", {"HL16"}),
    ],
)
def test_irqbalance(text: str, rules: set[str]) -> None:
    assert told(judged(said("irqbalance", "", text)(reference_facts(NOW)))) == rules


def idle(facts: Facts, latency_us: str) -> Facts:
    """Enable every idle state, with what holds /dev/cpu_dma_latency."""
    for path in list(facts.files):
        if path.endswith("/disable"):
            facts = wrote(path, "0")(facts)
    return said("cpu_dma_latency", "2000000000", latency_us)(facts)


@pytest.mark.parametrize(
    ("held", "rules"), [("0", set()), ("2", set()), ("10", {"HL13"}), ("2000000000", {"HL13"})]
)
def test_idle_states_that_are_held_by_latency(held: str, rules: set[str]) -> None:
    assert told(judged(idle(reference_facts(NOW), held))) == rules


PMC = """sending: GET TIME_STATUS_NP
\t0c42a1.fffe.0b9c10-0 seq 0 RESPONSE MANAGEMENT TIME_STATUS_NP
\t\tmaster_offset              {offset}
\t\tgmPresent                  {present}
\t0c42a1.fffe.0b9c10-1 seq 1 RESPONSE MANAGEMENT PORT_DATA_SET
\t\tportState               {state}"""
ADJTIMEX = (
    "         mode: 0\n       offset: 0\n     maxerror: {error}\n       status: {status}\n return value = 0"
)


@pytest.mark.parametrize(
    ("offset", "present", "state", "status", "broken"),
    [
        ("-41", "true", "SLAVE", 8193, False),
        ("-140000", "true", "SLAVE", 8193, True),
        ("3", "false", "SLAVE", 8193, True),
        ("3", "true", "LISTENING", 8193, True),
        ("3", "true", "SLAVE", 64, True),  # ptp4l is fine, the system's clock follows nobody
        ("nan", "true", "SLAVE", 8193, True),
    ],
)
def test_clock_by_ptp4l(offset: str, present: str, state: str, status: int, broken: bool) -> None:
    facts = said("pmc", "no pmc", PMC.format(offset=offset, present=present, state=state))(
        reference_facts(NOW)
    )
    facts = said("adjtimex", "no adjtimex", ADJTIMEX.format(error=16000, status=status))(facts)
    assert told(judged(facts, clock="ptp4l")) == ({"HL21"} if broken else set())
    assert "HL21" in told(judged(reference_facts(NOW), clock="ptp4l")), "no pmc, no pass"


@pytest.mark.parametrize(("error", "status", "broken"), [(80, 1, False), (120, 1, True), (80, 64, True)])
def test_clock_by_the_kernel(error: int, status: int, broken: bool) -> None:
    facts = said("adjtimex", "no adjtimex", ADJTIMEX.format(error=error, status=status))(reference_facts(NOW))
    assert ("HL21" in told(judged(facts, clock="adjtimex"))) == broken


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.000001204", "0.000101204"),  # the estimate is good, the bound is not
        ("0.000000001", "0.000400000"),
        ("Normal", "Not synchronised"),
        ("0.000000018", "nan"),
        ("0.000000018", "1e-9"),
        ("1763734800.004217031", "1763738400.004217031"),
        (",Normal", ""),
    ],
)
def test_clock_by_chrony(old: str, new: str) -> None:
    assert told(judged(said("chronyc", old, new)(reference_facts(NOW)))) == {"HL21"}


def test_an_engine_that_does_not_run_keeps_no_rule() -> None:
    for text, status in (("", 0), ("the unit does not run: ", 1), ("2412 abc", 0), ("999", 0)):
        report = judged(said("engine", "2412", text, status=status)(reference_facts(NOW)))
        assert {each.rule.id for each in report.doubts} == {"HL23", "HL24"}, text


def test_all_threads_called_housekeeping_is_no_pass() -> None:
    assert "HL23" in told(judged(reference_facts(NOW), housekeeping=["*"]))


# -- what policy says ---------------------------------------------------------------------------


def test_a_value_that_policy_leaves_out_is_asked_for() -> None:
    report = judge_host(reference_facts(NOW), PROFILES["hft-engine"])
    doubts = " ".join(each.because for each in report.doubts)
    for name in ("isolated = ", "node = ", "nics = ", "hugepages = ", "kernels = ", "microcodes = "):
        assert name in doubts


def test_a_missing_file_breaks_a_rule_unless_policy_says_that_it_means_nothing() -> None:
    facts = lost("/sys/kernel/mm/ksm/run")(reference_facts(NOW))
    (finding,) = judged(facts).findings
    assert "/sys/kernel/mm/ksm/run is not there" in finding.sentence
    report = judged(facts, absent={"HL19": "this kernel has none"})
    assert not report.findings
    assert [each.because for each in report.inapplicable] == [
        "this kernel has none (/sys/kernel/mm/ksm/run is not there)"
    ]
    assert report.decided == len(CATALOGUE) - 1
    denied = msgspec.structs.replace(facts, absent=facts.absent[:1], denied=("/sys/kernel/mm/ksm/run",))
    assert told(judged(denied, absent={"HL19": "this kernel has none"})) == {"HL19"}, "denied is not absent"


def test_a_part_that_does_not_apply_hides_no_other() -> None:
    facts = lost("/proc/sys/kernel/nmi_watchdog")(DEFECTS["host_timer_migration"][1](reference_facts(NOW)))
    assert told(judged(facts, absent={"HL08": "no watchdog here"})) == {"HL08"}


@pytest.mark.parametrize(("until", "passes"), [(date(2026, 11, 21), True), (date(2026, 11, 20), False)])
def test_mitigations_off_need_an_approval_that_is_not_over(until: date, passes: bool) -> None:
    facts = DEFECTS["host_mitigations"][1](DEFECTS["host_vulnerable"][1](reference_facts(NOW)))
    approval = {"by": "Jane Doe", "because": "RISK-12, isolated network", "until": until.isoformat()}
    assert told(judged(facts, mitigations_off=approval)) == (set() if passes else {"HL28"})
    smt = wrote(f"{CPU}/smt/active", "1")(facts)
    assert told(judged(smt, mitigations_off=approval)) == {"HL28"}, "it is about mitigations alone"


def test_profiles_leave_out_with_a_reason_and_on_takes_it_back() -> None:
    for profile in PROFILES.values():
        assert all(len(why.split()) > 2 for why in (*profile.off.values(), *profile.absent.values()))
    assert not PROFILES["hft-engine"].off
    assert not PROFILES["hft-engine"].absent
    ci = {"profile": "ci", "hosts": ["local"]}
    assert "HL19" in msgspec.convert(ci, HostGroup).expected(TODAY).off
    assert "HL19" not in msgspec.convert({**ci, "on": ["HL19"]}, HostGroup).expected(TODAY).off


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"hosts": []}, "judging nothing is no pass"),
        ({"hosts": ["telnet://x"]}, "a host is reached by local, ssh"),
        ({"hosts": ["ssh://me:" + "hush" + "@x"]}, "write no password here"),
        ({"hosts": ["ssh://-oProxyCommand=x"]}, "names no host"),
        ({"hosts": ["x", "ssh://x"]}, "one is named twice"),
        ({"hosts": ["local"], "hostnames": ["a", "b"]}, "2 for 1 hosts: one for each"),
        ({"off": {"HL1": "why not so"}}, "Did you mean 'HL"),
        ({"off": {"HL01": "no"}}, "say in words why"),
        ({"absent": {"HL99": "there is none"}}, "no rule bears that name"),
        ({"on": ["HL01"], "off": {"HL01": "not here, said"}}, "is off too"),
        ({"isolated": "4-"}, "isolated = '4-'"),
        ({"engine": "rm -rf /"}, "is no pid, no unit"),
        ({"nics": ["eth0; reboot"]}, "is no name of a network device"),
        ({"facts": {"a": "../x.json"}}, "must lie below the root"),
        ({"hugepages": {"node1/2048kB": 0}}, "above 0"),
        ({"interrupts_per_s": float("nan")}, "a number that can be exceeded"),
        ({"clock_budget_us": float("inf")}, "a number that can be exceeded"),
        ({"nofile": -1}, "must be above 0"),
        ({"hugepages": {"0": 3}}, "is not of the form node0/2048kB"),
        ({"mitigations_off": {"by": "", "because": "just so", "until": "2027-01-01"}}, "by names a person"),
        ({"isolatd": "4-7"}, "unknown field"),
    ],
)
def test_policy_that_cannot_be_meant(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=sentence):
        msgspec.convert({"group": {"engine": {**GROUP, **changed}}}, HostSettings)


# -- recorded facts -----------------------------------------------------------------------------


def test_facts_survive_a_file() -> None:
    facts = reference_facts(NOW)
    assert parse_facts(msgspec.json.encode(facts), "facts.json") == facts


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_judged_and_never_a_crash(data: st.DataObject) -> None:
    content = bytearray(msgspec.json.encode(reference_facts(NOW)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.none() | st.integers(0, len(content)))
    with suppress(MeasurementError):
        judged(parse_facts(bytes(content[:cut]), "facts.json"))


@pytest.mark.parametrize(
    "path", ["/proc/cmdline", "/proc/uptime", "/proc/sys/kernel/osrelease", f"{CPU}/online"]
)
def test_facts_that_are_no_host_are_refused(path: str) -> None:
    facts = wrote(path, "")(reference_facts(NOW))
    with pytest.raises(MeasurementError, match="no view of a Linux host"):
        parse_facts(msgspec.json.encode(facts), "facts.json")
