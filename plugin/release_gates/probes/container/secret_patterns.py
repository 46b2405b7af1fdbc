"""What looks like a secret: names of variables and files, and the shapes of well-known keys."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

_NAME = re.compile(
    r"(?:(?:^|[_.-])(?:pass|pwd|secret|token|api_?key|access_?key|private_?key|credentials?)"
    r"|passwd|password|passphrase)(?:$|[_.-])",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"[a-z](?:Secret|Token|ApiKey|AccessKey|PrivateKey|SecretKey)$")
_NO_SECRET = re.compile(r"(?:_(?:file|path|dir|url|ttl|timeout|length|bytes|name|header))$", re.IGNORECASE)
_SHAPES = (
    (
        "a private key",
        re.compile(
            rb"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
            rb"(?:\s|\\r|\\n){1,8}[A-Za-z0-9+/=:,-]{1,16}"
        ),
    ),
    ("a private key", re.compile(rb"AGE-SECRET-KEY-1[A-Z0-9]{58}|PuTTY-User-Key-File-[23]: \w")),
    ("an AWS access key", re.compile(rb"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Z0-9])")),
    (
        "a GitHub token",
        re.compile(rb"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60})"),
    ),
    ("a Slack token", re.compile(rb"(?<![A-Za-z0-9])xox[abprs]-[0-9]{8,}-[A-Za-z0-9-]{10,}")),
    ("a Google API key", re.compile(rb"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])")),
    ("a Google client secret", re.compile(rb"(?<![A-Za-z0-9])GOCSPX-[A-Za-z0-9_-]{28}")),
    ("a Vault token", re.compile(rb"(?<![A-Za-z0-9])hv[sb]\.[A-Za-z0-9_-]{24,}")),
    (
        "a password in a URL",
        re.compile(rb"[a-z][a-z0-9+]{1,15}://[^\s/:@\"'<>{}$%]{1,64}:[^\s/:@\"'<>{}$%]{3,64}@[a-z0-9]"),
    ),
)
IN_BINARIES = tuple(
    re.compile(shape) for shape in (rb"PRIVATE KEY-----", rb"AKIA[A-Z2-7]{16}", rb"github_pat_")
)
"""What begins well-known keys and is no accident; `re` finds it faster than `in`."""
IN_TEXTS = tuple(
    re.compile(start)
    for start in (
        *(rb"PRIVATE KEY-----", rb"A[KS]IA", rb"gh[pousr]_", rb"github_pat_", rb"AGE-SECRET-KEY-1"),
        *(rb"xox[abprs]-", rb"AIza", rb"GOCSPX-", rb"hv[sb]\.", rb"PuTTY-User-Key-File-"),
    )
)
"""Each shape but that of URLs holds one of these."""

_FILES = re.compile(
    r"(?:^|/)(?:\.env(?:\.(?!example$|sample$|template$)[^/]*)?|id_(?:rsa|dsa|ecdsa|ed25519)|\.netrc|\.pgpass"
    r"|\.git-credentials|\.npmrc|\.pypirc|\.docker/config\.json|\.aws/credentials|\.kube/config|[^/]+\.(?:p12|pfx|jks|keystore|key))$"
)
_PUBLIC = re.compile(r"^-----BEGIN (?:CERTIFICATE|PUBLIC KEY)-----")
_ASSIGNED = re.compile(
    r"(?<![A-Za-z0-9_.-])(?:--?)?([A-Za-z_][A-Za-z0-9_.-]{1,60})[= ](?=([^\s;&|\"',]{3,200}))"
)
_MAPPED = re.compile(
    r"^\s*(?:export\s+|-\s+)?[\"']?([A-Za-z_][A-Za-z0-9_.-]{1,60})[\"']?\s*[:=]\s*"
    r"(?:\"([^\"]{3,200})\"|'([^']{3,200})'|([^\s\"'#,;(){}]{3,200}))\s*[,;]?\s*(?:#.*)?$"
)
"""One assignment that fills its line, as configurations have it."""
_REFERENCE = re.compile(
    r"^(?:\$|%|<|\{\{|\*+$|\.{0,2}/[a-z._-]*(?:/|$)|(?i:file|vault|env):|ENC\[|!)"
    r"|^(?i:true|false|none|null|nil|yes|no|on|off|required|optional|disabled?|enabled?|auto|default|prompt|ask"
    r"|string|str|integer|boolean|bool|text|password|secret|token|files?|compat|systemd|changeme-at-start)$"
)

LONGEST = 256
"""No shape above needs more bytes than that to be recognised."""
_EXAMPLE = re.compile(rb"EXAMPLE|[\sn](?:X+|\.\.\.)|(?i:x{8}|0{12}|1234567890)")
"""What stands in manuals as a key that opens nothing."""


def is_secret_name(name: str) -> bool:
    """Tell whether a variable of that name holds a secret by itself, and not where one is."""
    return bool(_NAME.search(name) or _CAMEL.search(name)) and not _NO_SECRET.search(name)


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
    yield from in_assignments(text)
    yield from in_bytes(text.encode())


def in_bytes(content: bytes) -> Iterator[str]:
    """Yield the kind of every well-known secret that some bytes contain, once each."""
    yield from dict.fromkeys(kind for kind, _ in placed(content, urls=True))


def placed(content: bytes, *, urls: bool = False) -> Iterator[tuple[str, int]]:
    """Yield kind and position of every well-known secret; those in URLs only where they are asked for."""
    for kind, shape in _SHAPES if urls else _SHAPES[:-1]:
        for found in shape.finditer(content):
            if not _EXAMPLE.search(found[0]):
                yield kind, found.start()


def in_assignments(text: str) -> Iterator[str]:
    """Yield the names of a text's assignments that hold a secret."""
    for name, value in _ASSIGNED.findall(text):
        if is_secret_name(name) and is_secret_value(value):
            yield name


def in_setting(line: str) -> str:
    """Return the name that one line of a configuration gives a secret to; "" for any other line."""
    found = _MAPPED.match(line)
    if found is None or not is_secret_name(found[1]):
        return ""
    return found[1] if is_secret_value(found[2] or found[3] or found[4]) else ""


def is_secret_file(path: str) -> bool:
    """Tell whether a file of that name is there to hold a secret."""
    return bool(_FILES.search(path)) and posixpath.basename(path) != ".key"
