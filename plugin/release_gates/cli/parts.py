"""A part of the evidence that pytest did not measure: read from a file, joined by ``decide`` like any."""

from __future__ import annotations

import hashlib
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from release_gates.candidate.keep import keep_candidate
from release_gates.candidate.verify import verify_artifacts
from release_gates.cli.project import Project, environment_of
from release_gates.errors import GateError, MeasurementError, PolicyError
from release_gates.ledger.evidence import EvidenceWriter
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.evidence import Source, TestRecord
from release_gates.model.gate import EnvironmentPolicy, GateSpec, Policy
from release_gates.policy.grammar import parse_duration_s
from release_gates.policy.mistake import suggestion
from release_gates.policy.routes import on_route
from release_gates.session.run import header_of, new_run_id

LARGEST_BYTES = 64 * 1024 * 1024
"""Larger result files are refused: a report of that size is damage, or an attack on who reads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a part of the evidence is about: one gate of one environment, for one candidate."""

    project: Project
    policy: Policy
    environment: EnvironmentPolicy
    gate: GateSpec
    candidate: ReleaseCandidate


def part_for(project: Project, gate: str, environment: str | None, route: str) -> Part:
    """Return what a part of the evidence for ``gate`` is about: on another route it proves nothing.

    Without ``environment`` it is the only one that asks for the gate; ``PolicyError`` if there are several.
    """
    policy = project.policy()
    chosen = on_route(_environment(policy, gate, environment), route)
    spec = chosen.gate(gate)
    if spec is None:
        known = [each.name for each in chosen.gates]
        on = f" on route {route}" if chosen.route else ""
        raise PolicyError(
            f"the entry to {chosen.name}{on} asks for no gate '{gate}'.",
            slug="unknown-gate",
            hint=suggestion(gate, known).strip(),
        )
    return Part(project=project, policy=policy, environment=chosen, gate=spec, candidate=project.candidate())


def _environment(policy: Policy, gate: str, name: str | None) -> EnvironmentPolicy:
    if name is not None:
        return environment_of(policy, name)
    asking = [each for each in policy.environments if each.gate(gate) is not None]
    if not asking:
        raise PolicyError(
            f"no environment asks for a gate '{gate}'.",
            slug="unknown-gate",
            hint=suggestion(gate, policy.gate_names()).strip(),
        )
    if len(asking) > 1:
        names = ", ".join(each.name for each in asking)
        raise PolicyError(
            f"the gate '{gate}' guards the entry to {names}.",
            slug="which-environment",
            hint=f"Say for which one this is: --environment {asking[-1].name}.",
        )
    return asking[0]


def read_source(path: Path, kind: str, *, now: datetime) -> tuple[bytes, Source]:
    """Return a file's content, and what evidence keeps of where it came from.

    Raises MeasurementError for what is no ordinary file, is too large, or was modified in the future.
    """
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise unreadable(path, "it is no ordinary file")
        if facts.st_size > LARGEST_BYTES:
            raise _too_large(path, facts.st_size)
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise unreadable(path, error.strerror or str(error)) from error
    if len(data) > LARGEST_BYTES:
        raise _too_large(path, len(data))
    modified = _moment(path, facts.st_mtime)
    age_s = (now - modified).total_seconds()
    if age_s < 0:
        raise from_the_future(path, "its modification time", modified)
    digest = hashlib.sha256(data).hexdigest()
    return data, Source(kind=kind, path=str(path), sha256=digest, modified=modified, age_s=age_s)


def _moment(path: Path, seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise unreadable(path, f"its modification time, {seconds:g} s, is no date") from None


def valid_for_s(text: str | None, gate: GateSpec) -> float:
    """Return for how many seconds results are valid: what is asked for, at most what policy says.

    Raises PolicyError for what is no duration, or is longer than the gate's ``valid_for``.
    """
    if text is None:
        return gate.valid_for_s
    try:
        asked = parse_duration_s(text)
    except PolicyError as error:
        raise PolicyError(f"--valid-for '{text}' {error.message}", slug=error.slug, hint=error.hint) from None
    if asked > gate.valid_for_s:
        raise PolicyError(
            f"--valid-for {text} is longer than the policy lets evidence of gate '{gate.name}' be valid "
            f"({gate.valid_for_s / 3600:g} h).",
            slug="valid-for",
            hint=f'Ask for less, or set valid_for = "{text}" in [gate.{gate.name}].',
        )
    return asked


def check_age(path: Path, taken: datetime, valid_for_s: float, *, now: datetime) -> None:
    """Refuse results that are older than they are valid for, or from the future, by MeasurementError."""
    age_s = (now - taken).total_seconds()
    if age_s < 0:
        raise from_the_future(path, "its timestamp", taken)
    if not age_s <= valid_for_s:
        raise MeasurementError(
            f"{path}: is of {taken:%Y-%m-%d %H:%M} UTC, {age_s / 3600:.4g} h ago; "
            f"it is valid for {valid_for_s / 3600:g} h.",
            slug="source-too-old",
            hint="Run those tests again and import the new file.",
        )


def from_the_future(path: Path, what: str, moment: datetime) -> MeasurementError:
    """Return the error for a time that has not come yet."""
    return MeasurementError(
        f"{path}: {what} is {moment:%Y-%m-%d %H:%M:%S} UTC, which is in the future.",
        slug="source-from-the-future",
        hint="Set the clock of the machine that wrote it, or of this one, and run those tests again.",
    )


def write_part(part: Part, output: Path, records: Sequence[TestRecord], sources: Sequence[Source]) -> None:
    """Write the whole evidence file of one part, or nothing.

    Raises CandidateError if an artifact is not what the candidate says, EvidenceError if the file exists or
    cannot be written.
    """
    project, root = part.project, part.project.candidate_file.parent
    keep_candidate(part.candidate, root, project.state)
    header = header_of(
        new_run_id(datetime.now(UTC)),
        part.environment,
        part.candidate,
        part.policy,
        command=sys.argv[1:],
        sources=sources,
    )
    writer = EvidenceWriter(output, header)
    try:
        for record in records:
            writer.write(record)
        problems = verify_artifacts(part.candidate, root)
        writer.end(ended=datetime.now(UTC), problems=tuple(problems))
    except GateError:
        output.unlink(missing_ok=True)
        raise


def decide_command(part: Part, output: Path) -> str:
    """Return the command that joins a part with the others, on its route."""
    route = f" --route {part.environment.route.name}" if part.environment.route else ""
    return f"release-gates decide --environment {part.environment.name}{route} {output} …"


def unreadable(path: Path, why: str) -> MeasurementError:
    """Return the error for a source that holds nothing, or cannot be read."""
    return MeasurementError(
        f"{path}: cannot be read ({why}).",
        slug="source-unreadable",
        hint="Name the file that the tests wrote.",
    )


def _too_large(path: Path, size: int) -> MeasurementError:
    return MeasurementError(
        f"{path}: has {size} bytes; more than {LARGEST_BYTES} are not read.",
        slug="source-too-large",
        hint="Write one file for each suite, without captured output.",
    )
