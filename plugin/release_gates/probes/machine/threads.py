"""The threads of a process: what each is called and where it may run (proc(5), ``task/TID/status``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from release_gates.model.cpus import list_text, parse_list
from release_gates.probes.machine.faults import malformed

LARGEST_BYTES = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """One thread: ``cpus`` it may run on, ``nodes`` it may allocate memory on (its control group's)."""

    id: int
    name: str
    cpus: frozenset[int]
    nodes: frozenset[int]


def read_threads(root: Path, pid: int) -> tuple[Thread, ...]:
    """Return every thread of a living process; ``MeasurementError`` if it is gone or a file is malformed.

    A thread that ends while it is looked at is left out, a process without any is an error.
    """
    folder = root / "proc" / str(pid) / "task"
    try:
        numbers = sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal())
    except OSError as error:
        raise malformed(str(folder), f"cannot be read: {error.strerror}. Has process {pid} ended?") from None
    threads = tuple(thread for number in numbers if (thread := _thread(folder / str(number), number)))
    if not threads:
        raise malformed(str(folder), f"process {pid} has no thread")
    return threads


def parse_status(text: str, file: str) -> tuple[frozenset[int], frozenset[int]]:
    """Return the allowed CPUs and memory nodes that a thread's ``status`` tells."""
    fields = [line.partition(":") for line in text.splitlines()]
    found = []
    for key in ("Cpus_allowed_list", "Mems_allowed_list"):
        values = [value.strip() for name, _, value in fields if name == key]
        if len(values) != 1:
            raise malformed(file, f"has {len(values)} lines {key}, not one")
        try:
            numbers = parse_list(values[0])
        except ValueError as error:
            raise malformed(file, f"{key}: {error}") from None
        if not numbers:
            raise malformed(file, f"{key} is empty")
        found.append(numbers)
    return found[0], found[1]


def misplaced(threads: tuple[Thread, ...], pins: Mapping[str, frozenset[int]]) -> tuple[str, ...]:
    """Return a sentence for each thread that is not where it was asked to be. Pure.

    A named thread has to be there, and may run on exactly its CPUs; any other must not run on those.
    """
    return (*_absent(threads, pins), *_elsewhere(threads, pins), *_intruders(threads, pins))


def _absent(threads: tuple[Thread, ...], pins: Mapping[str, frozenset[int]]) -> Iterator[str]:
    names = sorted({thread.name for thread in threads})
    for name in pins:
        if name not in names:
            yield f"there is no thread '{name}'; there are: {', '.join(names)}"


def _elsewhere(threads: tuple[Thread, ...], pins: Mapping[str, frozenset[int]]) -> Iterator[str]:
    for thread in threads:
        asked = pins.get(thread.name)
        if asked is not None and thread.cpus != asked:
            yield (
                f"thread '{thread.name}' may run on CPUs {list_text(thread.cpus)}; "
                f"it was asked onto {list_text(asked)}"
            )


def _intruders(threads: tuple[Thread, ...], pins: Mapping[str, frozenset[int]]) -> Iterator[str]:
    for thread in threads:
        for name, cpus in pins.items():
            if thread.name not in pins and (shared := thread.cpus & cpus):
                yield (
                    f"thread '{thread.name}' may run on CPUs {list_text(shared)}, which '{name}' is bound to"
                )


def _thread(folder: Path, number: int) -> Thread | None:
    try:
        name = (folder / "comm").read_bytes()[:LARGEST_BYTES]
        status = (folder / "status").read_bytes()[:LARGEST_BYTES]
    except (FileNotFoundError, ProcessLookupError):
        return None
    except OSError as error:
        raise malformed(str(folder), f"cannot be read: {error.strerror}") from None
    cpus, nodes = parse_status(status.decode("utf-8", "replace"), str(folder / "status"))
    return Thread(id=number, name=name.decode("utf-8", "replace").rstrip("\n"), cpus=cpus, nodes=nodes)
