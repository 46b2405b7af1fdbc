"""Rules about the kernel: command line, switches, memory, mitigations, what is installed."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from functools import partial

from release_gates.model.cpus import list_text
from release_gates.model.rule import Undecided
from release_gates.probes.machine.hosts.facts import Facts, cpu_list
from release_gates.probes.machine.hosts.profile import Profile
from release_gates.probes.machine.hosts.rule import Fault

Check = Callable[[Facts, Profile], Iterator[Fault]]
CMDLINE = "/proc/cmdline"
KERNEL, VM = "/proc/sys/kernel", "/proc/sys/vm"
CPU = "/sys/devices/system/cpu"
ISOLCPUS_FLAGS = frozenset({"managed_irq", "domain", "nohz"})
MITIGATED = ("Not affected", "Mitigation: ", "KVM: Mitigation: ")
SWITCHED_OFF = frozenset(
    {
        *(
            "mitigations=off",
            "nopti",
            "pti=off",
            "nospectre_v1",
            "nospectre_v2",
            "spectre_v2=off",
            "l1tf=off",
        ),
        *("spectre_v2_user=off", "spec_store_bypass_disable=off", "nospec_store_bypass_disable", "mds=off"),
        *("tsx_async_abort=off", "mmio_stale_data=off", "retbleed=off", "srbds=off", "spectre_bhi=off"),
        *("gather_data_sampling=off", "spec_rstack_overflow=off", "reg_file_data_sampling=off", "kpti=0"),
        *("indirect_target_selection=off", "tsa=off", "vmscape=off", "ssbd=force-off"),
    }
)
"""Words of the command line that switch a mitigation off (Documentation/admin-guide/hw-vuln)."""


def words(facts: Facts) -> tuple[str, ...]:
    """Return the kernel's parameters: what stands behind ``--`` is for init, quotes hold blanks together."""
    found, word, quoted = [], "", False
    for letter in facts.text(CMDLINE) + " ":
        if letter == '"':
            quoted = not quoted
        elif letter.isspace() and not quoted:
            if word == "--":
                break
            found.append(word)
            word = ""
        else:
            word += letter
    return tuple(filter(None, found))


def isolated(profile: Profile) -> frozenset[int]:
    """Return the engine's CPUs; ``Undecided`` where policy names none."""
    if not profile.isolated:
        raise Undecided('policy names no isolated CPUs (isolated = "2-7")')
    return profile.isolated


def _cpus_of(facts: Facts, name: str) -> tuple[str, frozenset[int], frozenset[str]]:
    """Return a parameter as it stands, its CPUs and its flags; the text is empty where it is not given."""
    given = list(dict.fromkeys(word for word in words(facts) if word.startswith(f"{name}=")))
    if len(given) > 1:
        raise Undecided(
            f"{CMDLINE} has {name} more than once, with different values: {' '.join(given)[:120]}"
        )
    if not given:
        return "", frozenset(), frozenset()
    parts = given[0].partition("=")[2].split(",")
    flags = frozenset(part for part in parts if part in ISOLCPUS_FLAGS)
    cpus = ",".join(part for part in parts if part not in flags)
    return given[0], cpu_list(cpus, f"{name} of {CMDLINE}"), flags


def _parameter(name: str, facts: Facts, profile: Profile) -> Iterator[Fault]:
    wanted = isolated(profile)
    given, cpus, _ = _cpus_of(facts, name)
    if cpus != wanted:
        yield Fault(place=f"{name} of {CMDLINE}", found=given or "not given", expected=list_text(wanted))


def _effective(path: str, facts: Facts, profile: Profile) -> Iterator[Fault]:
    wanted = isolated(profile)
    if (cpus := facts.cpus(path)) != wanted:
        yield Fault(place=path, found=list_text(cpus), expected=list_text(wanted))


def _isolcpus(facts: Facts, profile: Profile) -> Iterator[Fault]:
    wanted = isolated(profile)
    given, cpus, flags = _cpus_of(facts, "isolcpus")
    if cpus != wanted or not {"managed_irq", "domain"} <= flags:
        expected = f"isolcpus=managed_irq,domain,{list_text(wanted)}"
        yield Fault(place=f"isolcpus of {CMDLINE}", found=given or "not given", expected=expected)


def _online(facts: Facts, profile: Profile) -> Iterator[Fault]:
    """What is switched off disturbs nobody, and runs no engine."""
    if offline := isolated(profile) - facts.online:
        place = f"{CPU}/online"
        yield Fault(place=place, found=f"without {list_text(offline)}", expected="the isolated CPUs too")


def _arguments(facts: Facts, profile: Profile) -> Iterator[Fault]:
    given = words(facts)
    if not profile.kernel_arguments:
        raise Undecided("policy names no parameters of the kernel (kernel_arguments = [...])")
    for argument in profile.kernel_arguments:
        key, equals, _ = argument.partition("=")
        same = [word for word in given if word == key or word.startswith(f"{key}=")]
        if not equals:
            same = [word for word in given if word == argument]
        if not same or set(same) != {argument}:
            yield Fault(place=CMDLINE, found=" ".join(same) or f"without {key}", expected=argument)


def _hugepages(facts: Facts, profile: Profile) -> Iterator[Fault]:
    path = "/sys/kernel/mm/transparent_hugepage/enabled"
    text = facts.text(path)
    chosen = [word[1:-1] for word in text.split() if word.startswith("[") and word.endswith("]")]
    if len(chosen) != 1:
        raise Undecided(f"{path} says {text[:60]!r}, which chooses nothing")
    if chosen[0] not in profile.transparent_hugepages:
        yield Fault(place=path, found=text, expected=f"[{'] or ['.join(profile.transparent_hugepages)}]")


