"""Secrets in the contents of files: fast triggers first, then our own shapes and detect-secrets, by line."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from release_gates.errors import ProbeUnavailable
from release_gates.probes.container import secret_patterns

TEXT = 4096
"""A file with a NUL in so many of its first bytes is no text."""
MOST_LINES = 200_000
"""So many lines of one layer are looked at closely; more is an error, and never a pass."""
MOST_IN_FILE = 20
LONGEST_LINE = 2048
"""As much of a line is looked at around what triggered."""

_SETTINGS = re.compile(
    r"\.(?:env|ini|cfg|conf|cnf|config|toml|ya?ml|json|properties|xml|tf|tfvars|sh)$|(?:^|/)\.env|^(?:etc|root|home)/"
)
_OF_OTHERS = re.compile(
    r"^usr/(?:share|lib|lib64|libexec|include|src)/|^var/lib/(?:dpkg|apt|pam)/|^etc/(?:pam\.d|ssl/certs|init\.d)/"
    r"|(?:^|/)(?:site-packages|dist-packages|node_modules)/"
)
"""What packages bring: manuals and parsers are full of words such as `password = value`."""
_WORDS = (b"pass", b"pwd", b"secret", b"token", b"key", b"credential", b"://")
_WORD = re.compile(rb"(?i:pass|pwd|secret|token|key|credential)|://")
_PLUGINS = {
    "gitlab_token.GitLabTokenDetector": rb"gl(?:pat|dt|ft|soat|rt|cbt|ptt)-",
    "openai.OpenAIDetector": rb"T3BlbkFJ",
    "pypi_token.PypiTokenDetector": rb"pypi-Ag",
    "sendgrid.SendGridDetector": rb"SG\.",
    "slack.SlackDetector": rb"hooks\.slack\.com/services/",
    "square_oauth.SquareOAuthDetector": rb"sq0csp-",
    "stripe.StripeDetector": rb"k_live_",
    "azure_storage_key.AzureStorageKeyDetector": rb"AccountKey=",
    "npm.NpmDetector": rb"_authToken",
}
"""Plugins of detect-secrets that know exact shapes, each with what every such shape holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """One secret in a file: its kind, and its line; 0 in a file without lines. Never what it is."""

    path: str
    kind: str
    line: int


class Search:
    """Looks into one file after the other; counts what it looked at closely."""

    def __init__(self) -> None:
        """Begin a layer. ``ProbeUnavailable`` without the package detect-secrets."""
        self._shapes = shapes()
        self._words = keywords()
        self._lines = 0

    def search(self, path: str, pieces: Iterator[bytes]) -> Iterator[Secret]:
        """Yield the secrets of a file, at most MOST_IN_FILE of them; every piece is taken off all the same.

        ``ValueError`` for a layer with more suspicious lines than MOST_LINES.
        """
        found: dict[tuple[str, int], None] = {}
        settings = is_configuration(path)
        text, line, tail = None, 1, b""
        for fresh in pieces:
            piece = tail + fresh
            if text is None:
                text = b"\0" not in piece[:TEXT]
            if not text:
                found |= dict.fromkeys((kind, 0) for kind in _in_binary(piece))
            elif len(found) < MOST_IN_FILE:
                found |= dict.fromkeys(self._in_text(path, piece, line, settings))
            tail = _kept(piece) if text else piece[-secret_patterns.LONGEST :]
            line += piece.count(b"\n", 0, len(piece) - len(tail)) if text else 0
        if secret_patterns.is_secret_file(path) and (text is not None):
            found.setdefault(("a file for secrets", 0))
        for kind, at in list(found)[:MOST_IN_FILE]:
            yield Secret(path=path, kind=kind, line=at)

    def _in_text(self, path: str, piece: bytes, line: int, settings: bool) -> Iterator[tuple[str, int]]:
        if any(start.search(piece) for start in secret_patterns.IN_TEXTS):
            for kind, at in secret_patterns.placed(piece):
                yield kind, line + piece.count(b"\n", 0, at)
        for trigger, kind, is_one in self._shapes:
            for found in trigger.finditer(piece):
                if is_one(self._line_at(piece, found.start())):
                    yield kind, line + piece.count(b"\n", 0, found.start())
        if settings:
            for at, text in self._suspects_of_words(piece):
                if kind := self._setting(path, text):
                    yield kind, line + piece.count(b"\n", 0, at)

    def _setting(self, path: str, text: str) -> str:
        if name := secret_patterns.in_setting(text):
            return f"a value for {name}"
        if any(secret_patterns.is_secret_value(each) and " " not in each for each in self._words(path, text)):
            return "a password or key"
        return next(secret_patterns.in_bytes(text.encode()), "") if "://" in text else ""

    def _suspects_of_words(self, piece: bytes) -> Iterator[tuple[int, str]]:
        lowered = piece.lower()
        if not any(word in lowered for word in _WORDS):
            return
        end = -1
        for found in _WORD.finditer(piece):
            if found.start() > end:
                end = piece.find(b"\n", found.start())
                end = len(piece) if end < 0 else end
                yield found.start(), self._line_at(piece, found.start())

    def _line_at(self, piece: bytes, at: int) -> str:
        self._lines += 1
        if self._lines > MOST_LINES:
            raise ValueError(f"a layer has more than {MOST_LINES} lines that look like secrets")
        start = max(piece.rfind(b"\n", 0, at) + 1, at - LONGEST_LINE)
        end = piece.find(b"\n", at)
        return piece[start : min(len(piece) if end < 0 else end, at + LONGEST_LINE)].decode(
            "utf-8", "replace"
        )


