"""What checks weigh, where policy says nothing: as our own rules for the same thing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from release_gates.model.severity import Severity

C, H, M, L = Severity
THEIRS: Mapping[str, Severity] = MappingProxyType(
    {"CRITICAL": C, "HIGH": H, "IMPORTANT": H, "MEDIUM": M, "MODERATE": M, "LOW": L, "INFO": L}
)
"""Severities as checkov writes them; it knows them with an account of its makers only."""


def _named(severity: Severity, family: str, numbers: Iterable[int]) -> Iterator[tuple[str, Severity]]:
    return ((f"{family}_{number}", severity) for number in numbers)


OURS: Mapping[str, Severity] = MappingProxyType(
    dict(
        (
            *_named(C, "CKV_AWS", (53, 54, 55, 56, 62, 63, 70, 274)),  # TF05, TF09
            *_named(H, "CKV_AWS", (2, 3, 16, 17, 21, 24, 25, 28, 30, 88, 130, 133, 293)),  # TF02 to TF08
            *_named(M, "CKV_AWS", (7, 79)),  # TF17
            *_named(M, "CKV_TF", (1, 2, 3)),  # TF12, TF13
            *_named(C, "CKV_SECRET", (6,)),  # TF15
            *_named(C, "CKV_K8S", (2, 16, 27, 39, 49, 157, 158)),  # PSS, PW07, RB01, RB05
            *_named(H, "CKV_K8S", (1, *range(3, 7), 8, 9, 11, 12, 13, *range(17, 21), 22, 23, 25, 28, 35)),
            *_named(H, "CKV_K8S", (155, 156)),  # RB06
            *_named(M, "CKV_K8S", (10, 14, 21, 26, 29, 30, 31, 37, 38, 41, 42, 43)),
            *_named(L, "CKV_K8S", (15, 40)),
            *_named(C, "CKV2_K8S", (1, 3)),  # RB05
            *_named(H, "CKV2_K8S", (2, 5, 6)),  # RB03, RB04, NP01
        )
    )
)
"""Check -> severity of our rule that asks the same; a test compares them with the catalogue of Terraform."""
