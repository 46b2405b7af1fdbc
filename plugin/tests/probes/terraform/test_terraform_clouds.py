"""Google's and Azure's resources: a good one of each type is fine, and one change of it trips its rule alone."""

from __future__ import annotations

from typing import Any

import pytest

from release_gates.probes.terraform.attributes import kinds

from .conftest import Edit, added, broken, doubted, judged

WORLD = ["0.0.0.0/0"]
SSH = {"protocol": "tcp", "ports": ["22"]}
INBOUND = {
    "direction": "Inbound",
    "access": "Allow",
    "protocol": "Tcp",
    "destination_port_range": "22",
    "destination_port_ranges": [],
    "source_address_prefix": "10.0.0.0/8",
    "source_address_prefixes": [],
}
CLOSED = {"public_network_access_enabled": False}
BACKED = {"enabled": True, "backup_retention_settings": [{"retained_backups": 14}]}
SQL = {
    "ipv4_enabled": False,
    "ssl_mode": "ENCRYPTED_ONLY",
    "authorized_networks": [{"value": "192.0.2.0/24"}],
}
GOOD: dict[str, dict[str, Any]] = {
    "google_sql_database_instance": {
        "deletion_protection": True,
        "settings": [{"ip_configuration": [SQL], "backup_configuration": [BACKED]}],
    },
    "google_storage_bucket": {
        "force_destroy": False,
        "public_access_prevention": "enforced",
        "uniform_bucket_level_access": True,
        "versioning": [{"enabled": True}],
    },
    "google_container_cluster": {
        "deletion_protection": True,
        "private_cluster_config": [{"enable_private_nodes": True, "enable_private_endpoint": True}],
        "database_encryption": [{"state": "ENCRYPTED"}],
    },
    "google_redis_instance": {"transit_encryption_mode": "SERVER_AUTHENTICATION", "auth_enabled": True},
    "google_kms_crypto_key": {"rotation_period": "7776000s"},
    "google_bigquery_dataset": {
        "delete_contents_on_destroy": False,
        "access": [{"special_group": "projectOwners", "iam_member": ""}],
    },
    "google_bigquery_table": {"deletion_protection": True},
    "google_spanner_instance": {"force_destroy": False},
    "google_spanner_database": {"deletion_protection": True},
    "google_compute_firewall": {"direction": "INGRESS", "allow": [SSH], "source_ranges": ["10.0.0.0/8"]},
    "google_compute_instance": {"network_interface": [{"access_config": [], "ipv6_access_config": []}]},
    "google_compute_address": {"address_type": "INTERNAL"},
    "google_storage_bucket_iam_member": {"role": "roles/storage.objectViewer", "member": "group:ops@x.org"},
    "google_project_iam_binding": {"role": "roles/viewer", "members": ["group:ops@x.org"]},
    "google_storage_bucket_access_control": {"entity": "group-ops@x.org"},
    "azurerm_storage_account": {
        **CLOSED,
        "allow_nested_items_to_be_public": False,
        "https_traffic_only_enabled": True,
        "min_tls_version": "TLS1_2",
        "blob_properties": [{"versioning_enabled": True}],
    },
    "azurerm_storage_container": {"container_access_type": "private"},
    "azurerm_postgresql_flexible_server": {**CLOSED, "backup_retention_days": 14},
    "azurerm_mssql_server": {**CLOSED, "minimum_tls_version": "1.2"},
    "azurerm_mssql_database": {
        "transparent_data_encryption_enabled": True,
        "short_term_retention_policy": [{"retention_days": 14}],
    },
    "azurerm_redis_cache": {**CLOSED, "minimum_tls_version": "1.2", "non_ssl_port_enabled": False},
    "azurerm_key_vault": {**CLOSED, "purge_protection_enabled": True},
    "azurerm_cosmosdb_account": {**CLOSED, "backup": [{"type": "Continuous"}]},
    "azurerm_managed_disk": CLOSED,
    "azurerm_kubernetes_cluster": {
        "private_cluster_enabled": True,
        "local_account_disabled": True,
        "role_based_access_control_enabled": True,
    },
    "azurerm_linux_virtual_machine": {"disable_password_authentication": True},
    "azurerm_network_security_rule": INBOUND,
    "azurerm_network_security_group": {"security_rule": [INBOUND]},
    "azurerm_postgresql_flexible_server_firewall_rule": {
        "start_ip_address": "192.0.2.1",
        "end_ip_address": "192.0.2.9",
    },
    "azurerm_network_interface": {"ip_configuration": [{"public_ip_address_id": None}]},
    "azurerm_role_assignment": {"role_definition_name": "Reader", "role_definition_id": None},
    "azurerm_role_definition": {"permissions": [{"actions": ["Microsoft.Compute/*/read"]}]},
}


