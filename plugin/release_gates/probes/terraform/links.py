"""Which resource is about which: by equal values that are known, or by what the sources refer to."""

from __future__ import annotations

from collections.abc import Iterator

from release_gates.probes.terraform.plan import ConfiguredResource, Plan, Resource, modules


def linked(plan: Plan, target: Resource, kind: str, attribute: str, *, only: Resource | None = None) -> bool:
    """Tell whether a resource of a kind names the target in an attribute, in the same module.

    What is in another module, or cannot be told, is not linked.
    """
    return any(
        _names(plan, each, target, attribute)
        for each in plan.planned
        if each.type == kind and only in (None, each)
    )


def is_declared(plan: Plan, each: Resource, attribute: str) -> bool:
    """Tell whether the sources set an attribute; also where nobody can tell.

    What they leave out and is unknown is what the provider computes.
    """
    declared = list(_declared(plan, each))
    return not declared or any(attribute in one.expressions for one in declared)


def _names(plan: Plan, each: Resource, target: Resource, attribute: str) -> bool:
    mine = (target.change.after or {}).get(attribute)
    theirs = (each.change.after or {}).get(attribute)
    if isinstance(mine, str) and mine and mine == theirs:
        return True
    if each.module_address != target.module_address or isinstance(theirs, str):
        return False
    wanted = f"{target.type}.{target.name}"
    for declared in _declared(plan, each):
        expression = declared.expressions.get(attribute)
        references = expression.get("references", ()) if isinstance(expression, dict) else ()
        if any(str(one).startswith((f"{wanted}.", f"{wanted}[")) or one == wanted for one in references):
            return target.index is None or target.index == each.index
    return False


def _declared(plan: Plan, each: Resource) -> Iterator[ConfiguredResource]:
    for path, module in modules(plan):
        if path == _without_indices(each.module_address):
            for one in module.resources:
                if (one.mode, one.type, one.name) == (each.mode, each.type, each.name):
                    yield one


def _without_indices(address: str) -> str:
    """Return a module's address as the configuration knows it: ``module.a["x"].module.b`` without keys."""
    kept, depth, quoted = [], 0, False
    for char in address:
        if char == '"':
            quoted = not quoted
        if not quoted and char == "[":
            depth += 1
        if not depth:
            kept.append(char)
        if not quoted and char == "]":
            depth -= 1
    return "".join(kept)
