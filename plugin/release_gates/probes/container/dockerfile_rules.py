"""The rules of Dockerfiles (DF): about the stage that is released, and what it is made from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType

from release_gates.probes.container import secret_patterns
from release_gates.probes.container.dockerfile import Dockerfile, Instruction, Stage, assignments
from release_gates.probes.container.profile import Profile
from release_gates.probes.container.rule import Fault

Check = Callable[[Dockerfile, Profile], Iterator[Fault]]

_UNCHECKED = re.compile(
    r"curl\b[^;&|]*\s(?:-[a-zA-Z]*k[a-zA-Z]*|--insecure)(?:\s|$)|wget\b[^;&|]*--no-check-certificate"
    r"|sslverify[ =\"']+(?:false|0)|GIT_SSL_NO_VERIFY=|NODE_TLS_REJECT_UNAUTHORIZED=[\"']?0"
    r"|PYTHONHTTPSVERIFY=[\"']?0|strict-ssl[ =]+false|--trusted-host|--allow-unauthenticated|--force-yes"
    r"|trusted=yes|--allow-untrusted|--no-?gpg-?check|gpgcheck=0|--nosignature|--nodigest"
    r"|Verify-Peer[ =\"]+false",
    re.IGNORECASE,
)
_BUILDS = re.compile(
    r"^(?:gcc|g\+\+|clang|make|cmake|ninja-build|build-(?:essential|base)|.+-dev(?:el)?)(?:[=<>~].*)?$"
)
_INSTALL = re.compile(r"(?:apt-get|apt|apk|pip3?|yum|dnf|microdnf)\s+(?:-\S+\s+)*(?:install|add)\s+([^;&|]*)")
_PINNED = re.compile(r"[=@~<>]|^\.|/|^-|^\$|^\d")
_TAKES_VALUE = frozenset(
    {"-r", "--requirement", "-c", "--constraint", "-t", "--target-release", "--virtual", "-i", "--index-url"}
)
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".txz", ".tbz2")


def user(facts: Dockerfile, _profile: Profile) -> Iterator[Fault]:
    """DF01: the last USER; numeric, so that Kubernetes can tell too."""
    said = facts.last("USER")
    name = said.text.split(":")[0].strip() if said else ""
    if said is None and "nonroot" in facts.base:
        return
    if name in ("", "root") or (name.isdecimal() and int(name) == 0):
        yield Fault(declared=f"USER {said.text}{_at(facts, said)}" if said else "no USER", effective="uid 0")
    elif name.startswith("$"):
        yield Fault(declared=f"USER {name}{_at(facts, said)}", effective="a variable without a value is root")


def untagged(facts: Dockerfile, _profile: Profile) -> Iterator[Fault]:
    """DF02: a digest does instead of a tag."""
    for stage in _from_elsewhere(facts):
        if _is_moving(stage.base):
            yield Fault(
                declared=f"FROM {stage.base} ({facts.file}:{stage.line})", effective="another image tomorrow"
            )


def unpinned(facts: Dockerfile, _profile: Profile) -> Iterator[Fault]:
    """DF03: what DF02 says already is not said twice."""
    for stage in _from_elsewhere(facts):
        if not re.search(r"@sha256:[0-9a-f]{64}$", stage.base):
            yield Fault(
                declared=f"FROM {stage.base} ({facts.file}:{stage.line})",
                effective="whatever the tag names then",
                by_effect=_is_moving(stage.base),
            )


def base(facts: Dockerfile, profile: Profile) -> Iterator[Fault]:
    """DF04: what the released stage begins with; those that only build may be anything."""
    name = facts.base.partition("@")[0]
    short = name.rpartition("/")[0] + "/" * ("/" in name) + name.rpartition("/")[2].partition(":")[0]
    if not any(fnmatchcase(each, pattern) for each in (name, short) for pattern in profile.bases):
        yield Fault(
            declared=f"FROM {facts.base} ({facts.file}:{facts.released[0].line})",
            effective="everything that is in there",
            instead=f"FROM one of {', '.join(profile.bases)}",
        )


def secrets(facts: Dockerfile, _profile: Profile) -> Iterator[Fault]:
    """DF05: an ARG stands in the history as well."""
    for each in facts.instructions:
        if each.keyword in ("ENV", "LABEL"):
            found = list(
                secret_patterns.in_environment(tuple(f"{k}={v}" for k, v in assignments(each.text).items()))
            )
        elif each.keyword == "ARG":
            found = [
                name
                for name in (word.partition("=")[0] for word in each.words)
                if secret_patterns.is_secret_name(name)
            ]
        elif each.keyword in ("COPY", "ADD"):
            found = [
                word
                for word in each.words[:-1]
                if secret_patterns.is_secret_file(word) or word.endswith(".pem")
            ]
        else:
            found = list(secret_patterns.in_text(each.text)) if each.keyword == "RUN" else []
        for name in found:
            yield Fault(
                declared=f"{each.keyword} {name}{_at(facts, each)}", effective="whoever has the image has it"
            )


def unchecked(facts: Dockerfile, _profile: Profile) -> Iterator[Fault]:
    """DF06: in every stage, because what is built from it is released."""
    for stage in facts.stages:
        for each in stage.instructions:
            if each.keyword in ("RUN", "ENV", "ARG") and (found := _UNCHECKED.search(each.text)):
                words = " ".join(found[0].split())[-60:]
                yield Fault(
                    declared=f"{words}{_at(facts, each)}", effective="anybody on the way can change it"
                )


def passwords(facts: Dockerfile, _profile: Profile) -> Iterator[Fault]:
    """DF07."""
    for each in _runs(facts):
        if found := re.search(r"(?:^|[\s;&|(])(sudo|chpasswd)(?:\s|$)", each.text):
            yield Fault(declared=f"RUN … {found[1]}{_at(facts, each)}", effective="a way to root that stays")


def unpinned_packages(facts: Dockerfile, _profile: Profile) -> Iterator[Fault]:
    """DF08."""
    for each in _runs(facts):
        packages = list(_installed(each.text))
        if re.search(r"apt(?:-get)?\s+(?:-\S+\s+)*update", each.text) and not _INSTALL.search(each.text):
            yield Fault(
                declared=f"RUN apt-get update alone{_at(facts, each)}", effective="an old list from the cache"
            )
        if loose := [package for package in packages if not _PINNED.search(package)]:
            yield Fault(
                declared=f"RUN … install {' '.join(loose[:4])}{_at(facts, each)}",
                effective="other versions tomorrow",
            )


def additions(facts: Dockerfile, _profile: Profile) -> Iterator[Fault]:
    """DF09: ADD unpacks and downloads; COPY only copies."""
    for each in facts.instructions:
        if each.keyword == "ADD":
            remote = [word for word in each.words[:-1] if re.match(r"[a-z+]+://|git@", word)]
            plain = [word for word in each.words[:-1] if word not in remote and not word.endswith(_ARCHIVES)]
            checked = any(flag.startswith("--checksum=") for flag in each.flags)
            if plain or (remote and not checked):
                effective = "a download that nobody checks" if remote and not checked else "more than a copy"
                yield Fault(declared=f"ADD {(remote or plain)[0]}{_at(facts, each)}", effective=effective)


def shell_form(facts: Dockerfile, _profile: Profile) -> Iterator[Fault]:
    """DF10: /bin/sh is process 1 then, and passes no signal on."""
    for keyword in ("ENTRYPOINT", "CMD"):
        each = facts.last(keyword)
        if each is not None and not each.exec_form and each.text.replace(" ", "") != "[]":
            yield Fault(
                declared=f"{keyword} {each.text[:60]}{_at(facts, each)}", effective="/bin/sh -c is process 1"
            )


def build_tools(facts: Dockerfile, _profile: Profile) -> Iterator[Fault]:
    """DF11: one stage is enough for what only copies FROM scratch."""
    if len(facts.stages) == 1 and facts.base != "scratch":
        yield Fault(declared="one FROM", effective="what was needed to build is still there")
    for each in _runs(facts):
        if tools := [package for package in _installed(each.text) if _BUILDS.match(package)]:
            yield Fault(
                declared=f"RUN … install {' '.join(tools[:4])}{_at(facts, each)}",
                effective="a compiler for whoever gets in",
            )


def healthcheck(facts: Dockerfile, profile: Profile) -> Iterator[Fault]:
    """DF12: not for images that only Kubernetes runs, which has probes of its own."""
    if profile.kubernetes_only:
        return
    each = facts.last("HEALTHCHECK")
    if each is None or each.text.upper() == "NONE":
        yield Fault(
            declared="HEALTHCHECK NONE" if each else "nothing", effective="nobody asks whether it works"
        )
        return
    command = re.sub(r"^(?:--\S+\s+)*CMD\s*", "", each.text, flags=re.IGNORECASE)
    if not command.startswith("["):
        yield Fault(declared=f"HEALTHCHECK {each.text[:60]}{_at(facts, each)}", effective="it needs a shell")


def places(facts: Dockerfile, _profile: Profile) -> Iterator[Fault]:
    """DF13."""
    for each in facts.instructions:
        if each.keyword == "EXPOSE" and {"22", "22/tcp"} & set(each.words):
            yield Fault(
                declared=f"EXPOSE 22{_at(facts, each)}", effective="a login", instead="no sshd at all"
            )
        elif each.keyword == "WORKDIR" and not re.match(r"[\"']?(?:/|\$|[A-Za-z]:)", each.text):
            yield Fault(
                declared=f"WORKDIR {each.text}{_at(facts, each)}", effective="depends on the stage before"
            )


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "DF01": user,
        "DF02": untagged,
        "DF03": unpinned,
        "DF04": base,
        "DF05": secrets,
        "DF06": unchecked,
        "DF07": passwords,
        "DF08": unpinned_packages,
        "DF09": additions,
        "DF10": shell_form,
        "DF11": build_tools,
        "DF12": healthcheck,
        "DF13": places,
    }
)
"""DF14, what hadolint says, is no function of the stages: `hadolint.py`."""


def _from_elsewhere(facts: Dockerfile) -> Iterator[Stage]:
    for stage in facts.stages:
        if stage.parent is None and stage.base != "scratch":
            yield stage


def _is_moving(base: str) -> bool:
    tag = base.rpartition("/")[2].partition("@")[0].partition(":")[2]
    return tag == "latest" or not (tag or "@sha256:" in base)


def _runs(facts: Dockerfile) -> Iterator[Instruction]:
    return (each for each in facts.instructions if each.keyword == "RUN")


def _installed(text: str) -> Iterator[str]:
    """Yield the packages that a command installs, without options and their values."""
    for words in _INSTALL.findall(text):
        previous = ""
        for word in words.replace("\\", " ").split():
            if not word.startswith(("-", "$", ">")) and previous not in _TAKES_VALUE:
                yield word.strip("\"'")
            previous = word


def _at(facts: Dockerfile, instruction: Instruction | None) -> str:
    return f" ({facts.file}:{instruction.line})" if instruction else ""
