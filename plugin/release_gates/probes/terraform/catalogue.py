"""The catalogue of infrastructure as code: every rule with its severity and what to do."""

from __future__ import annotations

from release_gates.model.rule import Row, catalogue
from release_gates.model.severity import Severity

C, H, M, L = Severity

_ROWS: tuple[Row, ...] = (
    (
        *("TF01", C, "", "the plan destroys what must not be destroyed"),
        "take it out of the plan, or exempt this one address until a day",
    ),
    (
        *("TF02", H, "CKV_AWS_293, AVD-AWS-0177", "what holds state can be deleted by one command"),
        "switch deletion protection on, and final snapshots",
    ),
    (
        *("TF03", H, "CKV_AWS_24, CKV_AWS_25, AVD-AWS-0107", "anybody may connect"),
        "name the networks that may, or approve the port in `open_ports`",
    ),
    (
        *("TF04", H, "CKV_AWS_17, CKV_AWS_88, CKV_AWS_130", "it has a public address or endpoint"),
        "put it into a private subnet, or approve it in `exposed`",
    ),
    (
        *("TF05", C, "CKV_AWS_53 to 56, CKV_AWS_70", "what it holds can be made public"),
        "block public access, and name principals in its policy",
    ),
    (
        *("TF06", H, "CKV_AWS_3, CKV_AWS_16, AVD-AWS-0080", "it is not encrypted at rest"),
        "switch encryption on; an existing one has to be copied",
    ),
    (
        *("TF07", H, "CKV_AWS_2, CKV_AWS_30", "it is not encrypted in transit"),
        "ask for TLS",
    ),
    (
        *("TF08", H, "CKV_AWS_133, CKV_AWS_21, CKV_AWS_28", "it is not backed up long enough"),
        "keep backups or versions for as long as policy asks",
    ),
    (
        *("TF09", C, "CKV_AWS_62, CKV_AWS_63, CKV_AWS_274", "it gives more rights than a workload needs"),
        "name actions and resources",
    ),
    (
        *("TF10", H, "", "it was changed outside of Terraform"),
        "find out who changed it, then bring the change into the sources or undo it",
    ),
    ("TF11", H, "", "a check of its own does not hold", "mend what the check is about"),
    (
        *("TF12", M, "CKV_TF_3", "a provider is not pinned"),
        "give required_providers a version with an upper end, and commit .terraform.lock.hcl",
    ),
    (
        *("TF13", M, "CKV_TF_1, CKV_TF_2", "a module is not pinned"),
        "name an exact version, or ?ref= with a tag or commit",
    ),
    (
        *("TF14", H, "", "the state is not kept apart, encrypted and locked"),
        "configure a remote backend that encrypts and locks",
    ),
    (
        *("TF15", C, "CKV_SECRET_6", "a secret is readable in the plan"),
        "let the service make it (manage_master_user_password), or use write-only and ephemeral values; "
        "change the secret, because this plan was kept",
    ),
    (
        *("TF16", M, "", "no rule knows its type, so nobody judged it"),
        "bring in a scanner that does (`release-gates import sarif`), and accept the type in `kinds`",
    ),
    (
        *("TF17", M, "CKV_AWS_79, CKV_AWS_7", "a safe setting is off"),
        "ask for tokens of the metadata service (IMDSv2), and let keys rotate",
    ),
    (
        *("TF18", M, "", "a provisioner runs commands that no plan shows"),
        "use cloud-init or an image instead",
    ),
)

CATALOGUE = catalogue(_ROWS)
"""All rules by id, in the order in which people read them."""


def ids() -> tuple[str, ...]:
    """Return the ids of all rules, in order."""
    return tuple(CATALOGUE)
