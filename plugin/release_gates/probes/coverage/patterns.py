"""Path patterns of policy: ``*`` and ``?`` stay inside one directory, ``**`` crosses directories."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """Return the regular expression for one pattern; it matches whole POSIX paths.

    ``src/**`` matches everything below ``src``; ``**/test_*.py`` at any depth, also none. ``[`` is literal.
    """
    expression = ""
    for token in re.findall(r"\*\*/|\*\*|\*|\?|[^*?]+", pattern.removeprefix("./")):
        expression += _TOKENS.get(token) or re.escape(token)
    return re.compile(expression + r"\Z", re.DOTALL)


def matches(path: str, patterns: tuple[str, ...] | list[str]) -> bool:
    """Return whether any of the patterns matches the whole path."""
    return any(compiled(pattern).match(path) for pattern in patterns)


def literal_prefix(pattern: str) -> str:
    """Return the directory that every match of the pattern lies below; "" is the root."""
    fixed = re.split(r"[*?]", pattern.removeprefix("./"), maxsplit=1)[0]
    return fixed.rpartition("/")[0]


_TOKENS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
