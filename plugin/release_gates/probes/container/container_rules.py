"""The rules of running containers (CR): each a pure function of facts and profile."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from release_gates.model.rule import Undecided
from release_gates.probes.container import secret_patterns
from release_gates.probes.container.capabilities import ALL, WORST, listed, of_mask
from release_gates.probes.container.container_facts import ContainerFacts, Effective, Mount
from release_gates.probes.container.profile import Profile
from release_gates.probes.container.rule import Fault

Check = Callable[[ContainerFacts, Profile], Iterator[Fault]]

_SOCKETS = (
    "docker.sock",
    "containerd.sock",
    "crio.sock",
    "podman.sock",
    "cri-dockerd.sock",
    "dockershim.sock",
)
_SENSITIVE = ("/etc", "/proc", "/sys", "/boot", "/dev", "/usr", "/lib", "/lib64", "/root", "/bin", "/sbin")
_COMMANDING = ("/run/systemd", "/run/dbus", "/var/run/systemd", "/var/run/dbus", "/var/spool/cron")
_SOCKET_FOLDERS = ("/run", "/var/run", "/run/docker", "/run/containerd", "/var/run/docker", "/run/podman")
_STATE_FOLDERS = ("/var/lib/docker", "/var/lib/containerd", "/var/lib/kubelet")
_UNLIMITED = 1 << 60
_TOOTHLESS = (" (complain)", " (unconfined)", " (mixed)")
"""Modes in which AppArmor forbids nothing, or not to all."""
RESTARTS = 5
"""More restarts than that are a storm of reconnects at the exchange."""


def privileged(facts: ContainerFacts, _profile: Profile) -> Iterator[Fault]:
    """CR01."""
    if facts.privileged:
        yield Fault(declared="privileged: true", effective="every capability, every device, no seccomp")


def dropped(facts: ContainerFacts, _profile: Profile) -> Iterator[Fault]:
    """CR02: also where CapEff is 0, because a program of another user regains what CapBnd allows."""
    declared = f"cap_drop: [{listed(facts.cap_drop)}]" if facts.cap_drop else "no cap_drop"
    if ALL not in facts.cap_drop:
        init = facts.init
        bounding = f"CapBnd {init.cap_bounding:016x}" if init else "the engine's default capabilities"
        yield Fault(declared=declared, effective=bounding)
        return
    left = frozenset().union(*(of_mask(each.cap_bounding) for each in _effective(facts).processes))
    if ALL not in facts.cap_add and (extra := left - facts.cap_add):
        yield Fault(declared=declared, effective=f"CapBnd still allows {listed(extra)}", by_effect=True)


def added(facts: ContainerFacts, profile: Profile) -> Iterator[Fault]:
    """CR03: one fault for all names; a name that leads out of the container is named first."""
    if extra := facts.cap_add - profile.caps:
        worst = extra & WORST
        known = (
            f"which leads out of the container: {listed(worst)}" if worst else f"{listed(extra)} may be used"
        )
        yield Fault(declared=f"cap_add: [{listed(extra)}]", effective=known)


def readonly(facts: ContainerFacts, _profile: Profile) -> Iterator[Fault]:
    """CR04: by an attempt to write, whatever was declared."""
    declared = f"read_only: {str(facts.readonly_root).lower()}"
    if facts.effective is not None and facts.effective.root_writable:
        yield Fault(
            declared=declared, effective="a file could be created in /", by_effect=facts.readonly_root
        )
    elif not facts.readonly_root:
        yield Fault(declared=declared, effective="nothing forbids to write to /")
    else:
        _effective(facts)


def no_new_privileges(facts: ContainerFacts, _profile: Profile) -> Iterator[Fault]:
    """CR05: by the kernel's bit, because `no-new-privileges:false` holds the word and does nothing."""
    said = [
        option
        for option in facts.security_opt
        if option.partition(":")[0].partition("=")[0] == "no-new-privileges"
    ]
    on = any(
        option in ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true") for option in said
    )
    declared = f"security_opt: [{', '.join(said)}]" if said else "nothing"
    if facts.effective is None and not on:
        yield Fault(declared=declared, effective="nothing switches it on")
    elif not all(each.no_new_privileges for each in _effective(facts).processes):
        yield Fault(declared=declared, effective="NoNewPrivs 0", by_effect=on)


