"""Errors that people read. Each says what, where, got, expected, and what to do next.

Every slug has its paragraph in ``docs/messages.md``. This module imports nothing, so that any other may
import it.
"""

from __future__ import annotations


class GateError(Exception):
    """Base of every error that this package raises on purpose.

    Stores the parts and formats them in ``__str__``: the sentence, the remedy, the slug in brackets.
    """

    def __init__(self, message: str, *, slug: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.slug = slug
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.slug, self.hint))

    def __str__(self) -> str:
        hint = f" {self.hint}" if self.hint else ""
        return f"{self.message}{hint} [{self.slug}]"


def _rebuild(kind: type[GateError], message: str, slug: str, hint: str) -> GateError:
    return kind(message, slug=slug, hint=hint)


class PolicyError(GateError):
    """The policy in ``gates/`` cannot be read as it stands."""


class CandidateError(GateError):
    """``candidate.toml`` or an artifact that it names is absent, malformed or not what its digest says."""


class MeasurementError(GateError):
    """A value is not usable: not finite, of a wrong unit, named twice, from an unreadable report."""


class ProbeUnavailable(GateError):
    """What a probe needs (package, engine, program) is absent; the hint is the command that brings it."""


class HostBusy(GateError):
    """A test did not get the host, alone or beside others: who has it, and for how long."""


class LedgerError(GateError):
    """The ledger is absent, damaged, on unfit storage, or refuses an event."""


class EvidenceError(GateError):
    """An evidence file is absent, torn, edited or of another schema."""


class PromotionRefused(GateError):
    """No promotion: what is missing for it."""


class TrustError(GateError):
    """A key, a signature or what it was set to is not what ``gates/trust.toml`` asks for."""


class DeployError(GateError):
    """A step of a deployment failed, or what is live cannot be read back."""


class LiveDiffers(DeployError):
    """What is live was read back, and is not what it should be."""
