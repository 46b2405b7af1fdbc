"""Refuse runs that do not show that the tool looked at the candidate, and at all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from release_gates.model.foreign import plain
from release_gates.probes.sarif.document import Invocation, Notification, Tool, ToolRun
from release_gates.probes.sarif.faults import contradiction, failed, not_run, other_source
from release_gates.probes.sarif.places import Places

LEAST_COMMIT = 7
"""Shorter beginnings of a commit id identify nothing."""

DigestOf = Callable[[str], str | None]
"""SHA-256 of a file of the checkout by its path, None where it is not there."""


def check_run(run: ToolRun, *, file: str, place: str) -> str:
    """Return the tool's name; raise MeasurementError unless the run is whole.

    No tool, ``results`` null or absent or in another file: ``sarif-not-run``. A call that says that it
    failed, was killed or did not start, or a notification of level error: ``sarif-run-failed``.
    """
    driver = run.tool.driver if run.tool is not None else None
    name = plain(driver.name) if driver is not None else ""
    if not name:
        raise not_run(file, f"{place}.tool", "no tool is named, so nobody knows what ran")
    if run.external_property_file_references:
        parts = plain(", ".join(sorted(run.external_property_file_references)))
        raise not_run(file, f"{place}.externalPropertyFileReferences", f"{name} put {parts} into other files")
    if run.results is None:
        raise not_run(
            file, f"{place}.results", f"{name} has no results, not even an empty list: it did not analyse"
        )
    for where, call in _calls(run, place):
        _check_call(name, call, run.tool or Tool(), file=file, place=where)
    return name


def check_commit(run: ToolRun, commit: str, *, required: bool, file: str, place: str) -> None:
    """Refuse a run of another commit than the candidate's; without any, if it is ``required``.

    Revisions of other repositories (submodules) may stand beside. Raises MeasurementError
    (``sarif-other-source``).
    """
    place = f"{place}.versionControlProvenance"
    said = [entry for entry in run.version_control_provenance if entry.revision_id is not None]
    same = [entry for entry in said if _is_commit(entry.revision_id or "", commit)]
    repositories = {entry.repository_uri for entry in same}
    others = [entry for entry in said if entry not in same]
    strange = others if not same else [entry for entry in others if entry.repository_uri in repositories]
    if strange:
        found = plain(strange[0].revision_id or "")
        raise other_source(file, place, f"commit {found} was analysed, and the candidate is {commit[:12]}")
    if required and not same:
        raise other_source(file, place, "the file does not say which commit was analysed")


def names_commit(run: ToolRun) -> bool:
    """Return whether the run says which revision was analysed."""
    return any(entry.revision_id is not None for entry in run.version_control_provenance)


def check_sources(run: ToolRun, places: Places, digest_of: DigestOf, *, file: str, place: str) -> None:
    """Refuse a run that hashed other files than those of the checkout: ``sarif-other-source``."""
    for index, artifact in enumerate(run.artifacts):
        said = next((v for k, v in artifact.hashes.items() if k.lower() in ("sha-256", "sha256")), None)
        path = places.path(artifact.location)
        found = digest_of(path) if said is not None and path else None
        if said is not None and found is not None and said.lower() != found:
            where = f"{place}.artifacts[{index}]"
            raise other_source(
                file, where, f"{plain(path)} had SHA-256 {plain(said)} then, and has {found[:12]} now"
            )


def ended(run: ToolRun) -> datetime | None:
    """Return when the earliest call of the tool ended, None where the file does not say."""
    times = [call.end_time_utc for call in run.invocations if call.end_time_utc is not None]
    return min((time if time.tzinfo else time.replace(tzinfo=UTC) for time in times), default=None)


def _calls(run: ToolRun, place: str) -> Iterator[tuple[str, Invocation]]:
    for index, call in enumerate(run.invocations):
        yield f"{place}.invocations[{index}]", call
    if run.conversion is not None and run.conversion.invocation is not None:
        yield f"{place}.conversion.invocation", run.conversion.invocation


def _check_call(name: str, call: Invocation, tool: Tool, *, file: str, place: str) -> None:
    if not call.execution_successful:
        raise failed(file, f"{place}.executionSuccessful", f"{name} says that it failed")
    if call.process_start_failure_message is not None:
        why = plain(call.process_start_failure_message)
        raise failed(file, f"{place}.processStartFailureMessage", f"{name} did not start: {why}")
    if call.exit_signal_name is not None or call.exit_signal_number is not None:
        number = call.exit_signal_name or f"number {call.exit_signal_number}"
        raise failed(file, f"{place}.exitSignalName", f"{name} was ended by signal {plain(number)}")
    for key, notes in (
        ("toolExecutionNotifications", call.tool_execution_notifications),
        ("toolConfigurationNotifications", call.tool_configuration_notifications),
    ):
        for index, note in enumerate(notes):
            if _is_error(note, tool):
                why = plain(note.message.text or note.message.id or "no reason is given", 200)
                raise failed(file, f"{place}.{key}[{index}]", f"{name} reports an error of its own: {why}")


def _is_error(note: Notification, tool: Tool) -> bool:
    """Return whether a notification is an error by itself, or by any descriptor that it may mean."""
    said = note.descriptor
    parts = [part for part in (tool.driver, *tool.extensions) if part is not None]
    meant = (
        descriptor
        for part in parts
        for index, descriptor in enumerate(part.notifications)
        if index == said.index or descriptor.id == said.id or (said.guid and descriptor.guid == said.guid)
    )
    return "error" in (
        note.level,
        *(each.default_configuration.level for each in meant if note.level is None),
    )


def _is_commit(said: str, commit: str) -> bool:
    one, other = said.lower(), commit.lower()
    return min(len(one), len(other)) >= LEAST_COMMIT and (one.startswith(other) or other.startswith(one))


def check_index(index: int, length: int, what: str, *, file: str, place: str) -> None:
    """Refuse an index behind the end of what it points into: ``sarif-contradiction``."""
    if index >= length:
        raise contradiction(file, place, f"{what} {index} points behind the {length} that there are")
