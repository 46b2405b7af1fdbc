"""Every rule on the reference plan: it is fine, and each change of one thing trips what it should."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from msgspec import ValidationError

from fixtures.trading_system.deploy.plan import DEFECTS, FOLDER, RESOURCES, document, unknown, value
from release_gates.errors import MeasurementError
from release_gates.probes.terraform.attributes import ROWS
from release_gates.probes.terraform.catalogue import CATALOGUE, ids
from release_gates.probes.terraform.change_rules import judged_kinds
from release_gates.probes.terraform.judging import DECLARED, PLANNED
from release_gates.probes.terraform.kinds import NEUTRAL, STATEFUL
from release_gates.probes.terraform.sources import read_folder

from .conftest import SOURCES, Edit, added, broken, doubted, judged, planned, policy, removed

ORDERS, SNAPSHOTS = "aws_vpc_security_group_ingress_rule.orders", "aws_s3_bucket.snapshots"
SG = {"name": "x", "egress": []}
DB: dict[str, Any] = {
    "deletion_protection": True,
    "skip_final_snapshot": False,
    "publicly_accessible": False,
    "storage_encrypted": True,
    "backup_retention_period": 14,
}
CACHE = {
    "at_rest_encryption_enabled": True,
    "transit_encryption_enabled": True,
    "snapshot_retention_limit": 7,
}
EKS = {
    "vpc_config": [{"endpoint_public_access": False}],
    "encryption_config": [{"resources": ["secrets"]}],
}
LB = {"internal": True, "enable_deletion_protection": True}


def ingress(**said: Any) -> dict[str, Any]:
    rule = {"cidr_blocks": [], "ipv6_cidr_blocks": [], "prefix_list_ids": [], "protocol": "tcp"}
    return {"ingress": [{**rule, "from_port": 22, "to_port": 22, **said}]}


def acts(address: str, *actions: str) -> Edit:
    def edit(plan: dict[str, Any]) -> None:
        (found,) = (one for one in plan["resource_changes"] if one["address"] == address)
        found["change"]["actions"] = list(actions)
        if actions in {("delete",), ("forget",)}:
            found["change"]["after"] = None
            resources = plan["planned_values"]["root_module"]["resources"]
            resources[:] = [one for one in resources if one["address"] != address]

    return edit


def check(status: str) -> Edit:
    return lambda plan: plan.update(checks=[{"address": {"to_display": "check.journal"}, "status": status}])


def module(**said: Any) -> Edit:
    return lambda plan: plan["configuration"]["root_module"].update(module_calls={"net": said})


def constraint(text: str) -> Edit:
    return lambda plan: plan["configuration"]["provider_config"]["aws"].update(version_constraint=text)


def allowed(**said: Any) -> str:
    return document({"Effect": "Allow", **said})


def marked(plan: dict[str, Any]) -> None:
    found = plan["resource_changes"][0]["change"]
    found["after_sensitive"] = {"cidr_block": True}


def sensitive_variable(plan: dict[str, Any]) -> None:
    plan["configuration"]["root_module"]["variables"]["image"]["sensitive"] = True


def provisioned(plan: dict[str, Any]) -> None:
    plan["configuration"]["root_module"]["resources"][4]["provisioners"] = [{"type": "local-exec"}]


def federated(subject: str | None) -> str:
    """Return a policy that trusts what GitHub's workflows say they are."""
    tests = {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}
    if subject:
        tests["token.actions.githubusercontent.com:sub"] = subject
    return allowed(
        Principal={"Federated": "arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com"},
        Action="sts:AssumeRoleWithWebIdentity",
        Condition={"StringLike": tests},
    )


def constant(*names: str) -> dict[str, Any]:
    return {name: {"constant_value": "-".join(("correct", "horse"))} for name in names}


def provider(**said: str) -> Edit:
    expressions = {name: {"constant_value": text} for name, text in said.items()}
    return lambda plan: plan["configuration"]["provider_config"]["aws"].update(expressions=expressions)


def variable(name: str) -> Edit:
    return lambda plan: plan["variables"].update({name: {"value": "-".join(("correct", "horse"))}})


def both(*edits: Edit) -> Edit:
    def edit(plan: dict[str, Any]) -> None:
        for one in edits:
            one(plan)

    return edit