def seccomp(facts: ContainerFacts, _profile: Profile) -> Iterator[Fault]:
    """CR06: seccomp mode 2 is a filter; 0 is none."""
    said = [option for option in facts.security_opt if option.replace(":", "=", 1).startswith("seccomp=")]
    open_ = any(option.replace(":", "=", 1) == "seccomp=unconfined" for option in said)
    declared = (
        f"security_opt: [{', '.join(option[:40] for option in said)}]"
        if said
        else "the engine's default profile"
    )
    if open_:
        yield Fault(declared=declared, effective="no filter")
    elif any(_allows_by_default(option) for option in said):
        yield Fault(declared=declared, effective="what the profile does not name is allowed")
    elif any(each.seccomp != 2 for each in _effective(facts).processes):
        yield Fault(declared=declared, effective="Seccomp 0: no filter is active", by_effect=True)


def apparmor(facts: ContainerFacts, _profile: Profile) -> Iterator[Fault]:
    """CR07: on hosts that have AppArmor."""
    said = [option for option in facts.security_opt if option.replace(":", "=", 1).startswith("apparmor=")]
    if any(option.endswith("unconfined") for option in said) or facts.apparmor == "unconfined":
        yield Fault(
            declared=f"security_opt: [{', '.join(said) or 'apparmor=unconfined'}]", effective="unconfined"
        )
    elif facts.host_has_apparmor:
        label = _effective(facts).apparmor
        if not label or label == "unconfined" or label.endswith(_TOOTHLESS):
            yield Fault(declared=facts.apparmor or "nothing", effective=label or "no profile", by_effect=True)


def root(facts: ContainerFacts, _profile: Profile) -> Iterator[Fault]:
    """CR08: any process, any of its four uids; also an entrypoint that gives root up later began as root."""
    declared = f'user: "{facts.user}"' if facts.user else "no user"
    if facts.effective is None and _is_root_name(facts.user):
        yield Fault(declared=declared, effective="uid 0")
        return
    processes = _effective(facts).processes
    if any(0 in each.uids for each in processes):
        yield Fault(
            declared=declared, effective=f"uid 0 in {sum(0 in each.uids for each in processes)} processes"
        )
    elif _is_root_name(facts.user):
        now = processes[0].uids[1]
        yield Fault(
            declared=declared, effective=f"it began as uid 0, gave it up for {now}; `exec` is root still"
        )


def root_group(facts: ContainerFacts, _profile: Profile) -> Iterator[Fault]:
    """CR09: a user without a group gets gid 0."""
    declared = f'user: "{facts.user}"' + (
        f", group_add: [{', '.join(facts.group_add)}]" if facts.group_add else ""
    )
    if facts.effective is None and (
        ":" not in facts.user or {"0", "root"} & {*facts.group_add, facts.user.partition(":")[2]}
    ):
        yield Fault(declared=declared, effective="group 0, as far as the declaration tells")
    elif any(0 in (*each.gids, *each.groups) for each in _effective(facts).processes):
        init = _effective(facts).processes[0]
        yield Fault(
            declared=declared,
            effective=f"gid {init.gids[1]}, groups {', '.join(map(str, init.groups)) or 'none'}",
        )


def memory(facts: ContainerFacts, _profile: Profile) -> Iterator[Fault]:
    """CR10: limits of the cgroup; swap is allowed to be unlimited where the host has none."""
    if facts.memory <= 0:
        yield Fault(declared="no mem_limit", effective="all memory of the host")
    elif facts.effective and 0 < facts.effective.memory_of_host <= facts.memory:
        yield Fault(
            declared=f"mem_limit: {facts.memory}",
            effective=f"all memory of the host, which has {facts.effective.memory_of_host} bytes",
        )
    elif facts.memory_swap != facts.memory:
        swap = "without a limit" if facts.memory_swap <= 0 else f"{facts.memory_swap} bytes with swap"
        yield Fault(declared=f"mem_limit: {facts.memory}, memswap_limit: {facts.memory_swap}", effective=swap)
    else:
        now = _effective(facts)
        if now.memory_limit is None or now.memory_limit > facts.memory:
            yield Fault(
                declared=f"mem_limit: {facts.memory}",
                effective=f"the cgroup allows {_bytes(now.memory_limit)}",
                by_effect=True,
            )
        elif now.swap_on_host and (now.swap_limit is None or now.swap_limit > facts.memory_swap):
            yield Fault(
                declared=f"memswap_limit: {facts.memory_swap}",
                effective=f"the cgroup allows {_bytes(now.swap_limit)} with swap",
                by_effect=True,
            )