def equal(path: str, *wanted: int) -> Check:
    """Return the check that a file holds one of some numbers."""

    def check(facts: Facts, _profile: Profile) -> Iterator[Fault]:
        if (value := facts.number(path)) not in wanted:
            yield Fault(place=path, found=str(value), expected=" or ".join(map(str, wanted)))

    return check


def by_profile(path: str, name: str) -> Check:
    """Return the check that a file holds exactly what the profile's field of that name says."""

    def check(facts: Facts, profile: Profile) -> Iterator[Fault]:
        wanted = getattr(profile, name)
        if wanted is None:
            raise Undecided(f"policy does not say what {path} is to be ({name} = …)")
        yield from equal(path, wanted)(facts, profile)

    return check


def at_least(path: str, name: str) -> Check:
    """Return the check that a file holds at least what the profile's field of that name says."""

    def check(facts: Facts, profile: Profile) -> Iterator[Fault]:
        wanted = getattr(profile, name)
        if not wanted > 0:
            raise Undecided(f"policy does not say how large {path} is to be ({name} = …)")
        if (value := facts.number(path)) < wanted:
            yield Fault(place=path, found=str(value), expected=f"at least {wanted}")

    return check


def _swappiness(facts: Facts, profile: Profile) -> Iterator[Fault]:
    path = f"{VM}/swappiness"
    if not 0 <= (value := facts.number(path)) <= profile.swappiness:
        yield Fault(place=path, found=str(value), expected=f"at most {profile.swappiness}")


def _ksm(facts: Facts, _profile: Profile) -> Iterator[Fault]:
    path = "/sys/kernel/mm/ksm/run"
    if (value := facts.number(path)) not in {0, 2}:
        yield Fault(place=path, found=str(value), expected="0")


def _smt(facts: Facts, profile: Profile) -> Iterator[Fault]:
    path = f"{CPU}/smt/active"
    if facts.number(path) != 0 and not profile.smt:
        yield Fault(place=path, found="1", expected="0")


def _mitigations(facts: Facts, profile: Profile) -> Iterator[Fault]:
    """Return what is switched off or vulnerable; an approval in policy covers it."""
    if profile.mitigations:
        return
    expected = "on, or an approval in policy (mitigations_off = { by, because, until })"
    for word in words(facts):
        key, _, value = word.partition("=")
        spared = key == "mitigations" and any(each.startswith("no_") for each in re.split("[,;]", value))
        if word in SWITCHED_OFF or spared:
            yield Fault(place=CMDLINE, found=word, expected=expected)
    for path in facts.matching(f"{CPU}/vulnerabilities/*"):
        state = facts.text(path)
        if not state.startswith(MITIGATED) or "vulnerable" in state.lower():
            yield Fault(place=path, found=state, expected=expected)


def _swap(facts: Facts, _profile: Profile) -> Iterator[Fault]:
    header, *rest = facts.text("/proc/swaps").splitlines()
    if not header.startswith("Filename"):
        raise Undecided(f"/proc/swaps begins with {header[:40]!r}")
    if rest:
        used = ", ".join(line.split()[0] for line in rest if line.split())
        yield Fault(place="/proc/swaps", found=used, expected="no swap")


def _kernel(facts: Facts, profile: Profile) -> Iterator[Fault]:
    yield from _approved(f"{KERNEL}/osrelease", facts, profile.kernels, "kernels")


def _microcode(facts: Facts, profile: Profile) -> Iterator[Fault]:
    paths = facts.matching(f"{CPU}/cpu[0-9]*/microcode/version")
    if absent := facts.online - {_cpu_of(path) for path in paths}:
        raise Undecided(f"CPUs {list_text(absent)} do not tell their microcode")
    for path in paths:
        yield from _approved(path, facts, profile.microcodes, "microcodes")


def _cpu_of(path: str) -> int:
    return int(path.removeprefix(f"{CPU}/cpu").partition("/")[0])


def _approved(path: str, facts: Facts, approved: Collection[str], name: str) -> Iterator[Fault]:
    if not approved:
        raise Undecided(f"policy approves none of what {path} may say ({name} = [...])")
    if (value := facts.text(path)) not in approved:
        yield Fault(place=path, found=value, expected=" or ".join(approved))


CHECKS: dict[str, tuple[Check, ...]] = {
    "HL01": (
        partial(_parameter, "nohz_full"),
        partial(_parameter, "rcu_nocbs"),
        partial(_effective, f"{CPU}/nohz_full"),
    ),
    "HL02": (_isolcpus, _online, partial(_effective, f"{CPU}/isolated")),
    "HL03": (_arguments,),
    "HL04": (_hugepages,),
    "HL05": (equal(f"{KERNEL}/numa_balancing", 0),),
    "HL08": (equal(f"{KERNEL}/nmi_watchdog", 0), equal(f"{KERNEL}/timer_migration", 0)),
    "HL09": (equal(f"{VM}/stat_interval", 10), equal(f"{KERNEL}/hung_task_timeout_secs", 600)),
    "HL10": (_swappiness,),
    "HL11": (equal(f"{KERNEL}/sched_rt_runtime_us", -1),),
    "HL19": (_ksm,),
    "HL28": (_smt, _mitigations),
    "HL29": (_swap, _kernel, _microcode),
}
"""Rule -> its parts; each is asked by itself, so that a missing file hides nothing else."""
