"""Builds of five shapes of work: as they are, slower by so many percent, and of another layout only."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from release_gates.probes.benchmark.compiled import NATIVE

SOURCE = Path(__file__).with_name("shapes.cpp")
SLOWER_BY_PERCENT = (1, 2, 3, 5, 10)
LAYOUTS = (1, 2, 3)
CPU_BOUND = ("hash_lookup", "fix_parse", "ring", "allocation")
MEMORY_BOUND = ("pointer_chase",)
FLAGS = ("-std=c++20", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden")
LINK = ("-Wl,-Bsymbolic", "-Wl,--build-id")


def build(folder: Path) -> dict[str, Path]:
    """Compile all variants into ``folder``, those that are older than the source, and return them by name.

    ``baseline``, ``slower_N`` (N percent) and ``layout_N``. The same source gives the same bytes, so that
    ``baseline`` is its own identical build.
    """
    folder.mkdir(parents=True, exist_ok=True)
    defines = {
        "baseline": (),
        **{f"slower_{percent}": (f"-DSLOWER_BY={percent}",) for percent in SLOWER_BY_PERCENT},
        **{f"layout_{number}": (f"-DLAYOUT={number}",) for number in LAYOUTS},
    }
    built = {name: folder / f"{name}.so" for name in defines}
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: _compile(built[name], defines[name]), defines))
    return built


def _compile(to: Path, defines: tuple[str, ...]) -> None:
    newest = max(path.stat().st_mtime for path in (SOURCE, NATIVE / "paired.h", Path(__file__)))
    if not to.exists() or to.stat().st_mtime < newest:
        subprocess.run(["g++", *FLAGS, *defines, f"-I{NATIVE}", SOURCE, "-o", to, *LINK], check=True)
