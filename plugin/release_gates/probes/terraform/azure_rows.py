"""Attributes of Azure's resources: https://registry.terraform.io/providers/hashicorp/azurerm/latest/docs.

Disks and storage accounts are encrypted at rest whatever one writes, so TF06 asks about few of them.
"""

from __future__ import annotations

from release_gates.probes.terraform.wants import CLOSED, KEPT, ON, Rows, one_of

STORAGE = ("azurerm_storage_account",)
POSTGRESQL = ("azurerm_postgresql_flexible_server",)
SERVER = ("azurerm_mssql_server",)
DATABASE = ("azurerm_mssql_database",)
REDIS = ("azurerm_redis_cache",)
VAULT = ("azurerm_key_vault",)
COSMOS = ("azurerm_cosmosdb_account",)
CLUSTER = ("azurerm_kubernetes_cluster",)
REACHED = (*STORAGE, *POSTGRESQL, *SERVER, *REDIS, *VAULT, *COSMOS, "azurerm_managed_disk")
ROWS: Rows = {
    "TF02": ((VAULT, "purge_protection_enabled", ON),),
    "TF04": (
        (REACHED, "public_network_access_enabled", CLOSED),
        (CLUSTER, "private_cluster_enabled", ON),
    ),
    "TF05": (
        (STORAGE, "allow_nested_items_to_be_public", CLOSED),
        (("azurerm_storage_container",), "container_access_type", one_of("private")),
    ),
    "TF06": ((DATABASE, "transparent_data_encryption_enabled", ON),),
    "TF07": (
        (STORAGE, "https_traffic_only_enabled", ON),
        (STORAGE, "min_tls_version", one_of("TLS1_2", "TLS1_3")),
        ((*SERVER, *REDIS), "minimum_tls_version", one_of("1.2", "1.3")),
        (REDIS, "non_ssl_port_enabled", CLOSED),
    ),
    "TF08": (
        (POSTGRESQL, "backup_retention_days", KEPT),
        (DATABASE, "short_term_retention_policy.+.retention_days", KEPT),
        (COSMOS, "backup.+.type", one_of("Continuous")),
        (STORAGE, "blob_properties.+.versioning_enabled", ON),
    ),
    "TF17": (
        (CLUSTER, "local_account_disabled", ON),
        (CLUSTER, "role_based_access_control_enabled", ON),
        (("azurerm_linux_virtual_machine",), "disable_password_authentication", ON),
    ),
}
"""Rule -> types, the place in them, and what has to be there."""
