"""What the script printed, as facts. Whatever is not of its form is an error, never left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from release_gates.probes.machine.hosts.facts import Answer, Facts, check_whole, garbled

_SECTIONS = ("before", "now", "after")
_SHOWN = 80


class _Reading:
    """Sections of files, and answers, while the output is read line by line."""

    def __init__(self, host: str, nonce: str) -> None:
        self.host, self.nonce = host, nonce
        self.files: dict[str, dict[str, list[str]]] = {section: {} for section in _SECTIONS}
        self.absent: list[str] = []
        self.denied: list[str] = []
        self.answers: dict[str, tuple[int, list[str]]] = {}
        self.section, self.asked, self.ended = "", "", False

    def mark(self, words: Sequence[str]) -> None:
        """Take a line that begins with the reading's own word."""
        self.asked = ""
        match words:
            case ["begin"]:
                if self.section:
                    raise garbled(self.host, "the answer begins twice")
                self.section = "begin"
            case [("before" | "now" | "after") as section]:
                self.section = section
            case ["end"]:
                self.ended = True
            case ["+", path]:
                self._files().setdefault(path, [])
            case ["-", path]:
                self.absent.append(path)
            case ["!", path]:
                self.denied.append(path)
            case ["read", status] if status in {"0", "1", "2"}:
                pass  # 2: a thread ended meanwhile; a higher one is a reader that was killed
            case ["=", name, status] if status.isdecimal() and int(status) < 256:
                if name in self.answers:
                    raise garbled(self.host, f"the answer of {name} comes twice")
                self.answers[name] = int(status), []
                self.asked = name
            case _:
                raise garbled(self.host, f"{' '.join(words)[:_SHOWN]!r} is nothing that was asked for")

    def line(self, line: str) -> None:
        """Take a line of a file, or of what a program said."""
        if self.asked:
            self.answers[self.asked][1].append(line)
            return
        files, at = self._files(), line.find(":")
        while at >= 0:
            if line[:at] in files:
                files[line[:at]].append(line[at + 1 :])
                return
            at = line.find(":", at + 1)
        raise garbled(self.host, f"{line[:_SHOWN]!r} belongs to no file that was read")

    def _files(self) -> dict[str, list[str]]:
        if self.section not in self.files:
            raise garbled(self.host, "the answer has files before its first section")
        return self.files[self.section]


def parse_answer(
    output: bytes, *, host: str, nonce: str, now: datetime, engine: str = "", nics: tuple[str, ...] = ()
) -> Facts:
    """Return the facts in what the script printed.

    What a login shell prints before the script begins is skipped. ``MeasurementError`` for output that does
    not begin, does not end, is no text, or has a line of another form.
    """
    try:
        text = output.decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        raise garbled(host, f"the answer is no text ({error.reason} at byte {error.start})") from None
    reading = _Reading(host, nonce)
    for line in _from_begin(text, nonce):
        if reading.ended:
            break
        if line.startswith(f"{nonce} "):
            reading.mark(line.removeprefix(f"{nonce} ").split(" "))
        else:
            reading.line(line)
    if not reading.ended:
        raise garbled(host, "the answer breaks off, or the shell ended early")
    facts = _facts(reading, now, engine, nics)
    check_whole(facts, host)
    return facts


def _from_begin(text: str, nonce: str) -> Iterator[str]:
    lines = iter(text.split("\n"))
    for line in lines:
        if line == f"{nonce} begin":
            yield line
            break
    yield from lines


def _facts(reading: _Reading, now: datetime, engine: str, nics: tuple[str, ...]) -> Facts:
    def joined(*sections: str) -> dict[str, str]:
        return {
            path: "\n".join(lines) for section in sections for path, lines in reading.files[section].items()
        }

    return Facts(
        host=reading.host,
        recorded=now,
        engine=engine,
        nics=nics,
        files=joined("now", "after"),
        before=joined("before"),
        absent=tuple(dict.fromkeys(reading.absent)),
        denied=tuple(dict.fromkeys(reading.denied)),
        answers={
            name: Answer(status=status, text="\n".join(lines).strip("\n"))
            for name, (status, lines) in reading.answers.items()
        },
    )