def gone(plan: dict[str, Any]) -> None:
    """Let the resource that came last be deleted."""
    change = plan["resource_changes"][-1]["change"]
    change.update(actions=["delete"], before=change["after"], after=None)
    plan["planned_values"]["root_module"]["resources"].pop()


FAULTS: dict[str, tuple[str, Edit]] = {
    "a database is deleted": ("TF01", acts(SNAPSHOTS, "delete")),
    "a bucket is forgotten": ("TF01", acts(SNAPSHOTS, "forget")),
    "a key is replaced, made first": ("TF01", acts("aws_kms_key.trading", "create", "delete")),
    "force_destroy": ("TF02", value(SNAPSHOTS, "force_destroy", True)),
    "a database may be deleted": ("TF02", added("aws_db_instance.a", **{**DB, "deletion_protection": None})),
    "no last snapshot": ("TF02", added("aws_db_instance.a", **{**DB, "skip_final_snapshot": True})),
    "IPv6": ("TF03", value(ORDERS, "cidr_ipv6", "::/0")),
    "half of the internet": ("TF03", value(ORDERS, "cidr_ipv4", "128.0.0.0/1")),
    "ssh in the group": (
        "TF03",
        added("aws_security_group.a", **SG, **ingress(cidr_blocks=["10.0.0.0/8", "0.0.0.0/0"])),
    ),
    "a rule of the old form": (
        "TF03",
        added(
            "aws_security_group_rule.a", type="ingress", **ingress(cidr_blocks=["0.0.0.0/0"])["ingress"][0]
        ),
    ),
    "a subnet gives addresses": ("TF04", value("aws_subnet.engine", "map_public_ip_on_launch", True)),
    "a database has an endpoint": ("TF04", added("aws_db_instance.a", **{**DB, "publicly_accessible": True})),
    "Kubernetes' API is public": (
        "TF04",
        added("aws_eks_cluster.a", **{**EKS, "vpc_config": [{"endpoint_public_access": True}]}),
    ),
    "brokers for everybody": (
        "TF04",
        added(
            "aws_msk_cluster.a",
            broker_node_group_info=[
                {"connectivity_info": [{"public_access": [{"type": "SERVICE_PROVIDED_EIPS"}]}]}
            ],
            encryption_info=[{"encryption_in_transit": [{"client_broker": "TLS"}]}],
        ),
    ),
    "anybody may log in to nodes": (
        "TF03",
        added(
            "aws_eks_node_group.a",
            remote_access=[{"ec2_ssh_key": "ops", "source_security_group_ids": []}],
        ),
    ),
    "a secret for everybody": (
        "TF05",
        added("aws_secretsmanager_secret.a", policy=allowed(Principal="*", Action="secretsmanager:*")),
    ),
    "every repository of GitHub": ("TF05", added("aws_iam_role.a", assume_role_policy=federated(None))),
    "every branch of every repository": (
        "TF05",
        added("aws_iam_role.a", assume_role_policy=federated("*:ref:refs/heads/main")),
    ),
    "an elastic address": ("TF04", added("aws_eip.a")),
    "a public balancer": ("TF04", added("aws_lb.a", **{**LB, "internal": False})),
    "nobody blocks public access": ("TF05", removed("aws_s3_bucket_public_access_block.snapshots")),
    "of another bucket": ("TF05", value("aws_s3_bucket_public_access_block.snapshots", "bucket", "another")),
    "an ACL": ("TF05", added("aws_s3_bucket_acl.a", acl="public-read", access_control_policy=[])),
    "an ACL of the old form": ("TF05", value(SNAPSHOTS, "acl", "public-read")),
    "a policy of the old form": ("TF05", value(SNAPSHOTS, "policy", allowed(Principal="*", Action="s3:*"))),
    "a grant": (
        "TF05",
        value(SNAPSHOTS, "grant", [{"uri": "http://acs.amazonaws.com/groups/global/AllUsers"}]),
    ),
    "a policy for everybody": (
        "TF05",
        added("aws_s3_bucket_policy.a", policy=allowed(Principal="*", Action="s3:GetObject", Resource="arn")),
    ),
    "a condition that bounds nobody": (
        "TF05",
        added(
            "aws_sqs_queue_policy.a",
            policy=allowed(
                Principal={"AWS": ["*"]},
                Action="sqs:SendMessage",
                Condition={"Bool": {"aws:SecureTransport": "true"}},
            ),
        ),
    ),
    "anybody may assume the role": (
        "TF05",
        value(
            "aws_iam_role.engine",
            "assume_role_policy",
            allowed(Principal={"AWS": "*"}, Action="sts:AssumeRole"),
        ),
    ),
    "the first disk": ("TF06", value("aws_instance.engine", "root_block_device.0.encrypted", False)),
    "another disk": ("TF06", value("aws_instance.engine", "ebs_block_device", [{"encrypted": None}])),
    "no block for encryption": ("TF06", added("aws_eks_cluster.a", **{**EKS, "encryption_config": []})),
    "a plain database": ("TF06", added("aws_db_instance.a", **{**DB, "storage_encrypted": False})),
    "a cache speaks plain text": (
        "TF07",
        added("aws_elasticache_replication_group.a", **{**CACHE, "transit_encryption_enabled": False}),
    ),
    "HTTP": (
        "TF07",
        added("aws_lb_listener.a", protocol="HTTP", default_action=[{"type": "forward", "redirect": []}]),
    ),
    "brokers in plain text too": (
        "TF07",
        added(
            "aws_msk_cluster.a",
            broker_node_group_info=[{"connectivity_info": []}],
            encryption_info=[{"encryption_in_transit": [{"client_broker": "TLS_PLAINTEXT"}]}],
        ),
    ),
    "no versions": ("TF08", removed("aws_s3_bucket_versioning.snapshots")),
    "versions suspended": (
        "TF08",
        value("aws_s3_bucket_versioning.snapshots", "versioning_configuration.0.status", "Suspended"),
    ),
    "backups for three days": ("TF08", added("aws_db_instance.a", **{**DB, "backup_retention_period": 3})),
    "all of S3": ("TF09", added("aws_iam_policy.a", policy=allowed(Action="s3:*", Resource="*"))),
    "all but a little": (
        "TF09",
        added("aws_iam_policy.a", policy=allowed(NotAction="iam:*", Resource="arn")),
    ),
    "any role": ("TF09", added("aws_iam_policy.a", policy=allowed(Action=["iam:PassRole"], Resource=["*"]))),
    "administrator": (
        "TF09",
        added("aws_iam_role_policy_attachment.a", policy_arn="arn:aws:iam::aws:policy/AdministratorAccess"),
    ),
    "a check failed": ("TF11", check("fail")),
    "any version": ("TF12", constraint(">= 5.0")),
    "any version but one": ("TF12", constraint("!= 5.1")),
    "no version": ("TF12", constraint("")),
    "a module of a branch": ("TF13", module(source="git::https://git.example/net.git?ref=main")),
    "a module without version": (
        "TF13",
        module(source="terraform-aws-modules/vpc/aws", version_constraint="~> 5.0"),
    ),
    "a sensitive value": ("TF15", marked),
    "a sensitive variable": ("TF15", sensitive_variable),
    "a password": ("TF15", added("aws_db_instance.a", **DB, password="-".join(("correct", "horse")))),
    "a key in a list": (
        "TF15",
        value("aws_security_group.engine", "egress", [{"description": "AKIA" + "A" * 16}]),
    ),
    "a key of a provider": ("TF15", provider(access_key="an access key that somebody typed")),
    "a token in a block of a provider": (
        "TF15",
        lambda plan: plan["configuration"]["provider_config"]["aws"].update(
            expressions={"assume_role": [constant("session_token")]}
        ),
    ),
    "a password for a module": ("TF15", module(source="./net", expressions=constant("password"))),
    "a variable that is a password": ("TF15", variable("db_password")),
    "an output that is a token": (
        "TF15",
        lambda plan: plan.update(output_changes={"token": {"actions": ["create"], "after": "so it is"}}),
    ),
    "a key in a script": (
        "TF15",
        value("aws_instance.engine", "user_data", base64.b64encode(b"export X=AKIA" + b"A" * 16).decode()),
    ),
    "a type that nobody knows": ("TF16", added("aws_transfer_server.a")),
    "a type that nobody knows is deleted": ("TF16", both(added("aws_transfer_server.a"), gone)),
    "a type that holds state is deleted": ("TF01", both(added("google_bigtable_instance.a"), gone)),
    "the old metadata service": (
        "TF17",
        value("aws_instance.engine", "metadata_options.0.http_tokens", "optional"),
    ),
    "a key that never changes": ("TF17", value("aws_kms_key.trading", "enable_key_rotation", False)),
    "a provisioner": ("TF18", provisioned),
    "a program as data": (
        "TF18",
        lambda plan: plan["configuration"]["root_module"]["resources"].append(
            {"address": "data.external.a", "mode": "data", "type": "external", "name": "a"}
        ),
    ),
    "an action": ("TF18", lambda plan: plan.update(action_invocations=[{"address": "action.x"}])),
}
FAULTS |= {name: (one.rule, one.edit) for name, one in DEFECTS.items() if one.rule and "unknown" not in name}


