"""A TOML table with its place: reads values of one type each and notes every mistake on the way."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any, TypeVar

from release_gates.policy.mistake import At, Mistakes, nearest, suggestion

Word = TypeVar("Word", bound=StrEnum)

NAME = r"[a-z][a-z0-9_]*"
GATE_NAME = r"[a-z][a-z0-9_-]*"


class Table:
    """One table of a policy file. A reader returns None for a key that is absent or mistaken."""

    def __init__(self, values: dict[str, Any], at: At, mistakes: Mistakes) -> None:
        self.values = values
        self.at = at
        self.mistakes = mistakes

    def wrong(self, key: str, sentence: str, slug: str) -> None:
        """Note a mistake in the value of a key."""
        self.mistakes.add(self.at.key(key), sentence, slug, value=self.values.get(key))

    def refuse_unknown(self, known: Sequence[str]) -> None:
        """Note every key that is not known, with the nearest that is."""
        for key in self.values:
            if key not in known:
                self.unknown(key, known)

    def unknown(self, key: str, known: Sequence[str]) -> None:
        """Note one unknown key."""
        sentence = f"unknown key '{key}'.{suggestion(key, known)}"
        self.mistakes.add(self.at.key(key), sentence, "unknown-key")

    def text(self, key: str) -> str | None:
        """Return a string that is not blank."""
        value = self.values.get(key)
        if value is None or (isinstance(value, str) and value.strip()):
            return value
        self._expected(key, "a text that is not empty, in quotes")
        return None

    def flag(self, key: str) -> bool | None:
        """Return true or false."""
        value = self.values.get(key)
        if value is None or isinstance(value, bool):
            return value
        self._expected(key, "true or false, without quotes")
        return None

    def whole(self, key: str, *, least: int) -> int | None:
        """Return a whole number that is at least ``least``; true and 2.0 are none."""
        value = self.values.get(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= least):
            return value
        self._expected(key, f"a whole number of at least {least}, without quotes")
        return None

    def word(self, key: str, kind: type[Word]) -> Word | None:
        """Return a member of a closed set of words."""
        value = self.values.get(key)
        words = [str(word) for word in kind]
        if value is None or value in words:
            return None if value is None else kind(value)
        self.wrong(key, f"must be one of {', '.join(words)}.{_near(value, words)}", "unknown-word")
        return None

    def day(self, key: str) -> date | None:
        """Return a date without a time."""
        value = self.values.get(key)
        if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
            return value
        self._expected(key, "a date without a time and without quotes: 2026-12-05")
        return None

    def table(self, key: str) -> Table | None:
        """Return a sub-table."""
        value = self.values.get(key)
        if value is None or isinstance(value, dict):
            return None if value is None else Table(value, self.at.key(key), self.mistakes)
        self._expected(key, f"a table: [{self.at.key(key)}]")
        return None

    def tables(self, key: str) -> Iterator[tuple[str, Table]]:
        """Yield the named sub-tables of a sub-table, as in ``[gate.load]``."""
        outer = self.table(key)
        for name in outer.values if outer else ():
            inner = outer.table(name) if outer else None
            if inner is not None:
                yield name, inner

    def refuse_schema(self) -> None:
        """Note a ``schema`` that is absent or of another version: we do not guess what a key means."""
        value = self.values.get("schema")
        if value is None:
            self.mistakes.add(self.at.key("schema"), "is absent. Begin with: schema = 1", "schema")
        elif value != 1 or isinstance(value, (bool, float)):
            self.wrong("schema", "this version reads schema 1 only", "schema")

    def _expected(self, key: str, what: str) -> None:
        self.wrong(key, f"must be {what}", "wrong-type")


def is_name(text: object, pattern: str = NAME) -> bool:
    """Tell whether a text can name an environment or a gate: it becomes a file name and a marker."""
    return isinstance(text, str) and re.fullmatch(pattern, text) is not None


def _near(value: object, words: Sequence[str]) -> str:
    near = nearest(value, words) if isinstance(value, str) else ""
    return f" Did you mean '{near}'?" if near else ""
