"""The limit grammar: the text of a limit to bounds, and back.

In EBNF (blanks may stand between any two symbols)::

    limit      = ( comparison | range | tolerance ), [ "over", duration ] ;
    comparison = operator, number, unit ;
    operator   = "<=" | "<" | ">=" | ">" | "==" ;
    range      = number, "..", number, unit ;           (* both ends belong to it *)
    tolerance  = ( "±" | "+-" ), number, unit ;          (* baseline rules only *)
    number     = [ "+" | "-" ], digits, [ ".", digits ], [ ( "e" | "E" ), [ "+" | "-" ], digits ] ;
    digits     = digit, { [ "_" ], digit } ;
    unit       = name, [ "/", name ] ;                   (* model.units: ms, MiB, req/s, count, ratio, % *)

A limit and a target take any unit but ``pp`` and no negative number. A baseline rule bounds the change
against the baseline: its unit is ``%`` (relative) or ``pp`` (percentage points, for ratios only).

``over`` is for limits and targets: they then hold in every stretch of so many whole seconds.

    measurement = part, { ".", part }, [ "@", phase ] ;  (* letters, digits, _ - / : + % and the wildcard * *)
    duration    = number, unit of time ;
"""

from __future__ import annotations

import math
import re
from typing import Final, Literal, cast

from release_gates.errors import PolicyError
from release_gates.model.limit import Bound, Limit, Operator
from release_gates.model.units import convert, dimension

Kind = Literal["limit", "target", "baseline"]

_DIGITS = r"[0-9](?:_?[0-9])*"
_NUMBER = rf"[+-]?{_DIGITS}(?:\.{_DIGITS})?(?:[eE][+-]?{_DIGITS})?"
_LIMIT = (
    rf"(?:(?P<operator><=|<|>=|>|==)|(?P<within>±|\+-)|(?P<low>{_NUMBER})\s*\.\.)"
    rf"\s*(?P<number>{_NUMBER})\s*(?P<unit>.*)"
)
_WINDOW = r"(?P<limit>.*?)\s+over\b\s*(?P<duration>.*)"
_MEASUREMENT = r"[\w/:+%*-]+(?:\.[\w/:+%*-]+)*(?:@[\w/:+%*.-]+)?"
_OPERATORS: Final = {"≤": "<=", "=<": "<=", "≥": ">=", "=>": ">=", "=": "=="}
_FORMS = "Write '<= 500 ms', '>= 80 %' or '1 .. 5 ms'"
_CHANGES = "Write '<= 5 %', '>= -1 pp' or '± 5 %'"


def parse_limit(text: str, kind: Kind = "limit") -> Limit:
    """Return the bounds that a text states.

    Raises PolicyError with what is wrong and what to write instead.
    """
    text = text.strip()
    windowed = re.fullmatch(_WINDOW, text, re.DOTALL)
    if windowed is not None:
        window_s = _window_s(windowed["duration"], kind)
        return Limit(text=text, bounds=_stated(windowed["limit"], kind), window_s=window_s)
    return Limit(text=text, bounds=_stated(text, kind))


def _stated(text: str, kind: Kind) -> tuple[Bound, ...]:
    found = re.fullmatch(_LIMIT, text, re.DOTALL)
    if found is None:
        raise _no_limit(text, kind)
    unit = found["unit"]
    if re.match(r"[,._0-9]|[xXoObB][0-9a-fA-F]", unit):
        raise _no_number()
    _check_unit(unit, text, kind)
    if found["within"] and kind != "baseline":
        raise PolicyError("'±' is for baseline rules only.", slug="limit-syntax", hint=_FORMS)
    value = _number(found["number"], kind)
    low = None if found["low"] is None else _number(found["low"], kind)
    return _bounds(found["operator"], low, value, unit)


def _window_s(text: str, kind: Kind) -> float:
    """Return how long the stretches of a limit are; whole seconds, so that blocks of samples fill them."""
    hint = "Write '<= 1 s over 10 s'"
    if kind == "baseline":
        raise PolicyError("'over' is for limits and targets only.", slug="limit-window", hint=hint)
    try:
        seconds = parse_duration_s(text)
    except PolicyError:
        raise PolicyError(f"'over {text}' names no duration.", slug="limit-window", hint=hint) from None
    if not seconds.is_integer():
        raise PolicyError(f"'over {text}' is not a whole number of seconds.", slug="limit-window", hint=hint)
    return seconds


def render_limit(limit: Limit) -> str:
    """Return a text of the grammar that states the bounds of a limit."""
    if limit.window_s is None:
        return _rendered(limit)
    return f"{_rendered(limit)} over {repr(limit.window_s).removesuffix('.0')} s"


