"""The facts of a host: files of its kernel and answers of its programs, word for word, as plain data.

Rules ask these and nothing else, so that a recorded host is judged like a living one. What was not read, was
not readable or is empty raises; nothing has a default.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from release_gates.errors import MeasurementError
from release_gates.model.cpus import parse_list
from release_gates.model.rule import Undecided
from release_gates.probes.machine.hosts.rule import NotThere

LARGEST_BYTES = 32 << 20
FIRST_PID_NAMESPACE = "pid:[4026531836]"
"""``/proc/self/ns/pid`` outside of every container (PROC_PID_INIT_INO of the kernel)."""
ALWAYS = (
    "/proc/cmdline",
    "/proc/uptime",
    "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/osrelease",
    "/sys/devices/system/cpu/online",
)
"""Every Linux host has these; where one cannot be read, ``/proc`` or ``/sys`` is not the kernel's."""

_CLOCKS_APART = timedelta(minutes=5)


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a program of the host said, and its exit status; 127 is "there is no such program"."""

    status: Annotated[int, msgspec.Meta(ge=0, le=255)]
    text: str


class Facts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One host at one moment.

    ``host`` is how it was reached, ``engine`` which process was looked at ("": none), ``nics`` which network
    devices. ``files`` holds what was read, ``before`` what was read a moment earlier too, for differences;
    ``absent`` are the files that are not there, ``denied`` those that may not be read.
    """

    schema: Literal[1] = 1
    host: str
    recorded: Annotated[datetime, msgspec.Meta(tz=True)]
    engine: str
    nics: tuple[str, ...]
    files: dict[str, str]
    before: dict[str, str]
    absent: tuple[str, ...]
    denied: tuple[str, ...]
    answers: dict[str, Answer]

    # -- one file ---------------------------------------------------------------------------------

    def raw(self, path: str) -> str:
        """Return what a file holds, which may be nothing; ``NotThere`` or ``Undecided`` if it cannot."""
        if path in self.files:
            return self.files[path]
        if any(path == pattern or fnmatch.fnmatchcase(path, pattern) for pattern in self.denied):
            raise Undecided(f"{path} may not be read by who looked; look as root (?sudo=true)")
        if any(path == pattern or fnmatch.fnmatchcase(path, pattern) for pattern in self.absent):
            raise NotThere(path)
        raise Undecided(f"{path} was not recorded; record the host again")

    def text(self, path: str) -> str:
        """Return a file's text without the space around it; an empty one is ``Undecided``."""
        text = self.raw(path).strip()
        if not text:
            raise Undecided(f"{path} is empty, as if something hid it")
        return text

    def number(self, path: str) -> int:
        """Return the one number in a file."""
        return whole(self.text(path), path)

    def cpus(self, path: str) -> frozenset[int]:
        """Return the CPUs or nodes that a file lists; ``(null)`` is what kernels write for none."""
        text = self.raw(path).strip()
        return cpu_list("" if text == "(null)" else text, path)

    def matching(self, pattern: str) -> tuple[str, ...]:
        """Return the paths of a pattern that were read, sorted; ``NotThere`` or ``Undecided`` if none was."""
        found = tuple(sorted(path for path in self.files if fnmatch.fnmatchcase(path, pattern)))
        denied = [path for path in self.denied if fnmatch.fnmatchcase(path, pattern) or path == pattern]
        if denied:
            raise Undecided(f"{denied[0]} may not be read by who looked; look as root (?sudo=true)")
        if not found:
            self.raw(pattern)
        return found

    def answer(self, name: str) -> Answer:
        """Return what a program said; ``NotThere`` where the host has no such program."""
        if name not in self.answers:
            raise Undecided(f"{name} was not asked; record the host again")
        if self.answers[name].status == 127:
            raise NotThere(f"the program {self.answers[name].text.removeprefix('no ')[:40]}")
        return self.answers[name]

    # -- the host itself --------------------------------------------------------------------------

    @property
    def hostname(self) -> str:
        """What the host calls itself."""
        return self.files.get("/proc/sys/kernel/hostname", "").strip()

    @property
    def boot(self) -> str:
        """What the kernel calls this run of it, another one on each machine; "" where it is hidden."""
        return self.files.get("/proc/sys/kernel/random/boot_id", "").strip()

    @property
    def online(self) -> frozenset[int]:
        """The CPUs that are online; at least one."""
        path = "/sys/devices/system/cpu/online"
        return cpu_list(self.text(path), path)

    @property
    def elapsed_s(self) -> float:
        """Seconds between the two readings, at least the hundredth that the kernel tells."""
        then, now = (_seconds(files.get("/proc/uptime", "")) for files in (self.before, self.files))
        if now < then:
            raise Undecided("/proc/uptime runs backwards")
        return max(now - then, 0.01)

    def require_host(self, what: str) -> None:
        """Raise ``Undecided`` where only a container was seen: the host's processes are hidden there."""
        seen = self.answer("pid_namespace").text.strip()
        if seen != FIRST_PID_NAMESPACE:
            raise Undecided(
                f"{what} cannot be seen from inside a container ({seen[:40]}); look at the host itself"
            )

    def cpu_files(self, cpus: frozenset[int], path: str) -> Iterator[tuple[int, str]]:
        """Yield CPU and path for each CPU of a set; ``{cpu}`` stands in the path."""
        for cpu in sorted(cpus):
            yield cpu, path.format(cpu=cpu)


