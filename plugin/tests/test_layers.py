"""Who may import whom. The table is the architecture; ARCHITECTURE.md shows the same one."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from release_gates.testing import GateProject, launch

PACKAGE = Path(__file__).resolve().parents[1] / "release_gates"
MAY_IMPORT = {
    "pytest_plugin": {"session", "hookspecs"},
    "hookspecs": {"model"},
    "session": {"policy", "judge", "ledger", "candidate", "host", "report", "model"},
    "cli": {
        *{"session", "policy", "judge", "ledger", "candidate", "promotion", "proof", "report", "probes"},
        "model",
    },
    "proof": {"host", "policy", "judge", "ledger", "candidate", "model"},
    "promotion": {"host", "judge", "ledger", "candidate", "model"},
    "probes": {"host", "judge", "model"},
    "policy": {"model"},
    "judge": {"model"},
    "ledger": {"model"},
    "candidate": {"model"},
    "host": {"model"},
    "report": {"model"},
    "model": set(),
    "errors": set(),
    "testing": {"candidate", "ledger", "model"},  # a harness drives commands and reads what they left
    "__main__": {"cli"},
    "__init__": set(),
}
NO_IO = {
    "os",
    "io",
    "pathlib",
    "time",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "shutil",
    "tempfile",
    "pytest",
}
SDKS = {"docker", "kubernetes", "locust", "testinfra", "scipy", "sqlalchemy", "psycopg"}
NOT_AT_START = SDKS | {"httpx", "rich", "click", "defusedxml", "junitparser", "coverage", "jinja2"}
NOT_AT_START |= {"prometheus_client", "uvloop", "httptools", "gevent", "securesystemslib", "cryptography"}
NOT_AT_START |= {"sigstore", "sigstore_models", "rekor_types", "tuf", "pydantic"}
NOT_AT_START |= {"fsspec", "exchange_calendars", "pandas", "numpy"}
OWN_PROCESS = "locust_driver"
"""A package that runs by itself: locust patches the process that imports it."""


def modules() -> Iterator[tuple[Path, str]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(PACKAGE)
        if "scaffold" not in relative.parts:
            yield path, relative.parts[0].removesuffix(".py")


def imports(path: Path, *, everywhere: bool = True) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(
    ("path", "layer"), list(modules()), ids=lambda value: str(value)[len(str(PACKAGE)) + 1 :]
)
def test_imports_keep_to_the_layers(path: Path, layer: str) -> None:
    ours = [name.split(".") for name in imports(path) if name.startswith("release_gates.")]
    allowed = MAY_IMPORT[layer] | {layer, "errors", "TOOL"}
    assert {parts[1] for parts in ours} <= allowed


def test_the_page_shows_the_same_table() -> None:
    page = (PACKAGE.parents[1] / "ARCHITECTURE.md").read_text(encoding="utf-8")
    shown = re.findall(r"(\w+) -> \{([^}]*)\}", page)
    assert len(shown) >= 5
    for layer, names in shown:
        assert {name.strip() for name in names.split(",")} | {"model"} == MAY_IMPORT[layer]


@pytest.mark.parametrize("layer", ["model", "judge"])
def test_pure_layers_do_no_io(layer: str) -> None:
    for path in (PACKAGE / layer).rglob("*.py"):
        found = {name.split(".")[0] for name in imports(path)}
        assert not found & (NO_IO | SDKS), path
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        names = {
            call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            for call in calls
        }
        assert not names & {"open", "now", "utcnow", "getenv", "print", "input"}, path


def test_no_probe_imports_another() -> None:
    for path, layer in modules():
        if layer == "probes" and len(path.relative_to(PACKAGE).parts) > 2:
            family = path.relative_to(PACKAGE).parts[1]
            others = [name for name in imports(path) if name.startswith("release_gates.probes.")]
            assert all(name.split(".")[2] == family for name in others), path


def test_sdks_are_imported_inside_functions_only() -> None:
    for path, layer in modules():
        if layer != "cli" and OWN_PROCESS not in path.parts:
            top = {name.split(".")[0] for name in imports(path, everywhere=False)}
            assert not top & NOT_AT_START, path


def test_nobody_imports_what_patches_the_process() -> None:
    for path, _ in modules():
        if OWN_PROCESS not in path.parts:
            assert not any(OWN_PROCESS in name.split(".") for name in imports(path)), path


def test_collecting_a_gate_loads_no_sdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GateProject, "launch", staticmethod(launch))  # the warm one has imported everything
    project = GateProject(tmp_path)
    project.write("suites/test_a.py", 'import pytest\n@pytest.mark.gate("smoke")\ndef test_a(gate): pass\n')
    project.write(
        "conftest.py",
        """
        import json, sys
        def pytest_unconfigure():
            with open("loaded.json", "w") as file:
                json.dump(sorted(sys.modules), file)
        """,
    )
    others = ("no:cov", "no:hypothesispytest", "no:anyio", "no:pytest11.testinfra")
    project.run("--collect-only", *(word for other in others for word in ("-p", other)))
    loaded = {name.split(".")[0] for name in json.loads((tmp_path / "loaded.json").read_text())}
    assert not loaded & NOT_AT_START


def test_the_package_itself_imports_nothing() -> None:
    code = "import sys; old = set(sys.modules); import release_gates; print(sorted(set(sys.modules) - old))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['release_gates']"
