"""Marks: ``gate("load")`` on a test or by ``select``, and the ``gate_<environment>`` derived from it."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Generator
from typing import NoReturn

import pytest

from release_gates.model.gate import Policy
from release_gates.session.briefing import Briefing
from release_gates.session.expression import PREFIX
from release_gates.session.outcomes import GATE_PROPERTY
from release_gates.session.selecting import Choice, Selecting, nothing_selected, was_collected

NAME = pytest.StashKey[str]()
Derived = dict[str, dict[str, pytest.MarkDecorator]]
"""Gate -> environment that lists it -> the mark that guards this entry."""
REFUSED = "release_gates_refused"
"""Key of an xdist worker's output: why it did not take its tests."""
LEFT_OUT = pytest.StashKey[dict[str, int]]()
"""Gate -> how many of its tests only a decision runs, where nothing is decided."""
LEFT_OUT_KEY = "release_gates_left_out"
"""Key of an xdist worker's output: the same."""
MOST_NAMED = 20
"""So many mistakes are listed; one more line counts the rest."""


def gate_of(item: pytest.Item) -> str | None:
    """Return the name of the gate that a collected test belongs to, or None."""
    return item.stash.get(NAME, None)


class Marks:
    """Gives each test of a gate the marks of the environments that list the gate."""

    def __init__(self, briefing: Briefing) -> None:
        self._briefing = briefing
        self._selecting = Selecting(briefing.policy)
        self._gate_marks = {name: pytest.mark.gate(name) for name in briefing.policy.gate_names()}
        self._guarded_gates = frozenset(
            gate.name
            for environment in briefing.policy.environments
            for gate in environment.gates
            if gate.exclusive or gate.effect == "destructive"
        )

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Mark before anybody selects; then leave out what only a decision may run."""
        derived = _derived(self._briefing)
        mistakes = [mistake for item in items for mistake in self._mark(item, derived)]
        if not session.testsfailed:
            mistakes += self._nothing_selected(config, items)
        if mistakes:
            refuse(config, _first(mistakes))
        result = yield
        if not self._briefing.environment and not config.option.collectonly:
            self._leave_out_guarded(config, items)
        return result

    def _mark(self, item: pytest.Item, derived: Derived) -> list[str]:
        found = list(item.iter_markers_with_node("gate"))
        choices = self._selecting.of(item.nodeid) if self._selecting else ()
        if not found:
            mistakes = _environment_marks_without_gate(item, self._briefing.policy)
            return mistakes or (self._select(item, choices, derived) if choices else [])
        marks = [mark for _, mark in found]
        names = {mark.args[0] for mark in marks if len(mark.args) == 1 and isinstance(mark.args[0], str)}
        if len(names) != 1 or any(len(mark.args) != 1 or mark.kwargs for mark in marks):
            return [f'{item.nodeid}: a test belongs to one gate: pytest.mark.gate("NAME"). [one-gate]']
        (name,) = names
        if name not in derived:
            return [_unknown(item, name, tuple(derived))]
        if choices and (mistake := _marked_and_selected(item, name, choices, derived)):
            return [mistake]
        _belongs(item, name)
        node = found[-1][0]  # the outermost: a mark on a module is derived once for all its tests
        if node.stash.get(NAME, None) != name or node is item:
            node.stash[NAME] = name
            for mark in derived[name].values():
                node.add_marker(mark)
        return []

    def _select(self, item: pytest.Item, choices: tuple[Choice, ...], derived: Derived) -> list[str]:
        """Do for a test what the mark of the gate that selects it would do."""
        gate = choices[0].gate
        if any(choice.gate != gate for choice in choices):
            return [_two_gates(item, str(choices[0]), str(_other(choices, gate)))]
        environments = {name for choice in choices for name in choice.environments}
        if not self._briefing.environment or self._briefing.environment in environments:
            _belongs(item, gate)
        item.add_marker(self._gate_marks[gate])
        for name, mark in derived[gate].items():
            if name in environments:
                item.add_marker(mark)
        return []

    def _nothing_selected(self, config: pytest.Config, items: list[pytest.Item]) -> list[str]:
        """Return what is wrong with patterns without a test, where a decision or `expect` relies on them."""
        if not (self._briefing.environment or config.option.collectonly):
            return []
        everything = self._briefing.everything
        lost = [
            choice
            for choice in self._selecting.unused()
            if was_collected(choice.pattern, config, everything=everything)
        ]
        return [nothing_selected(choice, [item.nodeid for item in items]) for choice in lost]

    def _leave_out_guarded(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        guarded = [item for item in items if self._guarded(item)]
        if guarded:
            config.hook.pytest_deselected(items=guarded)
            items[:] = [item for item in items if not self._guarded(item)]
            left_out = config.stash[LEFT_OUT] = dict(Counter(gate_of(item) or "" for item in guarded))
            if hasattr(config, "workeroutput"):
                config.workeroutput[LEFT_OUT_KEY] = left_out

    def _guarded(self, item: pytest.Item) -> bool:
        return gate_of(item) in self._guarded_gates


def refuse(config: pytest.Config, mistakes: list[str]) -> NoReturn:
    """End the session; a worker's sentences travel to the controller, which is the one that people read."""
    if hasattr(config, "workeroutput"):
        config.workeroutput[REFUSED] = mistakes
    raise pytest.UsageError(*mistakes)


