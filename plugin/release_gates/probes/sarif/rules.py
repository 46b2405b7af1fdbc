"""Which rule a result is about: by id, by index, or both, and then they have to agree."""

from __future__ import annotations

from collections.abc import Sequence

from release_gates.model.foreign import plain
from release_gates.probes.sarif.completeness import check_index
from release_gates.probes.sarif.document import (
    Component,
    ComponentReference,
    Result,
    Rule,
    RuleReference,
    ToolRun,
)
from release_gates.probes.sarif.faults import contradiction

NO_RULE = "(no rule)"


class Rules:
    """The rules of one run's tool: those of its driver and of its extensions."""

    def __init__(self, run: ToolRun, file: str) -> None:
        self.file = file
        self._driver = run.tool.driver if run.tool is not None and run.tool.driver else Component()
        self._extensions = run.tool.extensions if run.tool is not None else ()

    def of(self, result: Result, place: str) -> tuple[str, tuple[Rule, ...]]:
        """Return the name of a result's rule and all that the tool declares of it, maybe nothing.

        Without an index, every rule of that id counts. Raises MeasurementError (``sarif-contradiction``).
        """
        name = self._agreed(result.rule_id, result.rule.id, "ruleId", "rule.id", place)
        indices = [index for index in (result.rule_index, result.rule.index) if index >= 0]
        if len(set(indices)) > 1:
            raise self._fault(place, f"ruleIndex is {indices[0]}, and rule.index is {indices[1]}")
        if not indices:
            found = self._named(name, result.rule.guid)
            return plain(name or (found[0].id if found else NO_RULE)), found
        rules = self._component(result.rule.tool_component, place).rules
        check_index(indices[0], len(rules), "the index of a rule", file=self.file, place=place)
        rule = rules[indices[0]]
        if name is not None and not _is_or_below(name, rule.id):
            raise self._fault(
                place, f"ruleId is '{plain(name)}', and its index leads to the rule '{plain(rule.id)}'"
            )
        return plain(name or rule.id), (rule,)

    def match(self, reference: RuleReference, rules: Sequence[Rule]) -> bool:
        """Return whether a reference means one of these rules."""
        if reference.id is not None:
            return any(rule.id == reference.id for rule in rules)
        if reference.guid:
            return any(rule.guid == reference.guid for rule in rules)
        component = self._component(reference.tool_component, "ruleConfigurationOverrides")
        return 0 <= reference.index < len(component.rules) and component.rules[reference.index] in rules

    def _named(self, name: str | None, guid: str) -> tuple[Rule, ...]:
        every = [rule for part in (self._driver, *self._extensions) for rule in part.rules]
        exact = tuple(rule for rule in every if rule.id == name or (guid and rule.guid == guid))
        return exact or tuple(rule for rule in every if name is not None and _is_or_below(name, rule.id))

    def _component(self, reference: ComponentReference, place: str) -> Component:
        check_index(
            reference.index, len(self._extensions), "toolComponent.index", file=self.file, place=place
        )
        if reference.index >= 0:
            return self._extensions[reference.index]
        if not reference.name and not reference.guid:
            return self._driver
        for part in (self._driver, *self._extensions):
            if (reference.guid and part.guid == reference.guid) or part.name == reference.name != "":
                return part
        raise self._fault(place, f"no part of the tool is called '{plain(reference.name or reference.guid)}'")

    def _agreed(self, one: str | None, other: str | None, first: str, second: str, place: str) -> str | None:
        if one is not None and other is not None and one != other:
            raise self._fault(place, f"{first} is '{plain(one)}', and {second} is '{plain(other)}'")
        return one if one is not None else other

    def _fault(self, place: str, problem: str) -> Exception:
        return contradiction(self.file, place, problem)


def _is_or_below(name: str, rule: str) -> bool:
    """Return whether a name is that of the rule, or of a case of it (SARIF 3.5.4: ``CA1000/1``)."""
    return name == rule or name.startswith(f"{rule}/")
