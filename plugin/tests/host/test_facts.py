"""Host facts from recorded trees."""

import subprocess
import time

import pytest

from release_gates.host.facts import host_facts

XEON = {
    "proc/cpuinfo": (
        "processor\t: 0\nmodel name\t: Intel(R)  Xeon(R) Gold 6444Y\nflags\t: fpu\n\n"
        "processor\t: 1\nmodel name\t: other\n"
    ),
    "proc/sys/kernel/hostname": "bench-1\n",
    "proc/sys/kernel/osrelease": "6.8.0-rt8\n",
    "sys/devices/system/cpu/online": "0-29,31\n",
    "sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "performance\n",
    "sys/devices/system/cpu/cpufreq/policy1/scaling_governor": "performance\n",
    "sys/devices/system/node/node0/cpulist": "0-15\n",
    "sys/devices/system/node/node1/cpulist": "16-31\n",
    "sys/devices/system/node/online": "0-1\n",
}


@pytest.fixture
def tree(tmp_path):
    def lay(name="host", **changes):
        root = tmp_path / name
        for path, text in {**XEON, **changes}.items():
            if text is not None:
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
        return root

    return lay


def test_a_recorded_host(tree):
    facts = host_facts(tree(), python="3.13.1")
    assert (facts.hostname, facts.cpu_model, facts.cores) == ("bench-1", "Intel(R) Xeon(R) Gold 6444Y", 31)
    assert (facts.numa_nodes, facts.kernel, facts.governor) == (2, "6.8.0-rt8", "performance")
    assert facts.python == "3.13.1"


def test_an_empty_host_tells_nothing(tmp_path):
    facts = host_facts(tmp_path)
    assert {facts.hostname, facts.cpu_model, facts.kernel, facts.governor} == {"unknown"}
    assert (facts.cores, facts.numa_nodes) == (0, 0)


def test_arm_names_its_parts(tree):
    keys = ("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision")
    text = "processor: 0\n" + "".join(f"{key}\t: {number}\n" for number, key in enumerate(keys))
    facts = host_facts(tree(**{"proc/cpuinfo": text}))
    assert facts.cpu_model.startswith("CPU implementer 0, CPU architecture 1")


@pytest.mark.parametrize("online", ["", "garbage", "0-", "1,,2"])
def test_counts_are_not_guessed(tree, online):
    assert host_facts(tree(**{"sys/devices/system/cpu/online": online})).cores == 0


def test_mixed_governors_are_shown(tree):
    mixed = tree(**{"sys/devices/system/cpu/cpufreq/policy1/scaling_governor": "powersave"})
    assert host_facts(mixed).governor == "performance+powersave"


def test_equal_hosts_have_equal_fingerprints(tree):
    twin = tree("twin", **{"proc/sys/kernel/hostname": "bench-2"})
    assert host_facts(tree()).fingerprint == host_facts(twin, python="3.99").fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"proc/cpuinfo": "model name: other\n"},
        {"proc/sys/kernel/osrelease": "6.9"},
        {"sys/devices/system/cpu/online": "0-31"},
        {"sys/devices/system/node/node7/cpulist": ""},
        {"sys/devices/system/cpu/cpufreq/policy1/scaling_governor": "powersave"},
    ],
)
def test_each_fact_is_in_the_fingerprint(tree, change):
    assert host_facts(tree()).fingerprint != host_facts(tree("other", **change)).fingerprint


@pytest.mark.parametrize(
    "absent", ["proc/cpuinfo", "proc/sys/kernel/osrelease", "sys/devices/system/cpu/online"]
)
def test_a_host_that_does_not_tell_is_like_itself_only(tree, absent):
    one = tree("one", **{absent: None})
    two = tree("two", **{absent: None, "proc/sys/kernel/hostname": "bench-2"})
    assert host_facts(one).fingerprint == host_facts(one).fingerprint
    assert host_facts(one).fingerprint != host_facts(two).fingerprint


def test_a_host_without_governors_is_comparable(tree):
    names = [f"sys/devices/system/cpu/cpufreq/policy{number}/scaling_governor" for number in (0, 1)]
    one = tree("one", **dict.fromkeys(names))
    two = tree("two", **dict.fromkeys(names), **{"proc/sys/kernel/hostname": "bench-2"})
    assert host_facts(one).fingerprint == host_facts(two).fingerprint


def test_this_host_cheaply_and_without_a_subprocess(monkeypatch):
    monkeypatch.delattr(subprocess, "Popen")
    host_facts()
    fastest = min(_seconds() for _ in range(20))
    assert fastest < 0.002


def _seconds():
    start = time.perf_counter()
    host_facts()
    return time.perf_counter() - start
