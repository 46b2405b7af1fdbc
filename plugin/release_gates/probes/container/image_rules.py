"""The rules of images (IM): each a pure function of facts and profile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from fnmatch import fnmatchcase
from types import MappingProxyType

from release_gates.model.rule import Undecided
from release_gates.probes.container import secret_patterns
from release_gates.probes.container.capabilities import listed
from release_gates.probes.container.image_facts import ImageFacts
from release_gates.probes.container.oci_index import Index, serves
from release_gates.probes.container.profile import Profile
from release_gates.probes.container.rule import Fault

Check = Callable[[ImageFacts, Profile], Iterator[Fault]]

MOST_SECRETS = 30
REVISION = "org.opencontainers.image.revision"
NAMED = 5
"""So many paths stand in a sentence before "and N more"."""


def user(facts: ImageFacts, _profile: Profile) -> Iterator[Fault]:
    """IM01: a name is looked up in the image's own /etc/passwd."""
    name = facts.user.partition(":")[0].strip()
    declared = f"USER {facts.user}" if facts.user else "no USER"
    if name in ("", "root") or (name.isdecimal() and int(name) == 0):
        yield Fault(declared=declared, effective="uid 0")
    else:
        uid = _uid(facts, name)
        if uid is None:
            yield Fault(declared=declared, effective="a name that /etc/passwd does not have: it cannot start")
        elif uid == 0:
            yield Fault(declared=declared, effective="uid 0 by /etc/passwd")


def size(facts: ImageFacts, profile: Profile) -> Iterator[Fault]:
    """IM02."""
    if profile.size_budget and facts.size > profile.size_budget:
        yield Fault(declared=f"a budget of {_mib(profile.size_budget)}", effective=_mib(facts.size))


def secrets(facts: ImageFacts, profile: Profile) -> Iterator[Fault]:
    """IM03: in every layer, also where a higher one hides the file. A secret itself is never shown."""
    for name in secret_patterns.in_environment(facts.environment):
        yield Fault(declared=f"ENV {name}", effective="whoever has the image has it")
    for name in secret_patterns.in_environment(
        tuple(f"{key}={value}" for key, value in facts.labels.items())
    ):
        yield Fault(declared=f"LABEL {name}", effective="whoever has the image has it")
    for name in secret_patterns.in_text(" ".join(facts.commands)):
        yield Fault(declared=f"ENTRYPOINT, CMD or HEALTHCHECK: {name}", effective="`ps` shows it")
    for number, step in enumerate(facts.history, 1):
        for name in secret_patterns.in_text(step):
            place = f"history, step {number} of {len(facts.history)}: {name}"
            yield Fault(declared=place, effective="`docker history` shows it")
    found = [each for each in facts.files.secrets if not _is_public(each.secret.path, profile)]
    for each in found[:MOST_SECRETS]:
        hidden = ", which a higher layer only hides" if each.hidden else ""
        yield Fault(declared=each.place, effective=f"{each.secret.kind}{hidden}")
    if more := found[MOST_SECRETS:]:
        yield Fault(declared=f"{len(more)} more places, from {more[0].place} on", effective="secrets too")


def setuid(facts: ImageFacts, _profile: Profile) -> Iterator[Fault]:
    """IM04: by its mode, or by capabilities that the file gives whoever starts it."""
    if facts.files.setuid:
        shown = _listed([f"/{path} ({mode:04o})" for path, mode in sorted(facts.files.setuid.items())])
        yield Fault(declared=shown, effective="it runs with its owner's rights")
    if facts.files.capabilities:
        shown = _listed(
            [f"/{path} ({listed(names)})" for path, names in sorted(facts.files.capabilities.items())]
        )
        yield Fault(declared=shown, effective="it gains capabilities", instead="setcap -r, or leave it out")


def tools(facts: ImageFacts, _profile: Profile) -> Iterator[Fault]:
    """IM05."""
    if facts.files.tools:
        shown = _listed([f"/{path} ({kind})" for path, kind in sorted(facts.files.tools.items())])
        yield Fault(declared=shown, effective="what an intruder works with")


def healthcheck(facts: ImageFacts, profile: Profile) -> Iterator[Fault]:
    """IM06."""
    if facts.healthcheck is None and not profile.kubernetes_only:
        yield Fault(declared="no HEALTHCHECK", effective="nobody asks whether it works")


def platforms(facts: ImageFacts, profile: Profile) -> Iterator[Fault]:
    """IM07: an index counts only if it is this image's own."""
    there = (facts.platform,) if facts.index is None else facts.index.platforms
    if facts.index is not None:
        _check_own(facts, facts.index)
    if absent := [each for each in profile.platforms if not any(serves(found, each) for found in there)]:
        yield Fault(
            declared=f"for {', '.join(there) or 'nothing'}", effective=f"nothing for {', '.join(absent)}"
        )


