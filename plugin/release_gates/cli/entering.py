"""``init --into`` and ``init --undo``: show, ask, write; and take back."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from release_gates.cli.adding import plan_with
from release_gates.cli.joining import Plan, plan
from release_gates.cli.project import Project
from release_gates.cli.written import GONE, REMOVED, RESTORED, undo, write

BEFORE = {
    "container": (
        (
            "pip install 'pytest-release-gates[container]'",
            "docker build --tag app .",
            "docker compose up --detach    # the service that gates/staging.toml names by its label",
        ),
        (
            "--artifact Dockerfile=Dockerfile",
            "--image image=app@$(docker image inspect --format '{{.Id}}' app)",
        ),
    )
}
"""By suite: the commands that come first, and what the candidate has to have besides."""


def join(project: Project, folder: Path, suite: str | None = None, *, ask: bool) -> None:
    """Add gates, and this suite, to a repository, after showing each change; asks unless told not to."""
    planned = plan(folder) if suite is None else plan_with(folder, suite)
    found = {
        "folder": str(folder),
        "pytest": planned.configuration.file,
        "changes": [{"path": change.path, "diff": change.diff()} for change in planned.changes],
        "remarks": planned.remarks,
        "needed": planned.needed,
    }
    if not planned.changes:
        there = f"the suite {suite} and its gate are there already: nothing to write"
        project.say({**found, "written": False}, [there, *planned.needed])
        return
    if project.json:
        if not ask:
            write(folder, planned.changes)
        project.say({**found, "written": not ask}, ())
        sys.exit(1 if ask else 0)
    for line in (*_shown(planned), ""):
        click.echo(line)
    if ask and not click.confirm(f"Write {_count(planned)} into {folder}?"):
        click.echo("nothing was written")
        sys.exit(1)
    write(folder, planned.changes)
    for line in _next(folder, suite):
        click.echo(line)


def leave(project: Project, folder: Path) -> None:
    """Take back what ``join`` wrote; exit status 1 if a file stays because somebody changed it."""
    outcomes = dict(undo(folder))
    kept = [path for path, outcome in outcomes.items() if outcome not in (REMOVED, RESTORED, GONE)]
    lines = [f"  {path}: {outcome}" for path, outcome in outcomes.items()]
    if (folder / "gates").is_dir() and not kept:
        lines.append("  gates/: stays, somebody else's files are in it")
    project.say({"folder": str(folder), "files": outcomes, "kept": kept}, lines)
    if kept:
        sys.exit(1)


def _shown(planned: Plan) -> list[str]:
    lines = [line for change in planned.changes for line in (change.diff().rstrip("\n"), "")]
    file = planned.configuration.file
    where = f"pytest is configured in {file}, which" if file else "pytest's configuration"
    unchanged = f"{where} needs no change: the plugin loads itself and brings its marks along."
    return [
        *lines,
        *(planned.needed or (unchanged,)),
        *planned.remarks,
    ]


def _count(planned: Plan) -> str:
    count = len(planned.changes)
    return "1 file" if count == 1 else f"{count} files"


def _next(folder: Path, suite: str | None) -> list[str]:
    away = [f"cd {shlex.quote(str(folder))}"] if folder != Path.cwd() else []
    name = shlex.quote(folder.name or "app")
    before, artifacts = BEFORE.get(suite or "", ((), ()))
    create = f"release-gates candidate create --name {name} --version 1.0.0"
    commands = [
        *away,
        *before,
        "release-gates expect",
        " \\\n    ".join((f"{create} --artifact {name}=FILE_YOU_RELEASE", *artifacts)),
        "release-gates run staging",
    ]
    return [
        "Written. Next:",
        *(f"  {command}" for command in commands),
        "To take all of it back: release-gates init --undo",
    ]
