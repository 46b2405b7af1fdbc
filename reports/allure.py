"""Allure's report of a run, with nothing in it from elsewhere: ``python -m reports.allure RESULTS OUTPUT``.

The command line of Allure 3 comes from npm (``reports/package-lock.json``). What it writes loads Google
Analytics when it is opened, and no option prevents that: so it is taken out afterwards, and a
Content-Security-Policy forbids every other request.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PROGRAM = HERE / "node_modules" / "allure" / "cli.js"
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "connect-src 'self' data: blob:; form-action 'none'; base-uri 'self'"
)
META = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script>", re.DOTALL)
REMOTE = re.compile(r"""\bsrc\s*=\s*["']?(?:https?:)?//""")
ANALYTICS = "gtag("
LONGEST = 2000
"""An inline script of analytics is shorter, and Allure's own is longer by far."""


def generate(results: Path, output: Path) -> None:
    """Write the report on ``results`` to ``output``; ``SystemExit`` says what is missing."""
    if not any(results.glob("*-result.json")):
        raise SystemExit(
            f"{results}: no Allure results. Write some: pytest -m gate_staging --alluredir {results}"
        )
    if not PROGRAM.is_file():
        raise SystemExit("The command line of Allure is not installed: make setup (npm ci --prefix reports)")
    node = Path(sys.executable).with_name("node")
    subprocess.run(
        [node, PROGRAM, "generate", results, "--config", HERE / "allurerc.mjs", "--output", output],
        check=True,
        env={**os.environ, "GATE_ALLURE_RESULTS": str(results.absolute())},
    )
    note_run(results)
    pages = sorted(output.rglob("*.html"))
    if not pages:
        raise SystemExit(f"{output}: Allure wrote no page")
    for page in pages:
        page.write_text(without_remote(page.read_text(encoding="utf-8")), encoding="utf-8")


def note_run(results: Path) -> None:
    """Note which run was added to the history last, so that a second report on it adds nothing."""
    try:
        told = json.loads((results / "release-gates.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    (results.parent / "allure-history.jsonl.run").write_text(told["run"], encoding="utf-8")


def without_remote(html: str) -> str:
    """Return a page of Allure without the scripts that load something from elsewhere."""
    if "<head>" not in html:
        raise SystemExit("Allure's page has no <head> any more: look at what it loads before you publish it")
    return SCRIPT.sub(_kept, html).replace("<head>", f"<head>{META}", 1)


def _kept(script: re.Match[str]) -> str:
    attributes, code = script.groups()
    remote = REMOTE.search(attributes) or (len(code) < LONGEST and ANALYTICS in code)
    return "" if remote else script[0]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    generate(Path(sys.argv[1]), Path(sys.argv[2]))