def _rendered(limit: Limit) -> str:
    first, last = limit.bounds[0], limit.bounds[-1]
    if len(limit.bounds) == 1:
        return f"{first.operator} {_digits(first)} {first.unit}"
    if last.unit in {"%", "pp"} and first.value == -last.value:
        return f"± {_digits(last)} {last.unit}" if last.value > 0 else f"0 .. 0 {last.unit}"
    return f"{_digits(first)} .. {_digits(last)} {last.unit}"


def parse_duration_s(text: str) -> float:
    """Return a duration such as ``24 h`` in seconds, greater than zero; PolicyError otherwise."""
    found = re.fullmatch(rf"({_NUMBER})\s*(.*)", text.strip(), re.DOTALL)
    if found is None:
        raise PolicyError("is no duration.", slug="duration", hint="Write '24 h' or '30 min'")
    try:
        seconds = convert(_number(found[1], "limit"), found[2], "s")
    except (ValueError, OverflowError) as error:
        hint = "Write '24 h' or '30 min'"
        raise PolicyError(f"is no duration: {error}.", slug="duration", hint=hint) from None
    if not 0 < seconds < math.inf:
        raise PolicyError("must be longer than zero", slug="duration")
    return seconds


def check_measurement_name(name: str) -> None:
    """Refuse by PolicyError what can name no measurement, or matches otherwise than it reads."""
    if re.fullmatch(_MEASUREMENT, name) is None:
        raise PolicyError(
            f"{name!r} is no measurement name.",
            slug="measurement-name",
            hint="Write dotted words, with one '@phase' and '*' if need be: order_entry.p99@steady, *.p95",
        )


def _digits(bound: Bound) -> str:
    return repr(bound.value).removesuffix(".0")


def _bounds(operator: str | None, low: float | None, value: float, unit: str) -> tuple[Bound, ...]:
    if operator is not None:
        return (Bound(operator=cast("Operator", operator), value=value, unit=unit),)
    if low is None:
        if value < 0:
            raise PolicyError("the number after '±' must not be negative", slug="negative-number")
        low = 0.0 - value
    if not low <= value:
        raise PolicyError("the range is empty: its first number is the larger one", slug="empty-range")
    return Bound(operator=">=", value=low, unit=unit), Bound(operator="<=", value=value, unit=unit)


def _number(text: str, kind: Kind) -> float:
    value = float(text)
    mantissa = re.split("[eE]", text)[0]
    if not math.isfinite(value) or (value == 0 and mantissa.strip("+-0._")):
        raise PolicyError(f"{text} is out of the range of numbers", slug="bad-number")
    if value < 0 and kind != "baseline":
        raise PolicyError(f"a {kind} cannot be negative", slug="negative-number")
    return value + 0.0  # -0.0 becomes 0.0: both are equal, their digests are not


def _check_unit(unit: str, text: str, kind: Kind) -> None:
    if kind == "baseline":
        if unit not in {"%", "pp"}:
            what = f"a baseline rule bounds the change, and has no unit '{unit}'." if unit else "has no unit."
            raise PolicyError(what, slug="baseline-unit", hint=_CHANGES)
    elif unit == "pp":
        hint = f"Write the {kind} in '%'"
        raise PolicyError("'pp' is for baseline rules only.", slug="baseline-unit", hint=hint)
    elif not unit:
        hint = f"Write '{text} count' or '{text} ratio' for a bare number"
        raise PolicyError("has no unit.", slug="missing-unit", hint=hint)
    else:
        _check_known(unit)


def _check_known(unit: str) -> None:
    try:
        dimension(unit)
    except ValueError as error:
        raise PolicyError(str(error), slug="unknown-unit") from None


def _no_limit(text: str, kind: Kind) -> PolicyError:
    hint = _CHANGES if kind == "baseline" else _FORMS
    found = re.match(r"[<>=≤≥!~±+-]*", text)
    operator, rest = (text[: found.end()], text[found.end() :].strip()) if found else ("", text)
    if operator in _OPERATORS:
        return PolicyError(
            f"unknown operator '{operator}'.",
            slug="limit-syntax",
            hint=f"Write '{_OPERATORS[operator]} {rest}'",
        )
    if re.match(_NUMBER, rest) and operator in {"", "+", "-"} and ".." not in rest:
        return PolicyError(
            "has no comparison.", slug="limit-syntax", hint=f"Write '<= {text}' or '>= {text}'"
        )
    if re.match(r"[+-]?(?:0[xob]|nan|inf)|[+-]?[0-9]*[.,]", rest, re.IGNORECASE):
        return _no_number()
    return PolicyError("is no limit.", slug="limit-syntax", hint=hint)


def _no_number() -> PolicyError:
    return PolicyError("has no decimal number.", slug="bad-number", hint="Write 0.5, 1_000 or 1e3")
