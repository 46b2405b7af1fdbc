"""``candidate create`` and ``candidate verify``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

import click

from release_gates.candidate.create import Origin, create_candidate
from release_gates.candidate.file import write_candidate
from release_gates.candidate.verify import verify_artifacts
from release_gates.cli.project import Project, refusing
from release_gates.errors import CandidateError
from release_gates.model.candidate import ArtifactKind
from release_gates.session.run import actor


@click.group()
def candidate() -> None:
    """The release candidate: an immutable set of artifact digests."""


@candidate.command()
@click.option("--name", required=True, help="What is released, for example trading-engine.")
@click.option("--version", required=True)
@click.option(
    "--artifact", "artifacts", multiple=True, required=True, metavar="NAME=PATH", help="Repeatable."
)
@click.option(
    "--kind", "kinds", multiple=True, metavar="NAME=KIND", help="file (default), manifest or config."
)
@click.option("--image", "images", multiple=True, metavar="NAME=REF@sha256:DIGEST", help="Repeatable.")
@click.option("--commit", help="Where git does not know: the commit that was built.")
@click.option("--output", type=click.Path(path_type=Path), help="Default: candidate.toml in the root folder.")
@click.pass_obj
@refusing
def create(
    project: Project,
    name: str,
    version: str,
    artifacts: tuple[str, ...],
    kinds: tuple[str, ...],
    images: tuple[str, ...],
    commit: str | None,
    output: Path | None,
) -> None:
    """Hash the artifacts and write candidate.toml."""
    target = (output or project.candidate_file).absolute()
    made = create_candidate(
        name=name,
        version=version,
        artifacts={key: Path(path).absolute() for key, path in _pairs("--artifact", artifacts).items()},
        root=target.parent,
        kinds=cast(dict[str, ArtifactKind], _pairs("--kind", kinds)),
        images=_pairs("--image", images),
        origin=Origin(commit=commit) if commit is not None else None,
        built_by=actor(),
    )
    write_candidate(made, target)
    project.say(
        made,
        [
            f"{made.name} {made.version}, digest {made.digest[:12]}, written to {target.name}",
            *(f"  {each.name}  {each.sha256[:12]}  {each.path or each.ref}" for each in made.artifacts),
        ],
    )


@candidate.command()
@click.pass_obj
@refusing
def verify(project: Project) -> None:
    """Hash every artifact again and compare."""
    known = project.candidate()
    problems = verify_artifacts(known, project.candidate_file.parent)
    ok = [f"{known.name} {known.version}: {len(known.artifacts)} artifacts are what their digests say"]
    project.say({"ok": not problems, "problems": problems, "digest": known.digest}, problems or ok)
    if problems:
        sys.exit(1)


def _pairs(option: str, texts: tuple[str, ...]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value) or name in pairs:
            raise CandidateError(
                f"{option} {text}: not NAME=VALUE, or a name given twice.",
                slug="not-a-pair",
                hint=f"Write {option} trading-engine=build/trading-engine.",
            )
        pairs[name] = value
    return pairs
