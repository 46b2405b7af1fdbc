"""Whether two names are one person's."""

from __future__ import annotations

import unicodedata


def same_person(one: str, other: str) -> bool:
    """Whether two names are one person's, as far as spelling tells."""
    return _spelling(one) == _spelling(other)


def _spelling(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
