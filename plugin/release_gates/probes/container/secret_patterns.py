"""What looks like a secret: names of variables and files, and the shapes of well-known keys."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

_NAME = re.compile(
    r"(?:^|[_.-])(?:pass(?:wd|word|phrase)?|pwd|secret|token|api_?key|access_?key|private_?key|credentials?)"
    r"(?:$|[_.-])",
    re.IGNORECASE,
)
_NO_SECRET = re.compile(r"(?:_(?:file|path|dir|url|ttl|timeout|length|bytes|name|header))$", re.IGNORECASE)
_SHAPES = (
    (
        "a private key",
        re.compile(rb"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----\s+[A-Za-z0-9+/=:]"),
    ),
    ("an AWS access key", re.compile(rb"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Z0-9])")),
    (
        "a GitHub token",
        re.compile(rb"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60})"),
    ),
    ("a Slack token", re.compile(rb"(?<![A-Za-z0-9])xox[abprs]-[0-9]{8,}-[A-Za-z0-9-]{10,}")),
    (
        "a password in a URL",
        re.compile(rb"[a-z][a-z0-9+]{1,15}://[^\s/:@\"'<>{}$%]{1,64}:[^\s/:@\"'<>{}$%]{3,64}@[a-z0-9]"),
    ),
)
_PREFIXES = (b"PRIVATE KEY", b"AKIA", b"ASIA", b"github_pat_")
_PREFIXES_OF_TEXT = (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"xox")
_TEXT = 4096
"""A piece with a NUL in its first bytes is no text; short prefixes are looked for in texts alone."""

_FILES = re.compile(
    r"(?:^|/)(?:\.env(?:\.(?!example$|sample$|template$)[^/]*)?|id_(?:rsa|dsa|ecdsa|ed25519)|\.netrc|\.pgpass"
    r"|\.git-credentials|\.npmrc|\.pypirc|\.docker/config\.json|\.aws/credentials|\.kube/config|[^/]+\.(?:p12|pfx|jks|keystore|key))$"
)
_PUBLIC = re.compile(r"^-----BEGIN (?:CERTIFICATE|PUBLIC KEY)-----")
_ASSIGNED = re.compile(r"(?:^|[\s;&|\"',])(?:--?)?([A-Za-z_][A-Za-z0-9_.-]{1,60})[= ]([^\s;&|\"',]{3,200})")
_REFERENCE = re.compile(
    r"^(?:\$|%|<|\{\{|/|\*+$)|^(?:true|false|none|null|changeme-at-start)$", re.IGNORECASE
)

LONGEST = 256
"""No shape above is longer than so many bytes."""


def is_secret_name(name: str) -> bool:
    """Tell whether a variable of that name holds a secret by itself, and not where one is."""
    return bool(_NAME.search(name)) and not _NO_SECRET.search(name)


def is_secret_value(value: str) -> bool:
    """Tell whether a value stands for itself: neither empty nor a reference, a path or a switch."""
    return len(value) >= 3 and not _REFERENCE.match(value)


def in_environment(variables: tuple[str, ...]) -> Iterator[str]:
    """Yield the names of the variables that hold a secret; their values are never shown."""
    for entry in variables:
        name, _, value = entry.partition("=")
        if is_secret_name(name) and is_secret_value(value):
            yield name
        else:
            yield from (f"{name} ({kind})" for kind in in_bytes(value.encode()))


def in_text(text: str) -> Iterator[str]:
    """Yield what is secret in a command or a line of history: names of assignments, kinds of keys."""
    for name, value in _ASSIGNED.findall(text):
        if is_secret_name(name) and is_secret_value(value):
            yield name
    yield from in_bytes(text.encode())


def in_bytes(content: bytes) -> Iterator[str]:
    """Yield the kind of every well-known secret that some bytes contain, once each."""
    for kind, shape in _SHAPES:
        if shape.search(content):
            yield kind


def in_file(content: bytes) -> Iterator[str]:
    """Yield the kinds of keys in a piece of a file; URLs are left out: manuals are full of them."""
    prefixes = _PREFIXES if b"\0" in content[:_TEXT] else (*_PREFIXES, *_PREFIXES_OF_TEXT)
    if any(prefix in content for prefix in prefixes):
        yield from (kind for kind, shape in _SHAPES[:-1] if shape.search(content))


def is_secret_file(path: str) -> bool:
    """Tell whether a file of that name is there to hold a secret."""
    return bool(_FILES.search(path)) and posixpath.basename(path) != ".key"