def _belongs(item: pytest.Item, gate: str) -> None:
    item.stash[NAME] = gate
    item.user_properties.append((GATE_PROPERTY, gate))


def _derived(briefing: Briefing) -> Derived:
    """Return the marks of each gate; those that the decided entry's route leaves out do not guard it."""
    decided = briefing.deciding
    asking = [
        decided if decided and each.name == decided.name else each for each in briefing.policy.environments
    ]
    return {
        name: {
            environment.name: getattr(pytest.mark, PREFIX + environment.name)(gate=name)
            for environment in asking
            if environment.gate(name)
        }
        for name in briefing.policy.gate_names()
    }


def _first(mistakes: list[str]) -> list[str]:
    more = len(mistakes) - MOST_NAMED
    return [*mistakes[:MOST_NAMED], f"and {more} more mistakes"] if more > 0 else mistakes


def _other(choices: tuple[Choice, ...], gate: str) -> Choice:
    return next(choice for choice in choices if choice.gate != gate)


def _two_gates(item: pytest.Item, first: str, second: str) -> str:
    return f"{item.nodeid}: {first}, {second}. A test belongs to one gate: narrow one `select`. [two-gates]"


def _marked_and_selected(
    item: pytest.Item, gate: str, choices: tuple[Choice, ...], derived: Derived
) -> str | None:
    """Return why a mark and ``select`` contradict each other, or None if they say the same."""
    marked = f"it bears the mark of gate '{gate}'"
    if any(choice.gate != gate for choice in choices):
        return (
            f"{item.nodeid}: {marked}, {_other(choices, gate)}. "
            "A test belongs to one gate: narrow `select`, or remove the mark. [two-gates]"
        )
    absent = set(derived[gate]).difference(*(choice.environments for choice in choices))
    if absent:
        return (
            f"{item.nodeid}: {marked} for every entry, and `select` leaves it out at the entry to "
            f"{' and '.join(sorted(absent))}. Remove the mark, or select it there too. [two-gates]"
        )
    return None


def _environment_marks_without_gate(item: pytest.Item, policy: Policy) -> list[str]:
    valid = {PREFIX + environment.name for environment in policy.environments}
    return [
        f"{item.nodeid}: has the mark {mark.name} and no gate. "
        f'Write pytest.mark.gate("NAME"); {mark.name} follows from the policy. [mark-without-gate]'
        for mark in item.iter_markers()
        if mark.name in valid
    ]


def _unknown(item: pytest.Item, name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else f"The policy has: {', '.join(known) or 'none'}."
    return f"{item.nodeid}: gate '{name}' is in no file of gates/. {hint} [unknown-gate]"
