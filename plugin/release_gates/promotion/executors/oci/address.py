"""Where an image lies: a registry's host and the name of a repository in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address

from release_gates.errors import DeployError

_HOST = r"(?P<host>(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?)"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_HOST}/(?P<name>{_PART}(?:/{_PART})*)")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A repository of a registry, ``host/name``."""

    host: str
    name: str

    def __str__(self) -> str:
        return f"{self.host}/{self.name}"

    @property
    def loopback(self) -> bool:
        """Whether nobody on the way could read along or answer instead."""
        return is_loopback(re.sub(r":[0-9]+$", "", self.host).strip("[]"))


def is_loopback(host: str) -> bool:
    """Tell whether a host without its port is this one."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_address(text: str) -> Address:
    """Return a repository from ``host/name``, also with ``@sha256:…`` behind it; refuse anything else."""
    found = _REPOSITORY.fullmatch(text.partition("@")[0])
    host = "" if found is None else found["host"]
    if found is None or not re.search(r"[.:\[]|^localhost$", host):
        raise DeployError(
            f"{text[:200]!a} is no repository of a registry.",
            slug="deploy-settings",
            hint="Write the host too, as in registry.example/production/engine.",
        )
    return Address(host=host, name=found["name"])


def check_tag(tag: str) -> None:
    """Refuse what no registry would take as a tag, and the names that referrers have there."""
    if _TAG.fullmatch(tag) is None or tag.startswith("sha256-"):
        raise DeployError(
            f"{tag[:200]!a} is no name of a tag.",
            slug="deploy-settings",
            hint="Letters, digits, '.', '_' and '-', as in live.",
        )