def _check_own(facts: ImageFacts, index: Index) -> None:
    """Raise ``Undecided`` unless the index is known by this image's digest, or names it for its platform."""
    own = known_digests(facts)
    named = [digest for platform, digest in index.images if serves(platform, facts.platform)]
    if index.digest not in own and not own.intersection(named):
        said = ", ".join(f"sha256:{digest[:12]}" for digest in named) or "no image"
        raise Undecided(
            f"the index names {said} for {facts.platform}, and the image is known as "
            f"{', '.join(f'sha256:{digest[:12]}' for digest in sorted(own))}"
        )


def known_digests(facts: ImageFacts) -> frozenset[str]:
    """Return every digest by which the engine or a registry knows the image, 64 hex digits each."""
    names = (facts.identity, *facts.repo_digests)
    return frozenset(name.rpartition("sha256:")[2] for name in names)


def reference(facts: ImageFacts, profile: Profile) -> Iterator[Fault]:
    """IM08: the candidate's digest does where no registry knows the image."""
    tag = facts.name.rpartition("/")[2].partition("@")[0].partition(":")[2]
    by_digest = "@sha256:" in facts.name or facts.name.startswith("sha256:")
    if tag == "latest" and not by_digest:
        yield Fault(declared=facts.name, effective="another image tomorrow")
    elif profile.released and profile.released not in known_digests(facts):
        yield Fault(declared=f"sha256:{profile.released}", effective=f"the image is {facts.identity}")
    elif not (by_digest or facts.repo_digests or profile.released):
        yield Fault(declared=facts.name, effective="no registry and no candidate knows it by digest")


def origin(facts: ImageFacts, profile: Profile) -> Iterator[Fault]:
    """IM09."""
    if absent := [label for label in profile.labels if not facts.labels.get(label)]:
        yield Fault(declared=f"no label {', '.join(absent)}", effective="nobody can tell its sources")
    said = facts.labels.get(REVISION, "")
    if profile.commit and said and not (len(said) >= 7 and profile.commit.startswith(said)):
        yield Fault(
            declared=f"label {REVISION}: {said[:40]}",
            effective=f"the candidate is of {profile.commit[:12]}",
            instead=f"LABEL {REVISION}, of the commit that is built: one of the base image is inherited",
        )
    if facts.created is not None and profile.oldest_days:
        if facts.created > facts.now + timedelta(days=1):
            yield Fault(declared=f"created {facts.created:%Y-%m-%d}", effective="a day that is still to come")
        elif facts.now - facts.created > timedelta(days=profile.oldest_days):
            days = (facts.now - facts.created).days
            yield Fault(declared=f"created {facts.created:%Y-%m-%d}", effective=f"{days} days old")


def accounts(facts: ImageFacts, _profile: Profile) -> Iterator[Fault]:
    """IM10."""
    _check_read(facts)
    for file, position in (("etc/passwd", 1), ("etc/shadow", 1)):
        for fields in _rows(facts, file):
            if len(fields) > position and fields[position] == "":
                yield Fault(declared=f"/{file}: {fields[0]}", effective="no password is asked for")
    uids = Counter(fields[2].lstrip("0") or "0" for fields in _rows(facts, "etc/passwd") if len(fields) > 2)
    for uid, count in sorted(uids.items()):
        if count > 1:
            yield Fault(declared=f"/etc/passwd: uid {uid}", effective=f"{count} accounts are one user")


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "IM01": user,
        "IM02": size,
        "IM03": secrets,
        "IM04": setuid,
        "IM05": tools,
        "IM06": healthcheck,
        "IM07": platforms,
        "IM08": reference,
        "IM09": origin,
        "IM10": accounts,
    }
)
"""IM11, what scanners report, and IM12, who signed it, are no functions of the image alone."""


def _uid(facts: ImageFacts, name: str) -> int | None:
    """Return the uid of a user as the engine finds it: a name comes first, also one of digits alone."""
    _check_read(facts)
    for fields in _rows(facts, "etc/passwd"):
        if len(fields) > 2 and fields[0] == name and fields[2].isdecimal():
            return int(fields[2])
    return int(name) if name.isdecimal() else None


def _check_read(facts: ImageFacts) -> None:
    """Raise ``Undecided`` where accounts are behind a link: the layer holds them under another name."""
    if facts.files.links:
        shown = ", ".join(f"/{path} -> {to}" for path, to in sorted(facts.files.links.items()))
        raise Undecided(f"accounts are behind a link, which is not followed: {shown}")


def _rows(facts: ImageFacts, file: str) -> Iterator[list[str]]:
    for line in facts.files.accounts.get(file, "").splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.split(":")


def _is_public(path: str, profile: Profile) -> bool:
    return any(fnmatchcase(path, pattern.lstrip("/")) for pattern in profile.no_secrets)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _mib(size: int) -> str:
    return f"{size / 1024**2:.1f} MiB"
