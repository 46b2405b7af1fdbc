"""Mistakes in a policy: each is a small record, all of them together are one error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from release_gates.errors import GateError, PolicyError
from release_gates.model.record import Record

SHOWN = 80
"""Longer values are cut in a message, in characters."""


class Mistake(Record, frozen=True, kw_only=True):
    """One mistake: in which ``file``, at which ``place`` (key path or line), what ``value`` stands there.

    ``sentence`` says what is wrong and what to do; ``slug`` leads to its paragraph in ``docs/messages.md``.
    """

    file: str
    place: str = ""
    value: str = ""
    sentence: str
    slug: str

    def __str__(self) -> str:
        where = f"{self.place} = {self.value}" if self.value else self.place
        return f"{self.file}: {where + ': ' if where else ''}{self.sentence} [{self.slug}]"


class PolicyMistakes(PolicyError):
    """Every mistake of a policy at once; ``mistakes`` holds them, the text numbers them, one a line."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        count = len(self.mistakes)
        lines = (f"{number}. {mistake}" for number, mistake in enumerate(self.mistakes, 1))
        title = "The policy has 1 mistake:" if count == 1 else f"The policy has {count} mistakes:"
        super().__init__("\n".join([title, *lines]), slug="policy-mistakes")

    def __reduce__(self) -> tuple[object, ...]:
        return (PolicyMistakes, (self.mistakes,))

    def __str__(self) -> str:
        return self.message


class At(NamedTuple):
    """A place in a policy file: the file below the policy folder and the path of keys in it."""

    file: str
    keys: tuple[str, ...] = ()

    def key(self, *names: str) -> At:
        """Return the place of a key below this one."""
        return At(self.file, (*self.keys, *names))

    def __str__(self) -> str:
        return ".".join(map(quoted_key, self.keys))


class Mistakes:
    """Collects mistakes while a policy is read; ``folder`` is how messages name the policy folder."""

    def __init__(self, folder: str = "gates") -> None:
        self.folder = folder
        self.found: list[Mistake] = []

    def add(self, at: At, sentence: str, slug: str, *, value: object = None, place: str = "") -> None:
        """Note a mistake; ``value`` is shown as TOML would write it, ``place`` replaces the path of keys."""
        shown = "" if value is None else written(value)
        file = f"{self.folder}/{at.file}" if at.file else self.folder
        self.found.append(
            Mistake(file=file, place=place or str(at), value=shown, sentence=sentence, slug=slug)
        )

    def add_outside(self, file: str, sentence: str, slug: str) -> None:
        """Note what is wrong with a file of the project that does not lie in the policy folder."""
        self.found.append(Mistake(file=file, sentence=sentence, slug=slug))

    def add_error(self, at: At, error: GateError, *, value: object = None) -> None:
        """Note what a pure function refused, with its own slug."""
        hint = f" {error.hint}" if error.hint else ""
        self.add(at, f"{error.message}{hint}", error.slug, value=value)

    def concern(self, file: str) -> bool:
        """Tell whether a file already has a mistake, so that what follows from it is not reported too."""
        return any(mistake.file == f"{self.folder}/{file}" for mistake in self.found)

    def raise_any(self) -> None:
        """Raise PolicyMistakes if anything was noted."""
        if self.found:
            raise PolicyMistakes(self.found)


def quoted_key(key: str) -> str:
    """Return a key as TOML writes it: bare if it can be, else in quotes."""
    bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if bare else written(key)


def written(value: object) -> str:
    """Return a value about as TOML writes it, on one line, cut to ``SHOWN`` characters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{ … }" if value else "{}"
    if isinstance(value, list):
        return "[ … ]" if value else "[]"
    text = _string(value) if isinstance(value, str) else str(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def nearest(word: str, known: Sequence[str]) -> str:
    """Return the known word that a person most likely meant, or an empty text."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, known, n=1, cutoff=0.6)), "")


def suggestion(word: str, known: Sequence[str]) -> str:
    """Return " Did you mean 'x'?" for the nearest known word, else the list of those that are known."""
    near = nearest(word, known)
    if near:
        return f" Did you mean '{near}'?"
    return f" Known: {', '.join(known)}." if known else ""


def _string(text: str) -> str:
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[: SHOWN + 1])
    return '"' + shown.replace('"', '\\"') + '"'