def pids(facts: ContainerFacts, _profile: Profile) -> Iterator[Fault]:
    """CR11."""
    if facts.pids_limit <= 0:
        yield Fault(declared="no pids_limit", effective="as many processes as the host has room for")
    elif (limit := _effective(facts).pids_limit) is None or limit > facts.pids_limit:
        yield Fault(
            declared=f"pids_limit: {facts.pids_limit}",
            effective=f"the cgroup allows {limit or 'any number'}",
            by_effect=True,
        )


def cpu(facts: ContainerFacts, profile: Profile) -> Iterator[Fault]:
    """CR12: a profile with cores of its own wants a cpuset, any other one some bound."""
    declared = f"cpus: {facts.nano_cpus / 1e9:g}, cpu_quota: {facts.cpu_quota}, cpuset: {facts.cpuset!r}"
    if profile.pinned_cpus and not facts.cpuset:
        yield Fault(
            declared=declared, effective="it runs on every core, and others on its", instead='cpuset: "2-3"'
        )
    elif not (facts.nano_cpus > 0 or facts.cpu_quota > 0 or facts.cpuset or facts.cpu_shares > 0):
        yield Fault(declared="no cpus, cpuset or cpu_shares", effective="all cores of the host")
    else:
        now = _effective(facts)
        if facts.cpuset and not now.cpus:
            raise Undecided("the cgroup does not say which CPUs it allows")
        if facts.cpuset and _cpus(now.cpus) - _cpus(facts.cpuset):
            yield Fault(
                declared=f"cpuset: {facts.cpuset!r}",
                effective=f"the cgroup allows {now.cpus}",
                by_effect=True,
            )
        elif (facts.nano_cpus > 0 or facts.cpu_quota > 0) and now.cpu_quota is None:
            yield Fault(declared=declared, effective="the cgroup has no quota", by_effect=True)


def host_modes(facts: ContainerFacts, profile: Profile) -> Iterator[Fault]:
    """CR13: the host's, or another container's: who is in there sees its traffic, processes or memory."""
    for key, mode in facts.modes.items():
        if mode == "host" and key not in profile.host_modes:
            yield Fault(declared=f"{key.lower()} mode: host", effective=f"the host's {key.lower()} namespace")
        kind, _, other = mode.partition(":")
        if kind in ("container", "ns") and key not in profile.joined_modes | profile.host_modes:
            yield Fault(
                declared=f"{key.lower()} mode: {kind}:{other[:12]}",
                effective=f"the {key.lower()} namespace of another",
                instead=f"no {key.lower()} mode, or joined_modes = ['{key}'] in policy for a sidecar",
            )


def engine_socket(facts: ContainerFacts, _profile: Profile) -> Iterator[Fault]:
    """CR14: the socket itself, or the folder that it lies in."""
    for mount in facts.mounts:
        if found := next((path for path in mount.paths if _has_socket(path, facts.engine_socket)), None):
            yield Fault(declared=_shown(mount, found), effective="whoever is inside commands the host")
    _check_seen(facts)


def sensitive_mounts(facts: ContainerFacts, profile: Profile) -> Iterator[Fault]:
    """CR15: by normal path; the files that the engine itself mounts are no mounts of the inspection."""
    for mount in facts.mounts:
        bad = [path for path in mount.paths if _is_sensitive(path) and path not in profile.mounts]
        if bad and mount.source not in profile.mounts:
            can = "can be written" if mount.writable else "can be read"
            yield Fault(declared=_shown(mount, bad[0]), effective=f"{bad[0]} of the host {can}")
    if facts.masked is None:
        raise Undecided("the engine does not say whether it masks /proc and /sys")
    if not facts.masked:
        yield Fault(
            declared="security_opt: [systempaths=unconfined]",
            effective="/proc and /sys are open where they command the host",
            instead="security_opt without it",
            by_effect=True,
        )
    _check_seen(facts)


