"""Which gate selects which of the collected tests, at about the price of a look-up for each test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from release_gates.model.gate import Policy
from release_gates.policy.mistake import nearest
from release_gates.policy.selection import Pattern, parse_pattern

MOST_COMPARED = 2000
"""So many names are looked through for the one that somebody meant."""


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """One pattern of one gate, and the environments in which it stands; each is equal to itself only."""

    gate: str
    pattern: Pattern
    environments: frozenset[str]

    def __str__(self) -> str:
        return f"gate '{self.gate}' selects it (\"{self.pattern.text}\")"


class Selecting:
    """Every ``select`` of a policy, compiled once; the paths of files are matched once each."""

    def __init__(self, policy: Policy) -> None:
        self._choices = tuple(_choices(policy))
        self._files: dict[str, tuple[tuple[Choice, ...], tuple[Choice, ...]]] = {}
        self._used: set[Choice] = set()

    def __bool__(self) -> bool:
        """Whether any gate selects anything."""
        return bool(self._choices)

    def of(self, nodeid: str) -> tuple[Choice, ...]:
        """Return every pattern that selects this test; equal tests of a file get the same object."""
        path, _, node = nodeid.partition("::")
        known = self._files.get(path)
        whole, some = self._file(path) if known is None else known
        if not some:
            return whole
        found = tuple(choice for choice in some if choice.pattern.node and choice.pattern.node.match(node))
        self._used.update(found)
        return (*whole, *found) if found else whole

    def unused(self) -> tuple[Choice, ...]:
        """Return the patterns that selected none of the tests that were asked about."""
        return tuple(choice for choice in self._choices if choice not in self._used)

    def _file(self, path: str) -> tuple[tuple[Choice, ...], tuple[Choice, ...]]:
        here = [choice for choice in self._choices if choice.pattern.takes_file(path)]
        whole = tuple(choice for choice in here if choice.pattern.node is None)
        some = tuple(choice for choice in here if choice.pattern.node is not None)
        self._used.update(whole)
        self._files[path] = whole, some
        return whole, some


def takes_everything(config: pytest.Config) -> bool:
    """Tell whether this call names no part of the tests: it collects ``testpaths``, or the root folder."""
    source = config.args_source
    return source is pytest.Config.ArgsSource.TESTPATHS or (
        source is pytest.Config.ArgsSource.INVOCATION_DIR
        and config.invocation_params.dir.resolve() == config.rootpath.resolve()
    )


def was_collected(pattern: Pattern, config: pytest.Config, *, everything: bool) -> bool:
    """Tell whether this call of pytest looked at every file that the pattern could mean.

    ``everything`` is ``takes_everything`` of the controller: to an xdist worker each path is an argument.
    """
    option = config.option
    if any(getattr(option, name, None) for name in ("lf", "ignore", "ignore_glob")):
        return False
    below = (config.rootpath / pattern.start).resolve()
    return everything or any(below.is_relative_to(place) for place in _places(config))


def _places(config: pytest.Config) -> Iterator[Path]:
    if not config.option.pyargs:
        start = config.invocation_params.dir
        yield from (Path(start, arg).resolve() for arg in config.args if "::" not in arg)


def nothing_selected(choice: Choice, nodeids: Sequence[str]) -> str:
    """Return the sentence about a pattern that selects none of the tests that pytest collected."""
    entries = " and ".join(sorted(choice.environments))
    near = _near(choice.pattern.text, nodeids)
    hint = f'Did you mean "{near}"?' if near else "Correct it, or take it out."
    return (
        f"gate '{choice.gate}', entry to {entries}: pytest collects no test that "
        f'"{choice.pattern.text}" in `select` means. {hint} [selects-nothing]'
    )


def _near(text: str, nodeids: Sequence[str]) -> str:
    is_test = "::" in text
    for more in () if text.endswith("*") else ("[*", "::*") if is_test else ("/**",):
        if any(parse_pattern(text + more).takes(nodeid) for nodeid in nodeids):
            return text + more
    known = set(nodeids) if is_test else {nodeid.partition("::")[0] for nodeid in nodeids}
    return nearest(text, sorted(known)[:MOST_COMPARED])


def _choices(policy: Policy) -> Iterator[Choice]:
    for gate in policy.gate_names():
        specs = {env.name: spec for env in policy.environments if (spec := env.gate(gate)) is not None}
        for text in dict.fromkeys(text for spec in specs.values() for text in spec.select):
            names = frozenset(name for name, spec in specs.items() if text in spec.select)
            yield Choice(gate, parse_pattern(text), names)