def is_configuration(path: str) -> bool:
    """Tell whether a file says what a program is to do, and is none that a package brought."""
    return bool(_SETTINGS.search(path)) and not _OF_OTHERS.search(path)


@cache
def shapes() -> tuple[tuple[re.Pattern[bytes], str, Callable[[str], bool]], ...]:
    """Return the trigger of each plugin of detect-secrets, the kind that it finds, and what asks it."""
    return tuple((re.compile(trigger), *_asked(name)) for name, trigger in _PLUGINS.items())


@cache
def keywords() -> Callable[[str, str], list[str]]:
    """Return what finds the values of passwords in one line of a file of that name."""
    try:
        from detect_secrets.plugins.keyword import (
            QUOTES_REQUIRED_DENYLIST_REGEX_TO_GROUP,
            REGEX_BY_FILETYPE,
            KeywordDetector,
        )
        from detect_secrets.util.filetype import determine_file_type
    except ImportError as error:
        raise _missing() from error
    detector = KeywordDetector()

    def values(path: str, line: str) -> list[str]:
        kinds = REGEX_BY_FILETYPE.get(
            determine_file_type(posixpath.basename(path)), QUOTES_REQUIRED_DENYLIST_REGEX_TO_GROUP
        )
        return list(detector.analyze_string(line, kinds))

    return values


def _asked(name: str) -> tuple[str, Callable[[str], bool]]:
    from importlib import import_module

    module, _, kind = name.partition(".")
    try:
        plugin = getattr(import_module(f"detect_secrets.plugins.{module}"), kind)()
    except ImportError as error:
        raise _missing() from error
    return f"{plugin.secret_type} (detect-secrets)", lambda line: any(
        True for _ in plugin.analyze_string(line)
    )


def _in_binary(piece: bytes) -> Iterator[str]:
    if any(shape.search(piece) for shape in secret_patterns.IN_BINARIES):
        yield from (kind for kind, _ in secret_patterns.placed(piece))


def _kept(piece: bytes) -> bytes:
    """Return the last two lines, so that no secret is cut, bounded for lines without an end."""
    at = piece.rfind(b"\n", 0, max(piece.rfind(b"\n"), 0)) + 1
    return piece[max(at, len(piece) - LONGEST_LINE) :]


def _missing() -> ProbeUnavailable:
    return ProbeUnavailable(
        "detect-secrets is not installed, and nobody else looks for secrets in files.",
        slug="container-package-missing",
        hint="pip install 'pytest-release-gates[container]'",
    )