def _check_seen(facts: ContainerFacts) -> None:
    """Raise ``Undecided`` where nobody knows what of the host a mount shows: a link may lead anywhere."""
    for mount in facts.mounts:
        if mount.unseen:
            raise Undecided(f"{_shown(mount, mount.source)}: {mount.unseen}")


def propagation(facts: ContainerFacts, _profile: Profile) -> Iterator[Fault]:
    """CR16."""
    for mount in facts.mounts:
        if mount.propagation in ("shared", "rshared"):
            yield Fault(
                declared=f"{_shown(mount, mount.source)}, propagation {mount.propagation}",
                effective="its mounts appear on the host",
            )


def devices(facts: ContainerFacts, profile: Profile) -> Iterator[Fault]:
    """CR17."""
    if extra := [device for device in facts.devices if device not in profile.devices]:
        yield Fault(declared=f"devices: [{', '.join(extra[:6])}]", effective="raw access to them")


def ports(facts: ContainerFacts, _profile: Profile) -> Iterator[Fault]:
    """CR18: published to everybody or below 1024, and listening sockets that the image does not expose."""
    for port in facts.ports:
        place = f"{port.host_ip or 'every address'}:{port.host_port or 'any'}"
        if port.host_ip in ("", "0.0.0.0", "::", "[::]"):
            yield Fault(declared=f"ports: {place}:{port.port}", effective="open on every address of the host")
        elif 0 < port.host_port < 1024:
            yield Fault(declared=f"ports: {place}:{port.port}", effective="a privileged port of the host")
    if facts.modes.get("Network") == "host":
        return
    if extra := _effective(facts).listening - facts.exposed:
        shown = ", ".join(map(str, sorted(extra)))
        exposed = ", ".join(map(str, sorted(facts.exposed))) or "nothing"
        yield Fault(
            declared=f"EXPOSE {exposed}",
            effective=f"it listens on {shown}",
            instead="EXPOSE, or do not listen",
        )


def restarts(facts: ContainerFacts, _profile: Profile) -> Iterator[Fault]:
    """CR19: for ever is a storm of reconnects at the exchange."""
    bounded = facts.restart == "on-failure" and 0 < facts.restart_most <= RESTARTS
    if facts.restart != "no" and not bounded:
        most = f":{facts.restart_most}" if facts.restart_most else ""
        yield Fault(
            declared=f"restart: {facts.restart}{most}", effective=f"more than {RESTARTS} restarts in a row"
        )


def health(facts: ContainerFacts, _profile: Profile) -> Iterator[Fault]:
    """CR20."""
    if facts.health != "healthy":
        said = {"none": "no healthcheck", "starting": "a healthcheck"}.get(facts.health, "a healthcheck")
        now = {"none": "nobody asks it"}.get(facts.health, facts.health)
        yield Fault(declared=said, effective=now)


def secrets(facts: ContainerFacts, _profile: Profile) -> Iterator[Fault]:
    """CR21: values are never shown."""
    for name in secret_patterns.in_environment(facts.environment):
        yield Fault(declared=f"environment: {name}", effective="`docker inspect` and /proc show it")
    for name in secret_patterns.in_text(" ".join(facts.command)):
        yield Fault(declared=f"command: {name}", effective="`ps` shows it")


def released_image(facts: ContainerFacts, profile: Profile) -> Iterator[Fault]:
    """CR22: the id, or a digest of the registry, is the candidate's, and so is all that runs in there."""
    if not profile.released:
        raise Undecided("nobody said which image is released: name the candidate's image in the policy")
    digests = {
        facts.image_id.removeprefix("sha256:"),
        *(each.rpartition("sha256:")[2] for each in facts.image_digests),
    }
    if profile.released not in digests:
        yield Fault(
            declared=f"image: {facts.image_name}",
            effective=f"runs {facts.image_id[:19]}, the candidate's is sha256:{profile.released[:12]}",
            instead=f"image: …@sha256:{profile.released[:12]}…, and start it again",
        )
    elif facts.effective is not None and facts.effective.brought:
        yield Fault(
            declared=f"image: {facts.image_name}",
            effective=f"runs {', '.join(facts.effective.brought[:3])}, which a mount brings",
            instead="no mount over what the image runs",
            by_effect=True,
        )
    elif any(mount.kind in ("bind", "volume") for mount in facts.mounts):
        _effective(facts)


