"""Plain scalars of YAML as Kubernetes reads them: YAML 1.1 without base 60 and without timestamps.

Source: go-yaml v2, `resolve.go`, which sigs.k8s.io/yaml uses.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

Scalar = str | int | float | bool | None

NULLS = frozenset({"", "~", "null", "Null", "NULL"})
TRUES = frozenset({"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})
FALSES = frozenset({"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})
INTEGER = re.compile(r"[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)", re.ASCII)
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
LONGEST_NUMBER = 40


def plain(text: str) -> Scalar:
    """Return the value of a scalar without quotes or tag; ValueError for a number that JSON cannot hold."""
    if text in NULLS:
        return None
    if text in TRUES or text in FALSES:
        return text in TRUES
    if text[0] not in "+-.0123456789":
        return text
    if NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is no number that JSON has")
    if len(text) <= LONGEST_NUMBER:
        if INTEGER.fullmatch(text):
            return integer(text)
        if FLOAT.fullmatch(text):
            return decimal(text)
    return text


def integer(text: str) -> int:
    """Return an integer in base 2, 8, 10 or 16; ValueError for any other text."""
    if not INTEGER.fullmatch(text):
        raise ValueError(f"{text!r} is no integer")
    digits = text.replace("_", "")
    bare = digits.lstrip("+-")
    old_octal = len(bare) > 1 and bare[0] == "0" and bare[1].isdigit()
    return int(digits, 8) if old_octal else int(digits, 0)


def decimal(text: str) -> float | int:
    """Return a decimal number, as an integer where it is one; ValueError for any other text or overflow."""
    if not FLOAT.fullmatch(text):
        raise ValueError(f"{text!r} is no number")
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is no number that JSON has")
    return int(value) if value.is_integer() and abs(Decimal(text)) < 2**53 else value


def boolean(text: str) -> bool:
    """Return a truth value; ValueError for any other text."""
    if text not in TRUES | FALSES:
        raise ValueError(f"{text!r} is no truth value")
    return text in TRUES