def resource(kind: str, **changed: Any) -> Edit:
    return added(f"{kind}.a", **{**GOOD.get(kind, {}), **changed})


def sql(**changed: Any) -> Edit:
    ip = {**SQL, **{key: value for key, value in changed.items() if key in SQL}}
    backup = {**BACKED, **{key: value for key, value in changed.items() if key in BACKED}}
    settings = [{"ip_configuration": [ip], "backup_configuration": [backup]}]
    return resource("google_sql_database_instance", settings=settings)


def rule(**changed: Any) -> Edit:
    return resource("azurerm_network_security_rule", **changed)


FAULTS: dict[str, tuple[str, Edit]] = {
    "Cloud SQL may be deleted": ("TF02", resource("google_sql_database_instance", deletion_protection=False)),
    "Cloud SQL has an address": ("TF04", sql(ipv4_enabled=True)),
    "Cloud SQL has one by default": ("TF04", sql(ipv4_enabled=None)),
    "Cloud SQL for everybody": ("TF03", sql(authorized_networks=[{"value": "0.0.0.0/0"}])),
    "Cloud SQL in plain text": ("TF07", sql(ssl_mode="ALLOW_UNENCRYPTED_AND_ENCRYPTED")),
    "Cloud SQL without backup": ("TF08", sql(enabled=False)),
    "Cloud SQL with few backups": ("TF08", sql(backup_retention_settings=[{"retained_backups": 3}])),
    "a bucket that deletes its content": ("TF02", resource("google_storage_bucket", force_destroy=True)),
    "a bucket that can be public": (
        "TF05",
        resource("google_storage_bucket", public_access_prevention="inherited"),
    ),
    "a bucket with ACLs": ("TF05", resource("google_storage_bucket", uniform_bucket_level_access=False)),
    "a bucket without versions": ("TF08", resource("google_storage_bucket", versioning=[])),
    "GKE is public": ("TF04", resource("google_container_cluster", private_cluster_config=[])),
    "GKE's secrets": (
        "TF06",
        resource("google_container_cluster", database_encryption=[{"state": "DECRYPTED"}]),
    ),
    "Redis in plain text": ("TF07", resource("google_redis_instance", transit_encryption_mode="DISABLED")),
    "Redis without a password": ("TF17", resource("google_redis_instance", auth_enabled=False)),
    "a key that stays": ("TF17", resource("google_kms_crypto_key", rotation_period=None)),
    "a data set deletes its tables": (
        "TF02",
        resource("google_bigquery_dataset", delete_contents_on_destroy=True),
    ),
    "a data set for all": (
        "TF05",
        resource(
            "google_bigquery_dataset", access=[{"special_group": "allAuthenticatedUsers", "iam_member": ""}]
        ),
    ),
    "a data set for all members": (
        "TF05",
        resource("google_bigquery_dataset", access=[{"special_group": None, "iam_member": "allUsers"}]),
    ),
    "a table may be deleted": ("TF02", resource("google_bigquery_table", deletion_protection=False)),
    "Spanner may be deleted": ("TF02", resource("google_spanner_database", deletion_protection=False)),
    "Spanner deletes its backups": ("TF02", resource("google_spanner_instance", force_destroy=True)),
    "a firewall for all": ("TF03", resource("google_compute_firewall", source_ranges=WORLD)),
    "a firewall in two halves": (
        "TF03",
        resource("google_compute_firewall", source_ranges=["0.0.0.0/1", "128.0.0.0/1"]),
    ),
    "a firewall without a source": ("TF03", resource("google_compute_firewall", source_ranges=[])),
    "a firewall without a direction": (
        "TF03",
        resource("google_compute_firewall", direction=None, source_ranges=["::/0"]),
    ),
    "a machine with an address": (
        "TF04",
        resource("google_compute_instance", network_interface=[{"access_config": [{"nat_ip": ""}]}]),
    ),
    "an address outside": ("TF04", resource("google_compute_address", address_type="EXTERNAL")),
    "an address outside by default": ("TF04", resource("google_compute_global_address", address_type=None)),
    "a member that is everybody": (
        "TF05",
        resource("google_storage_bucket_iam_member", member="allAuthenticatedUsers"),
    ),
    "a binding for everybody": (
        "TF05",
        resource("google_project_iam_binding", members=["group:ops@x.org", "allUsers"]),
    ),
    "an ACL for everybody": ("TF05", resource("google_storage_bucket_access_control", entity="allUsers")),
    "an owner": ("TF09", resource("google_project_iam_binding", role="roles/owner")),
    "an account with an endpoint": (
        "TF04",
        resource("azurerm_storage_account", public_network_access_enabled=True),
    ),
    "an account with one by default": (
        "TF04",
        resource("azurerm_storage_account", public_network_access_enabled=None),
    ),
    "an account that can be public": (
        "TF05",
        resource("azurerm_storage_account", allow_nested_items_to_be_public=True),
    ),
    "an account in plain text": (
        "TF07",
        resource("azurerm_storage_account", https_traffic_only_enabled=False),
    ),
    "an account with old TLS": ("TF07", resource("azurerm_storage_account", min_tls_version="TLS1_0")),
    "an account without versions": ("TF08", resource("azurerm_storage_account", blob_properties=[])),
    "a container for all": ("TF05", resource("azurerm_storage_container", container_access_type="blob")),
    "PostgreSQL with few backups": (
        "TF08",
        resource("azurerm_postgresql_flexible_server", backup_retention_days=3),
    ),
    "SQL Server with old TLS": ("TF07", resource("azurerm_mssql_server", minimum_tls_version="1.0")),
    "a database in plain text": (
        "TF06",
        resource("azurerm_mssql_database", transparent_data_encryption_enabled=False),
    ),
    "a database with few backups": (
        "TF08",
        resource("azurerm_mssql_database", short_term_retention_policy=[{"retention_days": 1}]),
    ),
    "Redis on its old port": ("TF07", resource("azurerm_redis_cache", non_ssl_port_enabled=True)),
    "a vault that can be purged": ("TF02", resource("azurerm_key_vault", purge_protection_enabled=False)),
    "Cosmos with periodic backups": (
        "TF08",
        resource("azurerm_cosmosdb_account", backup=[{"type": "Periodic"}]),
    ),
    "a disk for export": ("TF04", resource("azurerm_managed_disk", public_network_access_enabled=True)),
    "AKS is public": ("TF04", resource("azurerm_kubernetes_cluster", private_cluster_enabled=False)),
    "AKS with local accounts": ("TF17", resource("azurerm_kubernetes_cluster", local_account_disabled=False)),
    "a machine with a password": (
        "TF17",
        resource("azurerm_linux_virtual_machine", disable_password_authentication=False),
    ),
    "a rule for the internet": ("TF03", rule(source_address_prefix="Internet")),
    "a rule for all": ("TF03", rule(source_address_prefix="*")),
    "a rule for the world": ("TF03", rule(source_address_prefix=None, source_address_prefixes=WORLD)),
    "all ports for the world": ("TF03", rule(source_address_prefix="*", destination_port_range="*")),
    "a group for the world": (
        "TF03",
        resource(
            "azurerm_network_security_group", security_rule=[{**INBOUND, "source_address_prefix": "Any"}]
        ),
    ),
    "a firewall for all of Azure": (
        "TF03",
        resource(
            "azurerm_postgresql_flexible_server_firewall_rule",
            start_ip_address="0.0.0.0",
            end_ip_address="0.0.0.0",
        ),
    ),
    "a firewall for all addresses": (
        "TF03",
        resource("azurerm_mssql_firewall_rule", start_ip_address="0.0.0.1", end_ip_address="255.255.255.255"),
    ),
    "a public address": ("TF04", resource("azurerm_public_ip")),
    "an interface with one": (
        "TF04",
        resource(
            "azurerm_network_interface", ip_configuration=[{"public_ip_address_id": "/subscriptions/1"}]
        ),
    ),
    "an owner by name": ("TF09", resource("azurerm_role_assignment", role_definition_name="Owner")),
    "an owner by id": (
        "TF09",
        resource(
            "azurerm_role_assignment",
            role_definition_name=None,
            role_definition_id="/providers/x/8e3af657-A8FF-443c-a75c-2fe8c4bcb635",
        ),
    ),
    "a role of everything": ("TF09", resource("azurerm_role_definition", permissions=[{"actions": ["*"]}])),
    "a type that nobody knows": ("TF16", resource("google_compute_backend_service")),
    "another one": ("TF16", resource("azurerm_linux_function_app")),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found_by_its_rule_alone(name: str) -> None:
    expected, edit = FAULTS[name]
    report = judged(edit)
    assert broken(report) == {expected}, [one.sentence for one in report.findings]
    assert not report.doubts, [one.sentence for one in report.doubts]


def test_a_good_one_of_each_type_is_fine() -> None:
    report = judged(*(resource(kind) for kind in GOOD))
    assert report.findings + report.doubts == (), [one.sentence for one in (*report.findings, *report.doubts)]
    assert {kind for kind in kinds() if not kind.startswith("aws_")} <= GOOD.keys()


FINE: dict[str, tuple[Edit, dict[str, Any]]] = {
    "what goes out": (resource("google_compute_firewall", direction="EGRESS", source_ranges=WORLD), {}),
    "what is denied": (resource("google_compute_firewall", allow=[], source_ranges=WORLD), {}),
    "machines by tag": (
        resource("google_compute_firewall", source_ranges=[], source_tags=["bastion"]),
        {},
    ),
    "a port that policy approves": (
        resource("google_compute_firewall", source_ranges=WORLD),
        {"open_ports": {"google_compute_firewall.a": [22]}},
    ),
    "a rule that denies": (rule(access="Deny", source_address_prefix="*"), {}),
    "a rule for what goes out": (rule(direction="Outbound", source_address_prefix="*"), {}),
    "one's own network": (rule(source_address_prefix="VirtualNetwork"), {}),
    "a port of Azure that policy approves": (
        rule(source_address_prefix="*", destination_port_range=None, destination_port_ranges=["443", "8443"]),
        {"open_ports": {"azurerm_network_security_rule.a": [443, 8443]}},
    ),
    "a group whose rules are resources": (
        added("azurerm_network_security_group.a", unknown={"security_rule": True}),
        {},
    ),
    "an address that policy approves": (
        resource("google_compute_address", address_type="EXTERNAL"),
        {"exposed": ["google_compute_address.a"]},
    ),
}


@pytest.mark.parametrize("name", FINE)
def test_what_is_fine_is_not_found(name: str) -> None:
    edit, said = FINE[name]
    report = judged(edit, **said)
    assert report.findings + report.doubts == (), [one.sentence for one in (*report.findings, *report.doubts)]


def unknown(kind: str, **marks: Any) -> Edit:
    values = {key: value for key, value in GOOD.get(kind, {}).items() if key not in marks}
    return added(f"{kind}.a", unknown=marks, expressions={key: {} for key in marks}, **values)


UNKNOWN: dict[str, tuple[str, Edit]] = {
    "ranges of a firewall": ("TF03", unknown("google_compute_firewall", source_ranges=True)),
    "protocols of a firewall": ("TF03", unknown("google_compute_firewall", allow=True)),
    "networks of a database": (
        "TF03",
        resource(
            "google_sql_database_instance",
            unknown={"settings": [{"ip_configuration": [{"authorized_networks": True}]}]},
        ),
    ),
    "a member": ("TF05", unknown("google_storage_bucket_iam_member", member=True)),
    "a role": ("TF09", unknown("google_project_iam_binding", role=True)),
    "an address": ("TF04", unknown("google_compute_address", address_type=True)),
    "a source": ("TF03", unknown("azurerm_network_security_rule", source_address_prefix=True)),
    "a port": ("TF03", unknown("azurerm_network_security_rule", destination_port_range=True)),
    "a tag of Azure": ("TF03", rule(source_address_prefix="AzureCloud")),
    "a range": ("TF03", unknown("azurerm_mssql_firewall_rule", start_ip_address=True)),
    "a role of Azure": ("TF09", unknown("azurerm_role_assignment", role_definition_name=True)),
    "rules of a group": ("TF03", unknown("azurerm_network_security_group", security_rule=True)),
    "an old provider": (
        "TF07",
        added(
            "azurerm_storage_account.a",
            **{k: v for k, v in GOOD["azurerm_storage_account"].items() if k != "https_traffic_only_enabled"},
        ),
    ),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_known_after_apply_is_never_a_pass(name: str) -> None:
    expected, edit = UNKNOWN[name]
    report = judged(edit)
    assert expected in doubted(report) | broken(report), [one.sentence for one in report.findings]
    assert doubted(report) or broken(report)