def ulimits(facts: ContainerFacts, profile: Profile) -> Iterator[Fault]:
    """CR23: what is in effect, because the engine's own default may do too."""
    if not profile.ulimits:
        return
    now = _effective(facts).ulimits
    for name, least in profile.ulimits.items():
        limit = now.get(name)
        said = facts.ulimits.get(name)
        declared = f"{name}: {said.hard}" if said else f"no {name}"
        if limit is None or (limit.hard != -1 and (least == -1 or limit.hard < least)):
            found = "unknown" if limit is None else f"{limit.hard}"
            yield Fault(declared=declared, effective=f"{name} {found}", instead=f"ulimits: {name}: {least}")


def placement(facts: ContainerFacts, profile: Profile) -> Iterator[Fault]:
    """CR24."""
    if facts.cgroup_parent:
        yield Fault(declared=f"cgroup_parent: {facts.cgroup_parent}", effective="limits of another cgroup")
    in_bridge = facts.modes.get("Network") in ("default", "bridge") or "bridge" in facts.networks
    if in_bridge and not profile.default_bridge:
        yield Fault(declared="no network", effective="the default bridge, with every other such container")


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "CR01": privileged,
        "CR02": dropped,
        "CR03": added,
        "CR04": readonly,
        "CR05": no_new_privileges,
        "CR06": seccomp,
        "CR07": apparmor,
        "CR08": root,
        "CR09": root_group,
        "CR10": memory,
        "CR11": pids,
        "CR12": cpu,
        "CR13": host_modes,
        "CR14": engine_socket,
        "CR15": sensitive_mounts,
        "CR16": propagation,
        "CR17": devices,
        "CR18": ports,
        "CR19": restarts,
        "CR20": health,
        "CR21": secrets,
        "CR22": released_image,
        "CR23": ulimits,
        "CR24": placement,
    }
)


def _effective(facts: ContainerFacts) -> Effective:
    if facts.effective is None or not facts.effective.processes:
        raise Undecided(facts.effective_absent or "what is in effect could not be read")
    return facts.effective


def _allows_by_default(option: str) -> bool:
    """Tell whether a profile lets pass what it does not name; the engine keeps its JSON in the option."""
    try:
        profile = json.loads(option.removeprefix("seccomp")[1:])
    except (ValueError, RecursionError):
        return False
    action = profile.get("defaultAction") if isinstance(profile, dict) else None
    return action in ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE")


def _is_root_name(user: str) -> bool:
    name = user.partition(":")[0].strip()
    return name in ("", "root") or (name.isdecimal() and int(name) == 0)


def _has_socket(path: str, own: str) -> bool:
    """Tell whether a path is an engine's socket, or a folder of one; whole trees are CR15's."""
    name = path.rpartition("/")[2]
    near = path != "/" and own.startswith(f"{path}/")
    return name in _SOCKETS or path in (*_SOCKET_FOLDERS, own) or (near and not _is_sensitive(path))


def _is_sensitive(source: str) -> bool:
    below = (*_SENSITIVE, *_STATE_FOLDERS, *_COMMANDING)
    return source in ("/", "/var", "/home", "/var/lib") or any(
        source == each or source.startswith(f"{each}/") for each in below
    )


def _shown(mount: Mount, path: str) -> str:
    """Return how a mount was declared, and the path of the host that it leads to where that is another."""
    leads = f", which is {path}" if path != mount.source else ""
    return f"volumes: {mount.source}:{mount.target}{'' if mount.writable else ':ro'}{leads}"


def _bytes(limit: int | None) -> str:
    return "any amount" if limit is None or limit >= _UNLIMITED else f"{limit} bytes"


def _cpus(text: str) -> frozenset[int]:
    """Return the numbers of a list such as ``0-2,5``."""
    found: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)
