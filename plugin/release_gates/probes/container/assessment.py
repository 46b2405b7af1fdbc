"""A Dockerfile, an image, a container: read, and judged by every rule that is on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from release_gates.probes.container import container_rules, dockerfile_rules, hadolint, image_rules
from release_gates.probes.container.archive import read_archive
from release_gates.probes.container.container_facts import ContainerFacts, container_facts
from release_gates.probes.container.dockerfile import Dockerfile, parse_dockerfile
from release_gates.probes.container.effective import NotHere, read_effective
from release_gates.probes.container.engine import Engine
from release_gates.probes.container.image_facts import ImageFacts, image_facts
from release_gates.probes.container.judging import Report, Selection, judge
from release_gates.probes.container.oci_index import Index
from release_gates.probes.container.profile import Profile
from release_gates.probes.container.rule import Fault
from release_gates.probes.container.stream import read_ahead


def judge_dockerfile(text: str, file: str, target: str, profile: Profile, selection: Selection) -> Report:
    """Return what our own rules and hadolint say of a Dockerfile."""
    facts = parse_dockerfile(text, file, target=target)

    def remarks(_facts: Dockerfile, _profile: Profile) -> Iterable[Fault]:
        return hadolint.faults(hadolint.run_hadolint(text), file)

    checks = {**dockerfile_rules.CHECKS, "DF14": remarks}
    return judge(facts, profile, checks, subject=file, selection=selection)


def judge_image(facts: ImageFacts, profile: Profile, selection: Selection) -> Report:
    """Return what the rules say of an image; IM11 is asked where there is a report."""
    return judge(facts, profile, image_rules.CHECKS, subject=facts.name, selection=selection)


def judge_container(facts: ContainerFacts, profile: Profile, selection: Selection) -> Report:
    """Return what the rules say of a container."""
    return judge(facts, profile, container_rules.CHECKS, subject=facts.name, selection=selection)


def read_image(engine: Engine, name: str, *, now: datetime, index: Index | None = None) -> ImageFacts:
    """Return the facts of an image of the engine; its archive is read as it streams.

    An engine whose image id is the digest of a manifest (containerd's store) has a configuration with another
    digest; the archive's own digests hold it together then.
    """
    inspected = engine.image(name)
    identity = str(inspected["Id"])
    saved = read_archive(read_ahead(engine.saved(identity)), place=name, identity=identity)
    return image_facts(
        saved,
        name=name,
        now=now,
        repo_digests=(
            *(inspected.get("RepoDigests") or ()),
            *([identity] if identity != saved.identity else []),
        ),
        repo_tags=inspected.get("RepoTags") or (),
        index=index,
    )


def read_container(engine: Engine, name: str) -> ContainerFacts:
    """Return the facts of a container: what was declared, and what is in effect where that can be seen."""
    inspected = engine.container(name)
    effective, absent = None, ""
    try:
        effective = read_effective(inspected)
    except NotHere as error:
        absent = str(error)
    return container_facts(
        inspected,
        effective=effective,
        effective_absent=absent,
        image_digests=_digests_of(engine, inspected),
        host_has_apparmor=engine.has_apparmor,
        volumes={name: engine.volume(name) for name in _volumes(inspected)},
        engine_socket=engine.socket,
    )


def _volumes(inspected: Mapping[str, Any]) -> Iterable[str]:
    mounts = inspected.get("Mounts") or ()
    return [str(each["Name"]) for each in mounts if each.get("Type") == "volume" and each.get("Name")]


def _digests_of(engine: Engine, inspected: Mapping[str, Any]) -> tuple[str, ...]:
    image = engine.image(str(inspected["Image"]))
    return tuple(image.get("RepoDigests") or ())