def test_the_reference_is_fine_and_everything_is_decided() -> None:
    report = judged()
    assert report.findings + report.doubts + report.exempted == ()
    assert report.resources == len(RESOURCES) == 14


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found_by_its_rule_alone(name: str) -> None:
    rule, edit = FAULTS[name]
    report = judged(edit)
    assert broken(report) == {rule}, [one.sentence for one in report.findings]
    assert not report.doubts, [one.sentence for one in report.doubts]


FINE: dict[str, Edit] = {
    "one repository of GitHub": added(
        "aws_iam_role.a", assume_role_policy=federated("repo:firm/engine:ref:refs/heads/main")
    ),
    "a good database": added("aws_db_instance.a", **DB),
    "a good cache": added("aws_elasticache_replication_group.a", **CACHE),
    "a good cluster": added("aws_eks_cluster.a", **EKS),
    "a redirect": added(
        "aws_lb_listener.a",
        protocol="HTTP",
        default_action=[{"type": "redirect", "redirect": [{"protocol": "HTTPS"}]}],
    ),
    "a public principal within the firm": added(
        "aws_sqs_queue_policy.a",
        policy=allowed(
            Principal="*", Action="sqs:SendMessage", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}
        ),
    ),
    "a group whose rules are resources": added("aws_security_group.a", unknown={"ingress": True}, name="x"),
    "a rule for what goes out": added(
        "aws_security_group_rule.a", type="egress", **ingress(cidr_blocks=["0.0.0.0/0"])["ingress"][0]
    ),
    "a module by tag": module(source="git::https://git.example/net.git?ref=v1.2.0"),
    "a module by version": module(source="terraform-aws-modules/vpc/aws", version_constraint="5.1.0"),
    "a module beside": module(source="./net"),
    "a check passed": check("pass"),
    "something neutral goes": acts("aws_vpc.trading", "delete"),
}


