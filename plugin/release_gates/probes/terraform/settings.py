"""What policy may say about infrastructure as code, as ``[gate.terraform.terraform]``."""

from __future__ import annotations

import fnmatch
from datetime import date

import msgspec

from release_gates.model.rule import check_names, check_reasons
from release_gates.model.severity import Severity
from release_gates.probes.terraform.catalogue import CATALOGUE


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of policy; a key that is not known is a mistake."""


class Exemption(Part, frozen=True, kw_only=True):
    """One rule that does not hold for some addresses: who says so, why, and its last day."""

    rule: str
    address: str
    because: str
    owner: str
    until: date

    def __post_init__(self) -> None:
        check_names(CATALOGUE, "exempt", [self.rule])
        if len(self.because.split()) < 2 or not (self.owner.strip() and self.address.strip(" *.")):
            raise ValueError(
                f"exempt {self.rule}: address and owner say something, because says in words why"
            )

    def covers(self, rule: str, address: str) -> bool:
        """Tell whether it is about that rule and address."""
        return rule == self.rule and fits(self.address, address)


class TerraformSettings(Part, frozen=True, kw_only=True):
    """Which plan is judged, and how.

    ``plan`` names the candidate's artifact that ``terraform show -json`` wrote, ``folder`` its sources below
    the root. ``saved`` names the artifact that ``terraform plan -out`` wrote: its copy of the sources is
    compared with the folder byte by byte; without it no source may be younger than the plan. A plan counts
    for ``plan_hours``. ``protected`` are patterns of addresses that must not be destroyed, beside what holds
    state by its type. ``open_ports`` maps patterns of addresses to ports that anybody may reach, ``exposed``
    are addresses that may have a public address or endpoint, ``kinds`` are types that no rule knows and that
    are accepted unjudged, ``providers`` patterns of those that may be used (default: any, if it is pinned),
    such as ``registry.terraform.io/hashicorp/*``. ``program`` is Terraform or OpenTofu, which
    ``check_sources`` asks whether the sources are formatted, and whether they are valid where ``validate`` is
    on. Backups are kept for ``backup_days`` at least. ``off`` maps a rule to why it is not asked.
    ``fails_from`` is the mildest severity that fails; milder findings are counted as tolerated.
    Raises ValueError for a rule that nobody knows, or that is off without a reason, and for bad values.
    """

    plan: str
    folder: str
    saved: str = ""
    plan_hours: float = 168.0
    protected: list[str] = []
    open_ports: dict[str, list[int]] = {}
    exposed: list[str] = []
    kinds: list[str] = []
    providers: list[str] = []
    program: str = ""
    validate: bool = False
    backup_days: int = 7
    off: dict[str, str] = {}
    severity: dict[str, Severity] = {}
    fails_from: Severity = Severity.MEDIUM
    exempt: list[Exemption] = []

    def __post_init__(self) -> None:
        check_names(CATALOGUE, "off", self.off)
        check_names(CATALOGUE, "severity", self.severity)
        check_reasons("off", self.off)
        if not CATALOGUE.keys() - self.off.keys():
            raise ValueError("off: every rule is off, and judging nothing is no pass")
        if not self.plan or not self.folder or self.folder.startswith("/") or ".." in self.folder.split("/"):
            raise ValueError("plan names an artifact, folder one below the root of the suite")
        if self.validate and not self.program:
            raise ValueError('validate = true needs a program, such as "terraform"')
        if not 0 < self.plan_hours <= 24 * 366:
            raise ValueError(f"plan_hours = {self.plan_hours:g}: must be above 0 and at most {24 * 366}")
        if not 1 <= self.backup_days <= 3650:
            raise ValueError(f"backup_days = {self.backup_days}: must be from 1 to 3650")
        for pattern in (*self.protected, *self.open_ports, *self.exposed, *self.kinds, *self.providers):
            if not pattern.strip(" *."):
                raise ValueError(f"{pattern!r} stands for everything: name addresses or types")
        for pattern, ports in self.open_ports.items():
            if not ports or not all(0 < port < 65536 for port in ports):
                raise ValueError(f"open_ports.{pattern}: ports are from 1 to 65535")


def fits(pattern: str, address: str) -> bool:
    """Tell whether a pattern is about an address; ``[`` stands for itself, as in ``aws_subnet.a[0]``."""
    return fnmatch.fnmatchcase(address, pattern.replace("[", "[[]"))
