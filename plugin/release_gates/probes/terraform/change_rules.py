"""Rules on what a plan would do: destroy, what changed outside, checks, types that nobody judges."""

from __future__ import annotations

from collections.abc import Iterator

from release_gates.model.foreign import plain
from release_gates.probes.terraform import access_rules, attributes, network_rules
from release_gates.probes.terraform.plan import Plan, Resource, modules
from release_gates.probes.terraform.rule import Doubt, Fault
from release_gates.probes.terraform.settings import TerraformSettings, fits

STATEFUL = frozenset(
    {
        *attributes.DATABASES,
        *("aws_backup_vault", "aws_cloudwatch_log_group", "aws_dynamodb_table", "aws_ebs_volume"),
        *(
            "aws_ecr_repository",
            "aws_efs_file_system",
            "aws_eks_cluster",
            "aws_elasticache_replication_group",
        ),
        *("aws_elasticsearch_domain", "aws_fsx_lustre_file_system", "aws_fsx_ontap_file_system"),
        *("aws_kinesis_stream", "aws_kms_key", "aws_mq_broker", "aws_msk_cluster", "aws_opensearch_domain"),
        *("aws_redshift_cluster", "aws_route53_zone", "aws_s3_bucket", "aws_secretsmanager_secret"),
        *("aws_s3_object", "aws_sqs_queue", "aws_ssm_parameter", "aws_timestreamwrite_table"),
        *("azurerm_key_vault", "azurerm_managed_disk", "azurerm_mssql_database", "azurerm_storage_account"),
        *("azurerm_cosmosdb_account", "azurerm_kubernetes_cluster", "azurerm_postgresql_flexible_server"),
        *("google_bigquery_dataset", "google_bigquery_table", "google_compute_disk", "google_kms_crypto_key"),
        *("google_container_cluster", "google_spanner_instance", "google_sql_database_instance"),
        *("google_storage_bucket", "kubernetes_namespace", "kubernetes_persistent_volume_claim"),
        *("random_password", "tls_private_key", "vault_mount"),
    }
)
"""Types that hold what cannot be made again."""

NEUTRAL = frozenset(
    {
        *("aws_db_parameter_group", "aws_db_subnet_group", "aws_ebs_encryption_by_default", "aws_flow_log"),
        *("aws_backup_plan", "aws_backup_selection", "aws_backup_vault", "aws_cloudwatch_log_group"),
        *("aws_cloudwatch_metric_alarm", "aws_dynamodb_table_item", "aws_eks_node_group", "aws_iam_group"),
        *("aws_iam_instance_profile", "aws_iam_user", "aws_internet_gateway", "aws_key_pair"),
        *("aws_kms_alias", "aws_lb_target_group", "aws_lb_target_group_attachment", "aws_nat_gateway"),
        *("aws_network_interface", "aws_placement_group", "aws_rds_cluster_parameter_group", "aws_route"),
        *("aws_route53_record", "aws_route53_zone", "aws_route_table", "aws_route_table_association"),
        *(
            "aws_s3_bucket_lifecycle_configuration",
            "aws_s3_bucket_logging",
            "aws_s3_bucket_ownership_controls",
        ),
        *("aws_s3_bucket_server_side_encryption_configuration", "aws_secretsmanager_secret"),
        *("aws_volume_attachment", "aws_vpc", "aws_vpc_endpoint", "aws_vpc_security_group_egress_rule"),
        *("local_file", "null_resource", "random_id", "random_integer", "random_pet", "random_string"),
        *("random_uuid", "terraform_data", "time_rotating", "time_sleep", "time_static"),
    }
)
"""Types of which none of these rules asks anything but that they are not destroyed and hold no secret."""


def destroyed(plan: Plan, settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF01: yield what holds state, or is protected by policy, and would be deleted or forgotten."""
    for each in plan.managed:
        if {"delete", "forget"} & set(each.change.actions) and _kept(each, settings):
            why = f", {each.action_reason}" if each.action_reason else ""
            old = f" (deposed {plain(each.deposed, 20)})" if each.deposed else ""
            does = "replaced" if len(each.change.actions) > 1 else f"to {each.change.actions[0]}"
            yield Fault(each.address, old.strip(), f"{does}{plain(why)}", "kept")


def drifted(plan: Plan, _settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF10: yield what is not as the state says, because somebody changed it."""
    for each in plan.resource_drift:
        if each.change.actions != ("no-op",):
            yield Fault(each.address, "", f"{_difference(each)} by somebody else", "as it was applied")


def checked(plan: Plan, _settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF11: yield checks, conditions and validations that failed, or that nobody can decide yet."""
    for each in plan.checks:
        name = plain(each.address.to_display) or "a check"
        if each.status in {"fail", "error"}:
            yield Fault(name, "", each.status, "pass")
        elif each.status == "unknown":
            yield Doubt(name, "", "its values are known after apply")


def unjudged(plan: Plan, settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF16: yield what is of a type that no rule knows, and that policy does not accept."""
    for each in plan.planned:
        known = each.type in judged_kinds() | NEUTRAL
        if not known and not any(fits(pattern, each.type) for pattern in settings.kinds):
            yield Fault(each.address, "", f"of the type {plain(each.type)}", "a type that rules know")


def provisioned(plan: Plan, _settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF18: yield provisioners and actions, which run what no plan tells."""
    for path, module in modules(plan):
        for each in module.resources:
            for provisioner in each.provisioners:
                kind = plain(provisioner.get("type", "provisioner"))
                address = f"{path}.{each.type}.{each.name}".lstrip(".")
                yield Fault(address, "provisioner", kind, "none")
    for number, _ in enumerate(plan.action_invocations):
        yield Fault("action_invocations", str(number), "an action that is run", "none")


def judged_kinds() -> frozenset[str]:
    """Return the types that some rule asks something of."""
    return attributes.kinds() | network_rules.KINDS | access_rules.KINDS


def _kept(each: Resource, settings: TerraformSettings) -> bool:
    names = {each.address, each.previous_address} - {""}
    named = any(fits(pattern, name) for pattern in settings.protected for name in names)
    return each.type in STATEFUL or named


def _difference(each: Resource) -> str:
    """Return which attributes differ; never their values."""
    before, after = each.change.before, each.change.after
    if not isinstance(before, dict) or not isinstance(after, dict):
        return "deleted" if after is None else "made"
    differ = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return f"changed in {plain(', '.join(differ))}" if differ else "changed"
