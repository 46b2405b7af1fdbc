"""What attributes of AWS resources have to be, as a table, and the rules that come of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from release_gates.probes.terraform.plan import Plan, Resource
from release_gates.probes.terraform.rule import Doubt, Fault
from release_gates.probes.terraform.settings import TerraformSettings, fits
from release_gates.probes.terraform.values import Not, at


@dataclass(frozen=True, slots=True)
class Want:
    """What a value has to be; ``holds`` tells, ``unset`` whether the provider's own default is as good."""

    text: str
    holds: Callable[[Any, TerraformSettings], bool]
    unset: bool = False


ON = Want("true", lambda value, _: value in (True, "true"))
OFF = Want("false", lambda value, _: value in (False, "false"), unset=True)
REQUIRED = Want('"required"', lambda value, _: value == "required")
ENABLED = Want('"Enabled"', lambda value, _: value == "Enabled")
KMS = Want('"KMS"', lambda value, _: value == "KMS")
TLS = Want('"TLS"', lambda value, _: value == "TLS")
SECRETS = Want('with "secrets"', lambda value, _: isinstance(value, list) and "secrets" in value)
KEPT = Want(
    "as many days as `backup_days` or more",
    lambda value, settings: (
        isinstance(value, int) and not isinstance(value, bool) and value >= settings.backup_days
    ),
)

DATABASES = ("aws_db_instance", "aws_rds_cluster", "aws_docdb_cluster", "aws_neptune_cluster")
ROWS: dict[str, tuple[tuple[tuple[str, ...], str, Want], ...]] = {
    "TF02": (
        (DATABASES, "deletion_protection", ON),
        ((*DATABASES, "aws_redshift_cluster"), "skip_final_snapshot", OFF),
        (("aws_dynamodb_table",), "deletion_protection_enabled", ON),
        (("aws_s3_bucket",), "force_destroy", OFF),
        (("aws_ecr_repository",), "force_delete", OFF),
        (("aws_lb",), "enable_deletion_protection", ON),
    ),
    "TF04": (
        (("aws_instance",), "associate_public_ip_address", OFF),
        (("aws_launch_template",), "network_interfaces.*.associate_public_ip_address", OFF),
        (("aws_subnet", "aws_default_subnet"), "map_public_ip_on_launch", OFF),
        (("aws_db_instance", "aws_rds_cluster_instance"), "publicly_accessible", OFF),
        (("aws_redshift_cluster", "aws_mq_broker"), "publicly_accessible", OFF),
        (("aws_eks_cluster",), "vpc_config.+.endpoint_public_access", Want(OFF.text, OFF.holds)),
        (("aws_lb",), "internal", ON),
    ),
    "TF05": tuple(
        (("aws_s3_bucket_public_access_block", "aws_s3_account_public_access_block"), name, ON)
        for name in (
            "block_public_acls",
            "block_public_policy",
            "ignore_public_acls",
            "restrict_public_buckets",
        )
    ),
    "TF06": (
        (DATABASES, "storage_encrypted", ON),
        (("aws_ebs_volume", "aws_efs_file_system", "aws_redshift_cluster"), "encrypted", ON),
        (("aws_instance",), "root_block_device.+.encrypted", ON),
        (("aws_instance",), "ebs_block_device.*.encrypted", ON),
        (("aws_launch_template",), "block_device_mappings.*.ebs.+.encrypted", ON),
        (("aws_elasticache_replication_group",), "at_rest_encryption_enabled", ON),
        (("aws_kinesis_stream",), "encryption_type", KMS),
        (("aws_eks_cluster",), "encryption_config.+.resources", SECRETS),
    ),
    "TF07": (
        (("aws_elasticache_replication_group",), "transit_encryption_enabled", ON),
        (("aws_msk_cluster",), "encryption_info.+.encryption_in_transit.+.client_broker", TLS),
    ),
    "TF08": (
        (DATABASES, "backup_retention_period", KEPT),
        (("aws_redshift_cluster",), "automated_snapshot_retention_period", KEPT),
        (("aws_elasticache_replication_group",), "snapshot_retention_limit", KEPT),
        (("aws_dynamodb_table",), "point_in_time_recovery.+.enabled", ON),
        (("aws_s3_bucket_versioning",), "versioning_configuration.+.status", ENABLED),
    ),
    "TF17": (
        (("aws_instance", "aws_launch_template"), "metadata_options.+.http_tokens", REQUIRED),
        (("aws_kms_key",), "enable_key_rotation", ON),
    ),
}
"""Rule -> types, the place in them, and what has to be there."""


def attribute_faults(rule: str, plan: Plan, settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """Yield what the table's rows of a rule find."""
    for types, path, want in ROWS.get(rule, ()):
        for resource in plan.planned:
            if resource.type in types and not (rule == "TF04" and _exposed(resource, settings)):
                yield from _judged(resource, path, want, settings)


def kinds() -> frozenset[str]:
    """Return the types that the table knows."""
    return frozenset(one for rows in ROWS.values() for types, _, _ in rows for one in types)


def unknown_value(address: str, place: str) -> Doubt:
    """Return the doubt about a value that is known only once the plan was applied."""
    return Doubt(address, place, f"it is {Not.KNOWN.value}; write it into the sources")


def _exposed(resource: Resource, settings: TerraformSettings) -> bool:
    return any(fits(pattern, resource.address) for pattern in settings.exposed)


def _judged(
    resource: Resource, path: str, want: Want, settings: TerraformSettings
) -> Iterator[Fault | Doubt]:
    for found in at(resource, path):
        if found.value is Not.KNOWN:
            yield unknown_value(resource.address, found.place)
        elif found.value is Not.THERE and "." not in path:
            yield Doubt(resource.address, found.place, "this version of the provider has no such attribute")
        elif found.value is Not.THERE:
            yield Fault(resource.address, found.place, "not there", f"{path} = {want.text}")
        elif found.value is None and not want.unset:
            yield Fault(resource.address, found.place, "not set", want.text)
        elif found.value is not None and not want.holds(found.value, settings):
            yield Fault(resource.address, found.place, repr(found.value)[:40], want.text)
