"""What a candidate's process gets to see of our environment: what is on a list, and no key, ledger or token.

Everything that starts a process with a candidate's code in it asks here. Policy may name further variables,
which is a decision that a reviewer sees.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

RUNNING = ("PATH", "LANG", "TZ")
"""What a program needs to run. Not ``LD_PRELOAD``: it would be other code than the digest names."""

DRIVING = (*RUNNING, "HOME", "VIRTUAL_ENV")
"""What a generator of load needs, which imports the code that tests bring."""

BUILDING = (
    *(*DRIVING, "USER", "LOGNAME", "SHELL", "TMPDIR", "LC_ALL", "LC_CTYPE", "XDG_CACHE_HOME"),
    *("CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "MAKEFLAGS", "PKG_CONFIG_PATH"),
    *("CMAKE_GENERATOR", "CMAKE_PREFIX_PATH", "CMAKE_BUILD_PARALLEL_LEVEL", "SOURCE_DATE_EPOCH"),
    *("CCACHE_DIR", "CCACHE_MAXSIZE", "CCACHE_DISABLE", "PYTHONDONTWRITEBYTECODE"),
    *("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)
"""What compilers, build tools and a container engine need."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NEVER = re.compile(r"GATE_.*|LD_PRELOAD|LD_AUDIT|PYTEST_.*", re.IGNORECASE)


def surroundings(
    environ: Mapping[str, str], *, known: Iterable[str] = RUNNING, more: Iterable[str] = ()
) -> dict[str, str]:
    """Return what there is of the variables on a list and of those that policy names ``more``."""
    return {name: environ[name] for name in (*known, *more) if name in environ}


def check_variables(names: Iterable[str]) -> None:
    """Refuse, by ValueError, names that policy may not pass on, or that cannot be names of variables."""
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f"variables: {name!r} is no name of an environment variable")
        if _NEVER.fullmatch(name):
            raise ValueError(f"variables: {name} is never passed on: ledger, policy and loader are ours")
