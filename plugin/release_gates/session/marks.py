"""Marks: ``gate("load")`` on a test, and the ``gate_<environment>`` that policy derives from it."""

from __future__ import annotations

import difflib
from collections.abc import Generator

import pytest

from release_gates.model.gate import Policy
from release_gates.session.briefing import Briefing
from release_gates.session.expression import PREFIX
from release_gates.session.outcomes import GATE_PROPERTY

NAME = pytest.StashKey[str]()


def gate_of(item: pytest.Item) -> str | None:
    """Return the name of the gate that a collected test belongs to, or None."""
    return item.stash.get(NAME, None)


class Marks:
    """Gives each test of a gate the marks of the environments that list the gate."""

    def __init__(self, briefing: Briefing) -> None:
        self._briefing = briefing

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Mark before anybody selects; then leave out what only a decision may run."""
        derived = _derived(self._briefing.policy)
        mistakes = [mistake for item in items for mistake in self._mark(item, derived)]
        if mistakes:
            raise pytest.UsageError(*mistakes)
        result = yield
        if not self._briefing.environment and not config.option.collectonly:
            self._leave_out_guarded(config, items)
        return result

    def _mark(self, item: pytest.Item, derived: dict[str, list[pytest.MarkDecorator]]) -> list[str]:
        found = list(item.iter_markers_with_node("gate"))
        if not found:
            return _environment_marks_without_gate(item, self._briefing.policy)
        marks = [mark for _, mark in found]
        names = {mark.args[0] for mark in marks if len(mark.args) == 1 and isinstance(mark.args[0], str)}
        if len(names) != 1 or any(len(mark.args) != 1 or mark.kwargs for mark in marks):
            return [f'{item.nodeid}: a test belongs to one gate: pytest.mark.gate("NAME"). [one-gate]']
        (name,) = names
        if name not in derived:
            return [_unknown(item, name, tuple(derived))]
        item.stash[NAME] = name
        item.user_properties.append((GATE_PROPERTY, name))
        node = found[-1][0]  # the outermost: a mark on a module is derived once for all its tests
        if node.stash.get(NAME, None) != name or node is item:
            node.stash[NAME] = name
            for mark in derived[name]:
                node.add_marker(mark)
        return []

    def _leave_out_guarded(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        guarded = [item for item in items if self._guarded(item)]
        if guarded:
            config.hook.pytest_deselected(items=guarded)
            items[:] = [item for item in items if not self._guarded(item)]

    def _guarded(self, item: pytest.Item) -> bool:
        spec = self._briefing.gate(gate_of(item) or "")
        return spec is not None and (spec.exclusive or spec.effect == "destructive")


def _derived(policy: Policy) -> dict[str, list[pytest.MarkDecorator]]:
    return {
        name: [
            getattr(pytest.mark, PREFIX + environment.name)(gate=name)
            for environment in policy.environments
            if environment.gate(name)
        ]
        for name in policy.gate_names()
    }


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
