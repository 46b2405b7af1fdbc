"""The native runner, compiled once for each compiler and state of its sources."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from release_gates.errors import ProbeUnavailable

NATIVE = Path(__file__).resolve().parent / "native"
"""Sources of the runner, and ``paired.h`` for those who build benchmarks."""

FLAGS = ("-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror")
_COMPILERS = ("c++", "g++", "clang++")
_TIMEOUT_S = 120


def user_cache(environ: Mapping[str, str]) -> Path:
    """Return the folder for compiled runners: below XDG_CACHE_HOME, ~/.cache or, without a home, `.gates`."""
    cache = environ.get("XDG_CACHE_HOME") or (environ.get("HOME") and f"{environ['HOME']}/.cache") or ".gates"
    return Path(cache).absolute() / "pytest-release-gates"


def compiled_runner(cache: Path, environ: Mapping[str, str]) -> Path:
    """Return the runner's path, compiled now where ``cache`` does not have it.

    Raises ProbeUnavailable where there is no C++ compiler or it does not take the sources.
    """
    compiler = find_compiler(environ)
    name = f"paired-runner-{_digest(compiler)[:32]}"
    binary = cache / name
    if not os.access(binary, os.X_OK):
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=cache, prefix=".") as folder:
                _compile(compiler, Path(folder) / name)
                (Path(folder) / name).replace(binary)
        except OSError as error:
            raise ProbeUnavailable(
                f"{cache}: the paired runner cannot be kept there: {error.strerror}.",
                slug="benchmark-runner-not-compiled",
                hint="Make the folder writable, or name another one in XDG_CACHE_HOME.",
            ) from error
    return binary


def find_compiler(environ: Mapping[str, str]) -> Path:
    """Return the first C++ compiler of the search path. Raises ProbeUnavailable where there is none."""
    for name in _COMPILERS:
        if found := shutil.which(name, path=environ.get("PATH", os.defpath)):
            return Path(found)
    raise ProbeUnavailable(
        f"there is no C++ compiler ({', '.join(_COMPILERS)}) for the paired benchmark runner.",
        slug="benchmark-compiler-missing",
        hint="Install one: apt-get install g++",
    )


def _sources() -> list[Path]:
    return sorted(path for path in NATIVE.iterdir() if path.suffix in {".cpp", ".hpp", ".h"})


def _digest(compiler: Path) -> str:
    version = subprocess.run([compiler, "--version"], capture_output=True, check=False, timeout=_TIMEOUT_S)
    digest = hashlib.sha256(repr((str(compiler.resolve()), version.stdout, FLAGS)).encode())
    for path in _sources():
        digest.update(f"\0{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _compile(compiler: Path, to: Path) -> None:
    sources = [path for path in _sources() if path.suffix == ".cpp"]
    done = subprocess.run(
        [compiler, *FLAGS, "-o", to, *sources, "-ldl"],
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_S,
    )
    if done.returncode != 0:
        raise ProbeUnavailable(
            f"{compiler} does not compile the paired benchmark runner:\n{done.stderr[-2000:]}\n",
            slug="benchmark-runner-not-compiled",
            hint="It takes a C++17 compiler and Linux's headers: apt-get install g++",
        )
