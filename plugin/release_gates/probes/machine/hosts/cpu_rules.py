"""Rules about CPUs: frequency, idle states, and what may interrupt those that are isolated."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping
from functools import partial

from release_gates.model.cpus import list_text
from release_gates.model.rule import Undecided
from release_gates.probes.machine.hosts.facts import Facts, cpu_list, whole
from release_gates.probes.machine.hosts.kernel_rules import CPU, Check, isolated, words
from release_gates.probes.machine.hosts.profile import Profile
from release_gates.probes.machine.hosts.rule import Fault

INTERRUPTS = "/proc/interrupts"
SHALLOW = 1
"""C1 is state 1, POLL state 0: a deeper one takes tens of microseconds to leave."""


def _governor(facts: Facts, profile: Profile) -> Iterator[Fault]:
    facts.matching(f"{CPU}/cpu[0-9]*/cpufreq/scaling_governor")
    for _, path in facts.cpu_files(facts.online, f"{CPU}/cpu{{cpu}}/cpufreq/scaling_governor"):
        if (value := facts.text(path)) != profile.governor:
            yield Fault(place=path, found=value, expected=profile.governor)


def _least_frequency(facts: Facts, _profile: Profile) -> Iterator[Fault]:
    path = f"{CPU}/intel_pstate/min_perf_pct"
    if path in facts.absent and facts.matching(f"{CPU}/cpu[0-9]*/cpufreq/scaling_governor"):
        return  # another driver: the governor alone decides
    if (value := facts.number(path)) != 100:
        yield Fault(place=path, found=str(value), expected="100")


def _idle_states(facts: Facts, profile: Profile) -> Iterator[Fault]:
    """A state is used unless it is disabled, or slower than who holds /dev/cpu_dma_latency allows."""
    if "idle=poll" in words(facts):
        return
    wanted, allowed_us = isolated(profile), _allowed_latency_us(facts)
    facts.matching(f"{CPU}/cpu[0-9]*/cpuidle/state*/disable")
    for cpu in sorted(wanted):
        for state in _states(facts, cpu):
            folder = f"{CPU}/cpu{cpu}/cpuidle/state{state}"
            usable = facts.number(f"{folder}/disable") == 0
            if state > SHALLOW and usable and facts.number(f"{folder}/latency") <= allowed_us:
                name = facts.text(f"{folder}/name")
                yield Fault(place=f"{folder}/disable", found=f"0 ({name} is used)", expected="1")


def _states(facts: Facts, cpu: int) -> list[int]:
    pattern = re.compile(rf"{CPU}/cpu{cpu}/cpuidle/state([0-9]{{1,3}})/(?:disable|latency|name)")
    states = sorted({int(found[1]) for path in facts.files if (found := pattern.fullmatch(path))})
    if not states:
        raise Undecided(f"CPU {cpu} tells no idle states, though others do")
    return states


def _allowed_latency_us(facts: Facts) -> int:
    answer = facts.answer("cpu_dma_latency")
    if answer.status != 0:
        return 1 << 31  # no such device, or not for us: then nothing is known to hold it
    return whole(answer.text, "/dev/cpu_dma_latency")


def _cpumask(path: str, facts: Facts, profile: Profile) -> Iterator[Fault]:
    wanted = isolated(profile)
    if shared := mask(facts.text(path), path) & wanted:
        found = f"with the CPUs {list_text(shared)}"
        yield Fault(place=path, found=found, expected=f"without {list_text(wanted)}")


def mask(text: str, place: str) -> frozenset[int]:
    """Return the CPUs of a mask such as ``ff,ffffff03``: groups of 32 bits in hex."""
    groups = text.split(",")
    if len(groups) > 256 or not all(re.fullmatch(r"[0-9a-fA-F]{1,8}", group) for group in groups):
        raise Undecided(f"{place} says {text[:60]!r}, which is no mask of CPUs")
    bits = int("".join(group.rjust(8, "0") for group in groups), 16)
    return frozenset(at for at in range(bits.bit_length()) if bits >> at & 1)


def _machine_checks(facts: Facts, _profile: Profile) -> Iterator[Fault]:
    facts.matching("/sys/devices/system/machinecheck/machinecheck*/ignore_ce")
    for _, path in facts.cpu_files(
        facts.online, "/sys/devices/system/machinecheck/machinecheck{cpu}/ignore_ce"
    ):
        if (value := facts.number(path)) != 1:
            yield Fault(place=path, found=str(value), expected="1")


def _irqbalance(facts: Facts, profile: Profile) -> Iterator[Fault]:
    wanted = isolated(profile)
    facts.require_host("whether irqbalance runs")
    facts.text("/proc/1/status")  # hidepid hides the processes of others
    lines = facts.answer("irqbalance").text.split("\n")
    running = [line.removeprefix("pid ") for line in lines if line.startswith("pid ")]
    if "denied" in lines:
        raise Undecided(f"the environment of irqbalance ({', '.join(running)}) may not be read; look as root")
    if not running:
        return
    banned = frozenset[int]().union(*(_banned(line) for line in lines if line.startswith("IRQBALANCE_")))
    if not wanted <= banned or len(running) > 1:
        found = f"running as {', '.join(running)}, with CPUs {list_text(banned)} banned"
        yield Fault(place="irqbalance", found=found, expected=f"stopped, or {list_text(wanted)} banned")


def _banned(line: str) -> frozenset[int]:
    name, _, value = line.partition("=")
    if name == "IRQBALANCE_BANNED_CPULIST":
        return cpu_list(value.strip("\"' "), name)
    if name == "IRQBALANCE_BANNED_CPUS":
        return mask(value.strip("\"' "), name)
    return frozenset()


def _routing(facts: Facts, profile: Profile) -> Iterator[Fault]:
    """Judge where each interrupt may go; ``_arriving`` judges those too that policy allows."""
    wanted, names = isolated(profile), _names(facts)
    for path in facts.matching("/proc/irq/[0-9]*/smp_affinity_list"):
        number = path.split("/")[3]
        allowed = any(fnmatch.fnmatchcase(names.get(number, ""), each) for each in profile.irqs_allowed)
        if not allowed and (shared := cpu_list(facts.text(path), path) & wanted):
            found = f"with the CPUs {list_text(shared)} ({names.get(number, 'unused')})"
            yield Fault(place=path, found=found, expected=f"without {list_text(wanted)}")


def _arriving(facts: Facts, profile: Profile) -> Iterator[Fault]:
    wanted = isolated(profile)
    then, now = (_counts(text) for text in (facts.before.get(INTERRUPTS, ""), facts.text(INTERRUPTS)))
    if missing := wanted - now.keys() | wanted - then.keys():
        raise Undecided(f"{INTERRUPTS} has no column for the CPUs {list_text(missing)}")
    if not all(counts[cpu] for counts in (then, now) for cpu in wanted):
        raise Undecided(f"{INTERRUPTS} has no row, and every CPU has a timer")
    most = profile.interrupts_per_s * facts.elapsed_s + 1
    for cpu in sorted(wanted):
        new = {name: count - then[cpu].get(name, 0) for name, count in now[cpu].items()}
        if any(count < 0 for count in new.values()):
            raise Undecided(f"{INTERRUPTS} runs backwards on CPU {cpu}")
        if (total := sum(new.values())) > most:
            worst = max(new, key=lambda name: new[name])
            found = f"{total} interrupts in {facts.elapsed_s:.2f} s, most of them {worst}"
            yield Fault(place=f"{INTERRUPTS}, CPU {cpu}", found=found, expected=f"at most {most:.0f}")


def _counts(text: str) -> Mapping[int, Mapping[str, int]]:
    """Return the count of each interrupt by CPU."""
    header, *rows = text.splitlines() or [""]
    columns = [whole(word.removeprefix("CPU"), INTERRUPTS) for word in header.split()]
    found: dict[int, dict[str, int]] = {cpu: {} for cpu in columns}
    for row in rows:
        name, _, counts = row.partition(":")
        numbers = counts.split()[: len(columns)]
        if len(numbers) < len(columns) and not name.strip().isdecimal():
            continue  # ERR and MIS have one number for all
        if len(numbers) < len(columns):
            raise Undecided(
                f"{INTERRUPTS} has {len(numbers)} of {len(columns)} counts of {name.strip()[:20]}"
            )
        for cpu, count in zip(columns, numbers, strict=True):
            found[cpu][name.strip()] = whole(count, f"{INTERRUPTS}, {name.strip()[:20]}")
    return found


def _names(facts: Facts) -> dict[str, str]:
    """Return what each interrupt is called: the last word of its row."""
    rows = (row.partition(":") for row in facts.text(INTERRUPTS).splitlines()[1:])
    return {number.strip(): (rest.split() or [""])[-1] for number, _, rest in rows}


def _services(facts: Facts, profile: Profile) -> Iterator[Fault]:
    wanted = isolated(profile)
    facts.require_host("where system services run")
    found = status_cpus(facts, "/proc/1/status")
    expected = facts.online - wanted
    if found & facts.online != expected:
        place = "Cpus_allowed_list of /proc/1/status"
        yield Fault(place=place, found=list_text(found), expected=list_text(expected))


def status_cpus(facts: Facts, path: str) -> frozenset[int]:
    """Return the CPUs on which a thread may run, by its ``status``."""
    return cpu_list(status_field(facts, path, "Cpus_allowed_list"), path)


def status_field(facts: Facts, path: str, name: str) -> str:
    """Return one field of a ``status`` file; ``Undecided`` unless it is there once, and says something."""
    lines = [
        line.partition(":")[2].strip()
        for line in facts.text(path).splitlines()
        if line.startswith(f"{name}:")
    ]
    if len(lines) != 1 or not lines[0]:
        raise Undecided(f"{path} does not tell {name} once")
    return lines[0]


def _clock_source(facts: Facts, profile: Profile) -> Iterator[Fault]:
    path = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
    if (value := facts.text(path)) not in profile.clocksources:
        yield Fault(place=path, found=value, expected=" or ".join(profile.clocksources))


WORKQUEUE = "/sys/devices/virtual/workqueue"
CHECKS: dict[str, tuple[Check, ...]] = {
    "HL12": (_governor, _least_frequency),
    "HL13": (_idle_states,),
    "HL14": (
        partial(_cpumask, f"{WORKQUEUE}/cpumask"),
        partial(_cpumask, f"{WORKQUEUE}/writeback/cpumask"),
    ),
    "HL15": (_machine_checks,),
    "HL16": (_irqbalance,),
    "HL17": (_routing, _arriving),
    "HL18": (_services,),
    "HL20": (_clock_source,),
}
"""Rule -> its parts."""
