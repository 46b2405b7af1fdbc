"""Who we are to a registry: logins that policy names, and the tokens that a registry gives for them.

No value of them is in any error, and none goes to another host, or over a line that others can read.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from release_gates.errors import DeployError

_PAIR = re.compile(r'([a-zA-Z]+)="([^"]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What a registry asks for with 401: ``Basic``, or a token (``Bearer``) from ``realm``."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """User and password, ``user:password`` in base64, as HTTP has it; "" for nobody."""

    basic: str = field(default="", repr=False)


def read_challenge(header: str) -> Challenge:
    """Return the challenge of a ``WWW-Authenticate`` header; the scheme is lower case."""
    scheme, _, rest = header.strip().partition(" ")
    told = {name.lower(): value for name, value in _PAIR.findall(rest[:4096])}
    return Challenge(
        scheme=scheme.lower(), **{key: told.get(key, "") for key in ("realm", "service", "scope")}
    )


def login_for(
    host: str, variables: Mapping[str, str], environ: Mapping[str, str], config: Path | None
) -> Login:
    """Return the login for a registry: from the variable that policy names, else from docker's config.

    A variable holds ``user:password``. ``DeployError`` if what policy names is not there or not readable.
    """
    if host in variables:
        value = environ.get(variables[host], "")
        if ":" not in value:
            raise _no_login(f"the variable {variables[host]} with the login for {host} is not user:password")
        return Login(basic=base64.b64encode(value.encode()).decode())
    return Login() if config is None else _from_config(host, config)


def _from_config(host: str, config: Path) -> Login:
    try:
        found = msgspec.json.decode(config.read_bytes(), type=dict[str, msgspec.Raw])
        auths = msgspec.json.decode(found.get("auths", msgspec.Raw(b"{}")), type=dict[str, dict[str, object]])
    except (OSError, msgspec.MsgspecError, UnicodeError) as error:
        raise _no_login(f"{config}: cannot be read ({type(error).__name__})") from None
    basic = auths.get(host, {}).get("auth", "")
    try:
        if not isinstance(basic, str) or (basic and b":" not in base64.b64decode(basic, validate=True)):
            raise ValueError
    except (ValueError, binascii.Error):
        raise _no_login(f"{config}: auth of {host} is not user:password in base64") from None
    return Login(basic=basic)


def _no_login(because: str) -> DeployError:
    return DeployError(
        f"{because}.",
        slug="deploy-login",
        hint="`login` names a variable for each host, `docker_config` a file as `docker login` writes it.",
    )
