"""Types of resources: which hold what cannot be made again, and which need no rule of their own."""

from __future__ import annotations

from release_gates.probes.terraform.aws_rows import DATABASES

STATEFUL = frozenset(
    {
        *DATABASES,
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
        *(
            "google_dns_managed_zone",
            "google_kms_key_ring",
            "google_redis_instance",
            "google_spanner_database",
        ),
        *("google_pubsub_subscription", "google_secret_manager_secret", "google_sql_database"),
        *("azurerm_mssql_server", "azurerm_postgresql_flexible_server_database", "azurerm_redis_cache"),
        *("azurerm_recovery_services_vault", "azurerm_resource_group", "azurerm_storage_container"),
        *("azurerm_storage_share", "azurerm_dns_zone", "azurerm_private_dns_zone", "azurerm_key_vault_key"),
        *("google_storage_bucket", "kubernetes_namespace", "kubernetes_persistent_volume_claim"),
        *("random_password", "tls_private_key", "vault_mount", "kubernetes_stateful_set"),
        *("aws_cognito_user_pool", "aws_db_snapshot", "aws_ebs_snapshot", "aws_elasticache_cluster"),
        *("aws_memorydb_cluster", "aws_organizations_account", "aws_rds_global_cluster", "aws_sns_topic"),
        *("azurerm_container_registry", "azurerm_eventhub_namespace", "azurerm_mysql_flexible_server"),
        *("azurerm_servicebus_namespace", "google_alloydb_cluster", "google_bigtable_instance"),
        *("google_artifact_registry_repository", "google_filestore_instance", "google_firestore_database"),
    }
)
"""Types that hold what cannot be made again."""

NEUTRAL = frozenset(
    {
        *("aws_db_parameter_group", "aws_db_subnet_group", "aws_ebs_encryption_by_default", "aws_flow_log"),
        *("aws_backup_plan", "aws_backup_selection", "aws_backup_vault", "aws_cloudwatch_log_group"),
        *("aws_cloudwatch_metric_alarm", "aws_dynamodb_table_item", "aws_iam_group"),
        *("aws_iam_instance_profile", "aws_iam_user", "aws_internet_gateway", "aws_key_pair"),
        *("aws_kms_alias", "aws_lb_target_group", "aws_lb_target_group_attachment", "aws_nat_gateway"),
        *("aws_network_interface", "aws_placement_group", "aws_rds_cluster_parameter_group", "aws_route"),
        *("aws_route53_record", "aws_route53_zone", "aws_route_table", "aws_route_table_association"),
        *(
            "aws_s3_bucket_lifecycle_configuration",
            "aws_s3_bucket_logging",
            "aws_s3_bucket_ownership_controls",
        ),
        *("aws_s3_bucket_server_side_encryption_configuration"),
        *("aws_volume_attachment", "aws_vpc", "aws_vpc_endpoint", "aws_vpc_security_group_egress_rule"),
        *("google_compute_attached_disk", "google_compute_disk", "google_compute_network"),
        *("google_compute_route", "google_compute_router", "google_compute_router_nat"),
        *("google_compute_subnetwork", "google_dns_managed_zone", "google_dns_record_set"),
        *("google_kms_key_ring", "google_project_service", "google_pubsub_topic"),
        *("google_secret_manager_secret", "google_service_account", "google_sql_database"),
        *("azurerm_availability_set", "azurerm_key_vault_key", "azurerm_log_analytics_workspace"),
        *("azurerm_network_interface_security_group_association", "azurerm_private_dns_zone"),
        *("azurerm_private_dns_zone_virtual_network_link", "azurerm_private_endpoint"),
        *("azurerm_postgresql_flexible_server_database", "azurerm_proximity_placement_group"),
        *("azurerm_resource_group", "azurerm_route", "azurerm_route_table", "azurerm_subnet"),
        *("azurerm_subnet_network_security_group_association", "azurerm_user_assigned_identity"),
        *("azurerm_virtual_machine_data_disk_attachment", "azurerm_virtual_network"),
        *("local_file", "null_resource", "random_id", "random_integer", "random_pet", "random_string"),
        *("random_uuid", "terraform_data", "time_rotating", "time_sleep", "time_static"),
    }
)
"""Types of which none of these rules asks anything but that they are not destroyed and hold no secret."""
