"""``init`` and ``demo``: the first ten minutes."""

from __future__ import annotations

import difflib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from release_gates.candidate.create import Origin, create_candidate
from release_gates.candidate.file import write_candidate
from release_gates.cli.entering import join, leave
from release_gates.cli.project import Project, refusing
from release_gates.errors import GateError, PolicyError
from release_gates.policy.expected import render_expected
from release_gates.report.text import rule
from release_gates.session.expecting import collected_gates
from release_gates.session.run import actor

SCAFFOLD = Path(__file__).parent / "scaffold"
RENAMED = {"gitignore": ".gitignore"}
"""Files whose real name would act on our own repository."""

GOOD = "        return self._look(self.keys[0]) if self.keys else None\n"
SLOW = "        return min(map(self._look, self.levels), default=None)\n"
"""The demonstration's defect: each fill walks the whole side of the book."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=None, required=False)
@click.option("--into", type=click.Path(path_type=Path), help="Add gates to the repository in this folder.")
@click.option("--with", "suite", metavar="SUITE", help="With --into: add this suite and its gate: container.")
@click.option("--yes", is_flag=True, help="With --into: write without asking.")
@click.option("--undo", is_flag=True, help="Take back what `init --into` wrote (in the folder of --into).")
@click.pass_obj
@refusing
def init(
    project: Project, folder: Path | None, into: Path | None, suite: str | None, yes: bool, undo: bool
) -> None:
    """Scaffold gates/, suites/, fixtures/ and a toy exchange in an empty FOLDER; it promotes at once.

    With --into: add gates to a repository that exists. Shows what it would write, and asks. With --with,
    now or later: a suite that comes with the product, too.
    """
    if folder is not None and (into is not None or undo):
        raise click.UsageError("FOLDER is for a new project, --into and --undo for one that exists.")
    if into is None and (yes or suite is not None):
        raise click.UsageError("--yes and --with belong to --into.")
    if undo and suite is not None:
        raise click.UsageError("--undo takes back all that init wrote, so it needs no --with.")
    if undo:
        leave(project, (into or Path()).resolve())
    elif into is not None:
        join(project, into.resolve(), suite, ask=not yes)
    else:
        _new_project(project, folder or Path())


def _new_project(project: Project, folder: Path) -> None:
    written = scaffold(folder)
    where = "" if folder == Path() else f"cd {folder} && "
    lines = [
        *(f"  {name}" for name in written),
        "Next:",
        f"  {where}pytest -m gate_staging",
        f"  {where}release-gates prove",
    ]
    project.say(
        {"folder": str(folder.absolute()), "files": written}, [f"written to {folder.absolute()}:", *lines]
    )


def scaffold(folder: Path) -> list[str]:
    """Write the scaffold into an empty folder and return the names; ``PolicyError`` if something is there."""
    present = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    if present:
        raise PolicyError(
            f"{folder.absolute()} is not empty: {', '.join(present[:5])}{', …' if len(present) > 5 else ''}.",
            slug="folder-not-empty",
            hint="Name a new folder: release-gates init my-exchange; or add gates here: init --into .",
        )
    names = [_copy(source, folder) for source in sorted(SCAFFOLD.rglob("*")) if _belongs(source)]
    release(folder, "1.0.0")
    for gate, tests in collected_gates(folder.absolute(), folder.absolute() / "gates").items():
        path = folder / "gates" / "expected" / f"{gate}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(render_expected(tests), encoding="utf-8")
        names.append(str(path.relative_to(folder)))
    return sorted([*names, "candidate.toml"])


def release(folder: Path, version: str) -> None:
    """Describe the toy exchange as a candidate; a scaffold has no commit yet, and says so."""
    made = create_candidate(
        name="exchange",
        version=version,
        artifacts={"exchange.py": Path("app/exchange.py")},
        root=folder.absolute(),
        origin=Origin(commit="uncommitted"),
        built_by=actor(),
    )
    write_candidate(made, folder / "candidate.toml")


def _belongs(source: Path) -> bool:
    return source.is_file() and "__pycache__" not in source.parts


def _copy(source: Path, folder: Path) -> str:
    name = source.relative_to(SCAFFOLD)
    target = folder / name.with_name(RENAMED.get(name.name, name.name))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
    return str(target.relative_to(folder))


@click.command()
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Where to build it (default: a temporary folder)."
)
@refusing
def demo(folder: Path | None) -> None:
    """Hold, explain, mend and promote a toy exchange, and prove its gates. No compiler, root or Docker."""
    home = (folder or Path(tempfile.mkdtemp(prefix="release-gates-demo-")) / "exchange").absolute()
    for step, ok in _steps(home):
        if not ok:
            click.echo(f"The demonstration did not go as it should at: {step}", err=True)
            sys.exit(1)
    click.echo(f"\nThat was it. The project is in {home}; change app/exchange.py and run the commands again.")


def _steps(home: Path) -> Iterator[tuple[str, bool]]:
    _title("1. A toy exchange with two gates")
    yield "init", _command(home.parent, "init", home.name, made=home.parent) == 0
    _title("2. Version 1.0.0 has a defect: matching looks at every price level")
    _rewrite(home, GOOD, SLOW)
    yield "candidate", _command(home, *_create("1.0.0")) == 0
    yield "held", _command(home, "run", "staging", "--", "-q", "--no-header") == 1
    _title("3. Why?")
    yield "explained", _command(home, "explain", "staging") == 1
    _title("4. Mended as 1.0.1: another build, other digests, a fresh decision")
    _rewrite(home, SLOW, GOOD, show=True)
    yield "candidate", _command(home, *_create("1.0.1")) == 0
    yield "promoted", _command(home, "run", "staging", "--", "-q", "--no-header") == 0
    _title("5. Only the ledger moves a candidate")
    for words in (("promote", "--to", "staging"), ("verify",)):
        yield words[0], _command(home, *words) == 0
    _title("6. Would the gates notice? Defects that are planted for them to catch")
    for words in (("prove",), ("status",)):
        yield words[0], _command(home, *words) == 0


def _create(version: str) -> tuple[str, ...]:
    named = ("--name", "exchange", "--version", version, "--commit", "uncommitted")
    return "candidate", "create", *named, "--artifact", "exchange.py=app/exchange.py"


def _title(text: str) -> None:
    click.echo(f"\n{click.style(rule(text, 80), bold=True)}")


def _command(folder: Path, *words: str, made: Path | None = None) -> int:
    if made is not None:
        made.mkdir(parents=True, exist_ok=True)
    click.echo(click.style(f"$ release-gates {' '.join(words)}", bold=True))
    sys.stdout.flush()
    return subprocess.run([sys.executable, "-m", "release_gates", *words], cwd=folder, check=False).returncode


def _rewrite(home: Path, old: str, new: str, *, show: bool = False) -> None:
    path = home / "app" / "exchange.py"
    before = path.read_text(encoding="utf-8")
    if before.count(old) != 1:
        raise GateError(f"{path}: is not the scaffold's.", slug="folder-not-empty", hint="Use a new folder.")
    after = before.replace(old, new)
    path.write_text(after, encoding="utf-8")
    if show:
        lines = difflib.unified_diff(
            before.splitlines(), after.splitlines(), "1.0.0", "1.0.1", n=1, lineterm=""
        )
        click.echo("\n".join(f"  {line}" for line in lines))
