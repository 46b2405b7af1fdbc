"""Which licences policy allows: SPDX expressions against a list of ids."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

from release_gates.probes.sbom.component import Component
from release_gates.probes.sbom.faults import missing_package


class Licensed(NamedTuple):
    """The components whose licence is not allowed, not known, or not allowed and accepted for them alone.

    ``stated`` are those whose licence stands in policy, and not in their own metadata.
    """

    forbidden: tuple[str, ...]
    unknown: tuple[str, ...]
    accepted: tuple[str, ...] = ()
    stated: tuple[str, ...] = ()


def judge_licences(
    components: Iterable[Component],
    allowed: Collection[str],
    stated: Mapping[str, str],
    accepted: Mapping[str, str] | None = None,
) -> Licensed:
    """Return the components whose licences are not allowed, and those whose licences cannot be told.

    What is ``stated`` for a name fills in where a component says nothing that is known; for ``name@version``
    it replaces what it says. ``accepted`` maps a name to the licence that it may have beside the ``allowed``.
    Of several statements each has to be allowed; of an expression, one side of an ``OR`` and both of an
    ``AND``. Only SPDX ids are known: a name such as "BSD License" is none. ProbeUnavailable without the
    package license-expression.
    """
    found: dict[str, list[str]] = {kind: [] for kind in Licensed._fields}
    spdx = _spdx()
    for component in components:
        said = _said(spdx, component, stated)
        parsed = [_parsed(spdx, text) for text in said]
        if said != component.licences:
            found["stated"].append(str(component))
        shown = f"{component} ({', '.join(said) or 'none is named'})"
        if not parsed or None in parsed:
            found["unknown"].append(shown)
        elif bad := {text for text, each in zip(said, parsed, strict=True) if not _is_allowed(each, allowed)}:
            known = bad == {(accepted or {}).get(component.name)}
            found["accepted" if known else "forbidden"].append(shown)
    return Licensed(**{kind: tuple(sorted(names)) for kind, names in found.items()})


def _said(spdx: Any, component: Component, stated: Mapping[str, str]) -> tuple[str, ...]:
    """Return what holds for a component: a new version that names its licence is not overruled by a name."""
    exact = stated.get(f"{component.name}@{component.version}")
    if exact is not None:
        return (exact,)
    silent = not component.licences or None in [_parsed(spdx, text) for text in component.licences]
    return (stated[component.name],) if silent and component.name in stated else component.licences


@cache
def _spdx() -> Any:
    """Return the parser; it reads the list of all licences, which takes a tenth of a second."""
    try:
        from license_expression import get_spdx_licensing  # type: ignore[import-untyped]
    except ImportError:
        raise missing_package("licences") from None
    return get_spdx_licensing()


def _parsed(spdx: Any, text: str) -> Any:
    """Return the tree of an expression of known SPDX ids, None for anything else."""
    from boolean import ParseError  # type: ignore[import-untyped]
    from license_expression import ExpressionError

    try:
        return spdx.parse(text, validate=True, strict=True)
    except (ExpressionError, ParseError, AttributeError, TypeError, ValueError, RecursionError):
        return None


def _is_allowed(node: Any, allowed: Collection[str]) -> bool:
    kind = type(node).__name__
    if kind == "OR":
        return any(_is_allowed(each, allowed) for each in node.args)
    if kind == "AND":
        return all(_is_allowed(each, allowed) for each in node.args)
    return node.render("{symbol.key}") in allowed
