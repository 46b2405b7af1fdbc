"""People by name: whether two names are one person's, as far as spelling tells."""

from __future__ import annotations

import re
import unicodedata


def same_person(one: str, other: str) -> bool:
    """Whether two names are one person's, as far as spelling tells."""
    return _spelling(one) == _spelling(other)


def is_full_name(text: str) -> bool:
    """Tell whether a text is a name with its e-mail address, as git writes them: ``Ann Lee <ann@x.org>``."""
    return re.fullmatch(r"[^<>@]*[^<>@\s][^<>@]* <[^<>@\s]+@[^<>@\s]+>", text) is not None


def may_be_same(one: str, other: str) -> bool:
    """Tell whether two names share a name or an e-mail address: then they may be one person's."""
    return bool(_parts(one) & _parts(other))


def _parts(text: str) -> frozenset[str]:
    name, _, mail = text.partition("<")
    return frozenset(_spelling(part) for part in (name, mail.rstrip("> "), text)) - {""}


def _spelling(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
