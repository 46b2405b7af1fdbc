"""What policy may say to the container probe, as ``[gate.container.container]``."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import msgspec

from release_gates.model.rule import check_names, check_reasons
from release_gates.model.severity import Action, Severity, parse_action
from release_gates.probes.container.capabilities import normal
from release_gates.probes.container.catalogue import CATALOGUE
from release_gates.probes.container.judging import Selection
from release_gates.probes.container.profile import PROFILES, Profile

HOST_MODES = ("Network", "Pid", "Ipc", "UTS", "Userns")


class ContainerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which image is judged, by which profile, and what it may do beyond it.

    ``image`` names the candidate's artifact of kind "oci", ``archive`` the one that ``docker load`` reads,
    ``dockerfile`` its Dockerfile, whose stage ``target`` is released; ``index`` and ``vulnerabilities`` what
    the pipeline made of it, the latter at most ``report_days`` old; ``builder`` the artifact of kind "oci"
    that is the image of the builder stage. "" is none. ``service`` are labels: every container that bears
    all of them ("" is any value) is judged, beside those that the suite names. ``off`` maps a rule to the
    reason why it is not asked. ``fails_from`` is the mildest severity that fails; milder findings are counted
    as tolerated. ``caps``, ``mounts``, ``devices``, ``host_modes`` and ``joined_modes`` are allowed beyond
    the profile; the others replace what it says. ``critical`` to ``low`` say what a known vulnerability does,
    as for findings; ``accepted`` maps one's id to the reason why it does nothing. ``signature`` names the
    artifact that `cosign download signature` wrote, ``signed_by`` the file of the public key in the policy
    folder. ``no_secrets`` maps patterns of paths to the reason why what looks like a secret there is public.
    Raises ValueError for a rule that nobody knows or that is off without a reason, and for bad values.
    """

    profile: Literal["service", "hft-engine"] = "service"
    image: str = "image"
    archive: str = ""
    dockerfile: str = ""
    target: str = ""
    index: str = ""
    vulnerabilities: str = ""
    builder: str = ""
    signature: str = ""
    signed_by: str = "cosign.pub"
    accepted: dict[str, str] = {}
    no_secrets: dict[str, str] = {}
    service: dict[str, str] = {}
    report_days: int = 7
    off: dict[str, str] = {}
    severity: dict[str, str] = {}
    fails_from: Literal["critical", "high", "medium", "low"] = "medium"
    caps: list[str] = []
    mounts: list[str] = []
    devices: list[str] = []
    host_modes: list[str] = []
    joined_modes: list[str] = []
    ulimits: dict[str, int] | None = None
    bases: list[str] | None = None
    platforms: list[str] | None = None
    size_budget_mib: float | None = None
    oldest_days: int | None = None
    default_bridge: bool = False
    kubernetes_only: bool = False
    critical: str = "block"
    high: str = "block"
    medium: str = "block after 30d"
    low: str = "note"

    def __post_init__(self) -> None:
        check_names(CATALOGUE, "off", self.off)
        check_names(CATALOGUE, "severity", self.severity)
        for key, reasons in (("off", self.off), ("accepted", self.accepted), ("no_secrets", self.no_secrets)):
            check_reasons(key, reasons)
        for rule, severity in self.severity.items():
            if severity not in list(Severity):
                raise ValueError(f"severity.{rule} = {severity!r}: must be one of {', '.join(Severity)}")
        for key, modes in (("host_modes", self.host_modes), ("joined_modes", self.joined_modes)):
            for mode in modes:
                if mode not in HOST_MODES:
                    raise ValueError(f"{key}: {mode!r} is none of {', '.join(HOST_MODES)}")
        for severity in Severity:
            self.action(severity)
        if not self.image:
            raise ValueError("image: must name an artifact of the candidate")
        if "" in self.service:
            raise ValueError("service: a label needs a name, as in {'com.docker.compose.service' = 'engine'}")
        if not 0 < self.report_days <= 366:
            raise ValueError(f"report_days = {self.report_days}: must be from 1 to 366")

    def action(self, severity: Severity) -> Action:
        """Return what policy does with a known vulnerability of that severity."""
        said = {"critical": self.critical, "high": self.high, "medium": self.medium, "low": self.low}
        return parse_action(severity, said[severity])

    def selection(self) -> Selection:
        """Return which rules are asked, and how bad they are."""
        severities = {rule: Severity(severity) for rule, severity in self.severity.items()}
        return Selection(off=self.off, severities=severities)

    def allowances(self, released: str, commit: str = "") -> Profile:
        """Return the profile with what policy says; ``released`` is the candidate's image digest.

        ``commit`` is the one that the candidate was made of, "" where nobody knows.
        """
        profile = PROFILES[self.profile]
        budget = self.size_budget_mib
        return replace(
            profile,
            caps=profile.caps | normal(self.caps),
            mounts=profile.mounts | frozenset(self.mounts),
            devices=profile.devices | frozenset(self.devices),
            host_modes=profile.host_modes | frozenset(self.host_modes),
            joined_modes=profile.joined_modes | frozenset(self.joined_modes),
            ulimits=profile.ulimits if self.ulimits is None else self.ulimits,
            bases=profile.bases if self.bases is None else tuple(self.bases),
            platforms=profile.platforms if self.platforms is None else tuple(self.platforms),
            size_budget=profile.size_budget if budget is None else int(budget * 1024**2),
            oldest_days=profile.oldest_days if self.oldest_days is None else self.oldest_days,
            default_bridge=self.default_bridge,
            kubernetes_only=self.kubernetes_only,
            released=released,
            commit=commit,
            no_secrets=tuple(self.no_secrets),
        )
