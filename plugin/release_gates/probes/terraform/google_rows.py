"""Attributes of Google's resources: https://registry.terraform.io/providers/hashicorp/google/latest/docs.

Disks, buckets and databases are encrypted at rest whatever one writes, so TF06 asks about few of them.
"""

from __future__ import annotations

from release_gates.probes.terraform.wants import CLOSED, KEPT, OFF, ON, SET, Rows, one_of

SQL = ("google_sql_database_instance",)
BUCKET = ("google_storage_bucket",)
CLUSTER = ("google_container_cluster",)
_ADDRESS = "settings.+.ip_configuration.+"
_BACKUP = "settings.+.backup_configuration.+"
ROWS: Rows = {
    "TF02": (
        ((*SQL, *CLUSTER, "google_bigquery_table", "google_spanner_database"), "deletion_protection", ON),
        ((*BUCKET, "google_spanner_instance"), "force_destroy", OFF),
        (("google_bigquery_dataset",), "delete_contents_on_destroy", OFF),
    ),
    "TF04": (
        (SQL, f"{_ADDRESS}.ipv4_enabled", CLOSED),
        (CLUSTER, "private_cluster_config.+.enable_private_nodes", ON),
        (CLUSTER, "private_cluster_config.+.enable_private_endpoint", ON),
    ),
    "TF05": (
        (BUCKET, "public_access_prevention", one_of("enforced")),
        (BUCKET, "uniform_bucket_level_access", ON),
    ),
    "TF06": ((CLUSTER, "database_encryption.+.state", one_of("ENCRYPTED")),),
    "TF07": (
        (SQL, f"{_ADDRESS}.ssl_mode", one_of("ENCRYPTED_ONLY", "TRUSTED_CLIENT_CERTIFICATE_REQUIRED")),
        (("google_redis_instance",), "transit_encryption_mode", one_of("SERVER_AUTHENTICATION")),
    ),
    "TF08": (
        (SQL, f"{_BACKUP}.enabled", ON),
        (SQL, f"{_BACKUP}.backup_retention_settings.+.retained_backups", KEPT),
        (BUCKET, "versioning.+.enabled", ON),
    ),
    "TF17": (
        (("google_kms_crypto_key",), "rotation_period", SET),
        (("google_redis_instance",), "auth_enabled", ON),
    ),
}
"""Rule -> types, the place in them, and what has to be there."""
