"""A Python that has imported pytest and this plugin, and forks for each command that it is asked to run.

Most of a small pytest run is imports. Each command is still a process of its own: it may be killed, call
``os._exit`` or change whatever it likes, and nobody after it sees that. ``conftest.py`` holds the other end.

A request is a line of JSON on stdin (``words`` as after ``python``, ``cwd``, ``env``, ``stdout``, ``stderr``:
files). The answers are two lines: the process id, and when it has ended its status as ``subprocess`` counts.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import sys
import tempfile
import time
from typing import Any

PACKAGES = (
    *("model", "judge", "policy", "candidate", "host", "ledger", "promotion", "proof", "report"),
    *("session", "cli"),
)


def main() -> None:
    """Answer requests until stdin ends; a forked child runs its command instead of returning here."""
    path = list(sys.path)
    import_everything()
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            become(request, path)
            return
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    os._exit(0)


def import_everything() -> None:
    """Import what a run of pytest or of ``release-gates`` imports, the way pytest itself does.

    Probes stay out: their fixtures are plugins that pytest wants to rewrite when a project names them.
    """
    import pytest

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        pytest.main(
            ["--collect-only", "--rootdir", folder, "-c", os.devnull, "-p", "no:cacheprovider", folder]
        )
    for package in PACKAGES:
        module = importlib.import_module(f"release_gates.{package}")
        for found in pkgutil.walk_packages(module.__path__, f"{module.__name__}."):
            if ".scaffold" not in found.name:
                importlib.import_module(found.name)


def become(request: dict[str, Any], path: list[str]) -> None:
    """Become what ``python WORDS`` would be: folder, environment, streams, path, then the program itself."""
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    for number, name, how in [
        (0, os.devnull, os.O_RDONLY),
        (1, request["stdout"], os.O_WRONLY | os.O_APPEND),
        (2, request["stderr"], os.O_WRONLY | os.O_APPEND),
    ]:
        opened = os.open(name, how)
        os.dup2(opened, number)
        os.close(opened)
    _, module, *arguments = request["words"]
    sys.path[:] = [request["cwd"], *path[1:]]
    sys.argv[:] = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