def _seconds(uptime: str) -> float:
    first = uptime.split()[:1]
    if not first or not re.fullmatch(r"[0-9]{1,12}\.[0-9]{2}", first[0], re.ASCII):
        raise Undecided(f"/proc/uptime says {uptime[:40]!r}")
    return float(first[0])


def whole(text: str, place: str) -> int:
    """Return a whole number; ``Undecided`` for what is none."""
    digits = text.strip().removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 18):
        raise Undecided(f"{place} says {text[:40]!r}, which is no number")
    return int(text)


def cpu_list(text: str, place: str) -> frozenset[int]:
    """Return a set of CPUs; ``Undecided`` for what is no list."""
    try:
        return parse_list(text)
    except ValueError as error:
        raise Undecided(f"{place} says {text[:60]!r}: {error}") from None


def check_whole(facts: Facts, place: str) -> None:
    """Raise ``MeasurementError`` unless the facts hold what every host has; ``place`` is theirs."""
    for path in ALWAYS:
        if not facts.files.get(path, "").strip():
            raise garbled(place, f"{path} was not read, so this is no view of a Linux host")
    try:
        online, elapsed = facts.online, facts.elapsed_s
    except (Undecided, NotThere) as error:
        raise garbled(place, f"the basic facts make no sense: {error!s:.120}") from None
    if not online or not elapsed < 3600:
        raise garbled(place, f"it tells {len(online)} CPUs and readings {elapsed:g} s apart")


def read_facts(file: Path) -> Facts:
    """Return the facts in a file that ``release-gates host facts`` wrote.

    ``MeasurementError`` for one that cannot be read, is larger than 32 MiB, malformed, or incomplete.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise garbled(str(file), f"it cannot be read: {error.strerror}") from None
    return parse_facts(content, str(file))


def parse_facts(content: bytes, file: str) -> Facts:
    """Return the facts in the bytes of a file; ``MeasurementError`` as ``read_facts`` says."""
    if len(content) > LARGEST_BYTES:
        raise garbled(file, f"it is larger than {LARGEST_BYTES >> 20} MiB")
    try:
        facts = msgspec.json.decode(content, type=Facts)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise garbled(file, f"it holds no facts of a host: {error}") from None
    check_whole(facts, file)
    return facts


def stale(facts: Facts, *, now: datetime, max_age: timedelta) -> str:
    """Return why facts are too old (or from the future) to count; "" if they are fresh."""
    age = now - facts.recorded
    if age < -_CLOCKS_APART:
        return f"the facts of {facts.host} were recorded {facts.recorded:%Y-%m-%d %H:%M} UTC, in the future"
    if age > max_age:
        hours = max_age.total_seconds() / 3600
        return (
            f"the facts of {facts.host} were recorded {facts.recorded:%Y-%m-%d %H:%M} UTC, more than "
            f"{hours:g} h ago"
        )
    return ""


def garbled(host: str, problem: str) -> MeasurementError:
    """Return the error for facts that cannot be believed."""
    return MeasurementError(
        f"{host}: {problem}.",
        slug="host-facts-garbled",
        hint="Nothing is guessed from what is left: look what the host answers, and read it again.",
    )


def same_machine(name: str, first: str, hostname: str) -> MeasurementError:
    """Return the error for a host of policy that turned out to be another one of its group."""
    return MeasurementError(
        f"{name} is the same machine as {first}: both are {hostname}, "
        "so one that policy asks for was not seen.",
        slug="host-twice",
        hint="Look where the name, the port or ssh_config leads.",
    )