@pytest.mark.parametrize("name", FINE)
def test_what_is_fine_is_not_found(name: str) -> None:
    report = judged(FINE[name])
    assert report.findings + report.doubts == (), [one.sentence for one in (*report.findings, *report.doubts)]


UNKNOWN: dict[str, tuple[str, Edit]] = {
    "encryption": ("TF06", unknown("aws_ebs_volume.journal", "encrypted")),
    "a block": ("TF06", unknown("aws_instance.engine", "root_block_device")),
    "metadata": ("TF17", unknown("aws_instance.engine", "metadata_options")),
    "an address by the subnet": ("TF04", unknown("aws_instance.engine", "associate_public_ip_address")),
    "who may come": ("TF03", unknown(ORDERS, "cidr_ipv4")),
    "one item": (
        "TF03",
        added(
            "aws_security_group.a",
            name="x",
            unknown={"ingress": [{"cidr_blocks": [True]}]},
            **ingress(cidr_blocks=None),
        ),
    ),
    "rules that the sources set": (
        "TF03",
        added("aws_security_group.a", name="x", unknown={"ingress": True}, expressions={"ingress": {}}),
    ),
    "a list of prefixes": ("TF03", value(ORDERS, "prefix_list_id", "pl-1")),
    "no network": ("TF03", value(ORDERS, "cidr_ipv4", "example.com")),
    "a policy that the sources set": (
        "TF09",
        added("aws_iam_policy.a", unknown={"policy": True}, expressions={"policy": {}}),
    ),
    "an ACL": (
        "TF05",
        added("aws_s3_bucket_acl.a", unknown={"acl": True}, expressions={"acl": {}}),
    ),
    "no policy document": ("TF09", added("aws_iam_policy.a", policy="{")),
    "an attribute that went away": (
        "TF06",
        added("aws_db_instance.a", **{k: v for k, v in DB.items() if k != "storage_encrypted"}),
    ),
    "a listener": ("TF07", added("aws_lb_listener.a", unknown={"protocol": True})),
    "a check": ("TF11", check("unknown")),
    "a module from nowhere": ("TF13", module()),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_known_after_apply_is_never_a_pass(name: str) -> None:
    rule, edit = UNKNOWN[name]
    report = judged(edit)
    assert doubted(report) == {rule}, [one.sentence for one in (*report.findings, *report.doubts)]
    assert not report.findings


@pytest.mark.parametrize("rule", ROWS)
@pytest.mark.parametrize("absent", [False, True])
def test_no_row_of_the_table_passes_what_is_unknown_or_gone(rule: str, absent: bool) -> None:
    for types, path, _ in ROWS[rule]:
        first = path.partition(".")[0]
        for kind in types:
            report = judged(added(f"{kind}.a", unknown={} if absent else {first: True}))
            assert rule in broken(report) | doubted(report) or (absent and ".*" in path), (kind, path)


BACKENDS = {
    "": "terraform {\n}\n",
    "local": 'terraform {\n  backend "local" {\n    path = "x"\n  }\n}\n',
    "plain": 'terraform {\n  backend "s3" {\n    bucket = "b"\n    use_lockfile = true\n  }\n}\n',
    "unlocked": 'terraform {\n  backend "s3" {\n    bucket = "b"\n    encrypt = true\n  }\n}\n',
    "by a variable": 'terraform {\n  backend "s3" {\n    encrypt = var.x\n    use_lockfile = true\n  }\n}\n',
    "http": 'terraform {\n  backend "http" {\n    address = "http://a"\n    lock_address = "https://b"\n  }\n}\n',
    "unknown": 'terraform {\n  backend "inmem" {\n  }\n}\n',
}


@pytest.mark.parametrize("name", BACKENDS)
def test_a_state_that_is_not_kept_is_found(name: str, tmp_path: Any) -> None:
    (tmp_path / "main.tf").write_text(BACKENDS[name])
    sources = replace(read_folder(tmp_path), locked=SOURCES.locked)
    assert broken(judged(sources=sources)) == {"TF14"}


@pytest.mark.parametrize(
    "text", ["terraform {\n  cloud {\n  }\n}\n", 'terraform {\n  backend "gcs" {\n    bucket = "b"\n  }\n}\n']
)
def test_a_backend_that_encrypts_and_locks_by_itself(text: str, tmp_path: Any) -> None:
    (tmp_path / "main.tf").write_text(text)
    assert not judged(sources=replace(read_folder(tmp_path), locked=SOURCES.locked)).findings


def test_a_backend_in_json_and_one_that_nobody_can_tell(tmp_path: Any) -> None:
    block = {"backend": {"s3": {"encrypt": True, "dynamodb_table": "locks"}}}
    (tmp_path / "main.tf.json").write_text(json.dumps({"terraform": block}))
    assert not judged(sources=replace(read_folder(tmp_path), locked=SOURCES.locked)).findings
    (tmp_path / "main.tf.json").write_text(json.dumps({"terraform": {"backend": {"pg": {}}}}))
    assert doubted(judged(sources=replace(read_folder(tmp_path), locked=SOURCES.locked))) == {"TF14"}


def test_a_lock_file_without_the_provider_or_its_hashes() -> None:
    for locked in ({}, {"registry.terraform.io/hashicorp/aws": ("5.100.0", 0)}):
        assert broken(judged(sources=replace(SOURCES, locked=locked))) == {"TF12"}


def test_a_state_among_the_sources_is_a_secret() -> None:
    assert broken(judged(sources=replace(SOURCES, states=("terraform.tfstate",)))) == {"TF15"}


def test_policy_approves_ports_addresses_types_and_what_is_protected() -> None:
    world = value(ORDERS, "cidr_ipv4", "0.0.0.0/0")
    assert not judged(world, open_ports={ORDERS: [8443]}).findings
    assert broken(judged(world, open_ports={ORDERS: [443]})) == {"TF03"}
    every = value(ORDERS, "ip_protocol", "-1")
    assert broken(judged(world, every, open_ports={ORDERS: [8443]})) == {"TF03"}
    assert not judged(added("aws_eip.a"), exposed=["aws_eip.a"]).findings
    assert not judged(added("aws_transfer_server.a"), kinds=["aws_transfer_*"]).findings
    assert broken(judged(acts("aws_vpc.trading", "delete"), protected=["aws_vpc.*"])) == {"TF01"}
    moved = DEFECTS["tf_journal_replaced"].edit
    assert not judged(moved, off={"TF01": "the journal is copied first"}).findings


def test_policy_names_the_providers_that_may_be_used() -> None:
    assert not judged(providers=["registry.terraform.io/hashicorp/*"]).findings
    assert broken(judged(providers=["registry.terraform.io/datadog/*"])) == {"TF12"}


def test_policy_that_switches_everything_off_is_refused() -> None:
    with pytest.raises(ValidationError, match="every rule is off"):
        policy(off=dict.fromkeys(ids(), "not asked at all"))


def test_policy_that_is_about_nothing_is_an_error() -> None:
    for key, said in (
        ("protected", ["aws_vpc.x"]),
        ("exposed", ["a.b"]),
        ("kinds", ["x_*"]),
        ("open_ports", {"a.b": [1]}),
    ):
        with pytest.raises(MeasurementError, match=r"is about no (?:resource|type)"):
            judged(**{key: said})


def test_an_exemption_ends_and_covers_doubts_too() -> None:
    said = {
        "rule": "TF06",
        "address": "aws_ebs_volume.journal",
        "because": "a test volume",
        "owner": "ops",
        "until": "2026-11-21",
    }
    for edit in (DEFECTS["tf_plain_journal"].edit, DEFECTS["tf_encryption_unknown"].edit):
        report = judged(edit, exempt=[said])
        assert report.findings + report.doubts == ()
        assert len(report.exempted) == 1
        late = judged(edit, exempt=[{**said, "until": "2026-11-20"}])
        assert len(late.findings) + len(late.doubts) == 1
    with pytest.raises(MeasurementError, match="covers no finding"):
        judged(exempt=[said])


def test_no_message_repeats_a_secret() -> None:
    for name in ("tf_secret", "a password", "a key in a list"):
        for one in judged(FAULTS[name][1]).findings:
            assert "correct" not in one.sentence
            assert "AKIA" not in one.sentence


def test_every_rule_is_asked_once_and_has_a_case() -> None:
    assert PLANNED.keys() | DECLARED.keys() == set(ids())
    assert not PLANNED.keys() & DECLARED.keys()
    assert {rule for rule, _ in FAULTS.values()} | {"TF14"} == set(ids())
    assert all(one.remedy and one.title for one in CATALOGUE.values())
    assert not judged_kinds() & NEUTRAL
    assert {"aws_db_instance", "aws_s3_bucket"} <= STATEFUL


def test_the_paper_and_the_sources_say_the_same() -> None:
    """The reference's plan is written by hand: each resource, and each plain value, is that of its sources."""
    import hcl2

    declared: dict[str, dict[str, Any]] = {}
    for file in FOLDER.glob("*.tf"):
        for block in hcl2.loads(file.read_text()).get("resource", ()):
            for kind, named in block.items():
                if kind != "__is_block__":
                    for name, said in named.items():
                        if name != "__is_block__":
                            declared[f"{kind}.{name}".replace('"', "")] = said
    assert declared.keys() == RESOURCES.keys()
    after = {one.address: one.change.after for one in planned().planned}
    compared = 0
    for address, said in declared.items():
        for key, text in said.items():
            if isinstance(text, bool | int) and key != "__is_block__":
                assert after[address][key] == text, (address, key)
                compared += 1
            elif isinstance(text, str) and text.startswith('"') and "${" not in text:
                assert after[address][key] == text.strip('"'), (address, key)
                compared += 1
    assert compared >= 30
