"""What policy may say about checkov, as ``[gate.NAME.checkov]``."""

from __future__ import annotations

import fnmatch
import re
from datetime import date
from typing import Literal

import msgspec

from release_gates.model.rule import check_reasons
from release_gates.model.severity import Severity

Framework = Literal["terraform", "terraform_plan", "kubernetes"]
CHECK = re.compile(r"CKV2?_[A-Z0-9]+_[0-9]+", re.ASCII)


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of policy; a key that is not known is a mistake."""


class Scan(Part, frozen=True, kw_only=True):
    """What is scanned: a folder or file below the root, or an artifact of the candidate."""

    framework: Framework
    folder: str = ""
    artifact: str = ""

    def __post_init__(self) -> None:
        if bool(self.folder) == bool(self.artifact):
            raise ValueError(f"scans: {self.framework} names either a folder or an artifact")
        if self.framework == "terraform" and self.artifact:
            raise ValueError("scans: terraform names a folder; an artifact is a terraform_plan")
        if self.framework == "terraform_plan" and self.folder:
            raise ValueError("scans: terraform_plan names an artifact that `terraform show -json` wrote")
        if self.folder.startswith("/") or ".." in self.folder.split("/"):
            raise ValueError(f"scans: {self.folder!r} must lie below the root of the suite")

    @property
    def place(self) -> str:
        """What is scanned, as messages name it."""
        return self.folder or self.artifact


class Acceptance(Part, frozen=True, kw_only=True):
    """One check that may find something in some resources: who says so, why, and its last day."""

    check: str
    resource: str
    because: str
    owner: str
    until: date

    def __post_init__(self) -> None:
        check_ids("accepted", self.check)
        if len(self.because.split()) < 2 or not (self.owner.strip() and self.resource.strip(" *.")):
            raise ValueError(
                f"accepted {self.check}: resource and owner say something, because says in words why"
            )

    def covers(self, check: str, resource: str) -> bool:
        """Tell whether it is about that check and resource; ``[`` stands for itself."""
        return check == self.check and fnmatch.fnmatchcase(resource, self.resource.replace("[", "[[]"))


class CheckovSettings(Part, frozen=True, kw_only=True):
    """Which checkov scans what, and what its findings weigh.

    ``program`` is a path below the root, an absolute one, or a name on the PATH; ``version`` the one that it
    has to be, exactly. ``severity`` gives a check a severity; without one it is that of our own rule for the
    same thing, else what checkov says (it says so with an account only), else ``otherwise``. ``off`` maps
    a check to why it is not asked. ``fails_from`` is the mildest severity that fails. A scan may take
    ``timeout_s``. Raises ValueError for what is no check, and for one that is off without a reason.
    """

    scans: list[Scan]
    program: str = "checkov"
    version: str = ""
    severity: dict[str, Severity] = {}
    otherwise: Severity = Severity.MEDIUM
    fails_from: Severity = Severity.MEDIUM
    off: dict[str, str] = {}
    accepted: list[Acceptance] = []
    timeout_s: float = 300.0

    def __post_init__(self) -> None:
        if not self.scans:
            raise ValueError("scans: name at least one: scanning nothing is no pass")
        if not self.program.strip():
            raise ValueError("program names checkov's own program")
        check_ids("severity", *self.severity)
        check_ids("off", *self.off)
        check_reasons("off", self.off)
        if not 0 < self.timeout_s <= 3600:
            raise ValueError(f"timeout_s = {self.timeout_s:g}: must be above 0 and at most 3600")


def check_ids(key: str, *checks: str) -> None:
    """Raise ValueError for what is no id of a check."""
    for check in checks:
        if not CHECK.fullmatch(check):
            raise ValueError(f"{key}.{check}: is no check; they are called CKV_AWS_24 or CKV2_K8S_6")
