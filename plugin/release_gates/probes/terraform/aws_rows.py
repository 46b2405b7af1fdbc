"""Attributes of AWS resources: https://registry.terraform.io/providers/hashicorp/aws/latest/docs."""

from __future__ import annotations

from release_gates.probes.terraform.wants import CLOSED, KEPT, OFF, ON, Rows, Want, one_of

SECRETS = Want('with "secrets"', lambda value, _: isinstance(value, list) and "secrets" in value)
DATABASES = ("aws_db_instance", "aws_rds_cluster", "aws_docdb_cluster", "aws_neptune_cluster")
BLOCKS = ("aws_s3_bucket_public_access_block", "aws_s3_account_public_access_block")
_MSK_ACCESS = "broker_node_group_info.*.connectivity_info.*.public_access.*.type"
ROWS: Rows = {
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
        (("aws_eks_cluster",), "vpc_config.+.endpoint_public_access", CLOSED),
        (("aws_lb",), "internal", ON),
        (("aws_msk_cluster",), _MSK_ACCESS, one_of("DISABLED")),
    ),
    "TF05": (
        (BLOCKS, "block_public_acls", ON),
        (BLOCKS, "block_public_policy", ON),
        (BLOCKS, "ignore_public_acls", ON),
        (BLOCKS, "restrict_public_buckets", ON),
    ),
    "TF06": (
        (DATABASES, "storage_encrypted", ON),
        (("aws_ebs_volume", "aws_efs_file_system", "aws_redshift_cluster"), "encrypted", ON),
        (("aws_instance",), "root_block_device.+.encrypted", ON),
        (("aws_instance",), "ebs_block_device.*.encrypted", ON),
        (("aws_launch_template",), "block_device_mappings.*.ebs.+.encrypted", ON),
        (("aws_elasticache_replication_group",), "at_rest_encryption_enabled", ON),
        (("aws_kinesis_stream",), "encryption_type", one_of("KMS")),
        (("aws_eks_cluster",), "encryption_config.+.resources", SECRETS),
    ),
    "TF07": (
        (("aws_elasticache_replication_group",), "transit_encryption_enabled", ON),
        (("aws_msk_cluster",), "encryption_info.+.encryption_in_transit.+.client_broker", one_of("TLS")),
    ),
    "TF08": (
        (DATABASES, "backup_retention_period", KEPT),
        (("aws_redshift_cluster",), "automated_snapshot_retention_period", KEPT),
        (("aws_elasticache_replication_group",), "snapshot_retention_limit", KEPT),
        (("aws_dynamodb_table",), "point_in_time_recovery.+.enabled", ON),
        (("aws_s3_bucket_versioning",), "versioning_configuration.+.status", one_of("Enabled")),
    ),
    "TF17": (
        (("aws_instance", "aws_launch_template"), "metadata_options.+.http_tokens", one_of("required")),
        (("aws_kms_key",), "enable_key_rotation", ON),
    ),
}
"""Rule -> types, the place in them, and what has to be there."""
