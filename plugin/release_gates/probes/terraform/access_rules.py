"""Rules on rights: policies of IAM and of resources, and what makes a bucket public."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from release_gates.model.foreign import plain
from release_gates.probes.terraform import azure_rules, google_rules
from release_gates.probes.terraform.attributes import attribute_faults, unknown_value
from release_gates.probes.terraform.links import is_declared, linked
from release_gates.probes.terraform.plan import Plan, Resource
from release_gates.probes.terraform.rule import Doubt, Fault
from release_gates.probes.terraform.settings import TerraformSettings
from release_gates.probes.terraform.values import Not, at

BUCKET = "aws_s3_bucket"
IDENTITY = {
    "aws_iam_policy": "policy",
    "aws_iam_role_policy": "policy",
    "aws_iam_user_policy": "policy",
    "aws_iam_group_policy": "policy",
    "aws_iam_role": "inline_policy.*.policy",
}
OF_RESOURCES = (
    *("aws_backup_vault_policy", "aws_ecr_repository_policy", "aws_kms_key", "aws_kms_key_policy"),
    *("aws_s3_bucket_policy", "aws_secretsmanager_secret_policy", "aws_sns_topic_policy"),
    *("aws_sqs_queue_policy", "aws_secretsmanager_secret", BUCKET),
)
TRUST = {"aws_iam_role": "assume_role_policy", **dict.fromkeys(OF_RESOURCES, "policy")}
ATTACHED = {
    "aws_iam_role_policy_attachment": "policy_arn",
    "aws_iam_user_policy_attachment": "policy_arn",
    "aws_iam_group_policy_attachment": "policy_arn",
    "aws_iam_policy_attachment": "policy_arn",
    "aws_iam_role": "managed_policy_arns.*",
}
TOO_MUCH = ("AdministratorAccess", "PowerUserAccess", "IAMFullAccess")
ACLS = ("public-read", "public-read-write", "authenticated-read")
BOUNDS = frozenset(
    {
        *("aws:principalaccount", "aws:principalarn", "aws:principalorgid", "aws:sourceaccount"),
        *("aws:sourcearn", "aws:sourceip", "aws:sourceowner", "aws:sourcevpc", "aws:sourcevpce"),
        *("aws:vpcsourceip", "kms:calleraccount"),
    }
)
"""Keys of a condition that bound a statement for every principal to some callers."""
KINDS = frozenset({*IDENTITY, *TRUST, *ATTACHED, BUCKET, "aws_s3_bucket_acl"})


def too_many_rights(plan: Plan, _settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF09: yield policies that allow everything, or everything of a service, and the ready-made ones."""
    for each in plan.planned:
        yield from google_rules.too_many_rights(each)
        yield from azure_rules.too_many_rights(each)
        for place, statement in _statements(plan, each, IDENTITY.get(each.type)):
            if isinstance(statement, Doubt):
                yield statement
            elif statement.get("Effect") != "Deny" and (found := _excess(statement)):
                yield Fault(each.address, place, plain(found), "named actions on named resources")
        for arn in at(each, ATTACHED[each.type]) if each.type in ATTACHED else ():
            if arn.value is Not.KNOWN:
                if is_declared(plan, each, arn.place.partition(".")[0]) and not _own_policy(plan, each):
                    yield unknown_value(each.address, arn.place)
            elif isinstance(arn.value, str) and arn.value.rpartition("/")[2] in TOO_MUCH:
                yield Fault(each.address, arn.place, plain(arn.value), "a policy of few rights")


def made_public(plan: Plan, settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF05: yield what nothing keeps private, and policies that let everybody in."""
    yield from attribute_faults("TF05", plan, settings)
    for each in plan.planned:
        yield from google_rules.made_public(each)
        if each.type == BUCKET and not linked(plan, each, "aws_s3_bucket_public_access_block", "bucket"):
            yield Fault(each.address, "", "without aws_s3_bucket_public_access_block", "one that names it")
        if each.type in {BUCKET, "aws_s3_bucket_acl"}:
            yield from _acl(plan, each)
        for place, statement in _statements(plan, each, TRUST.get(each.type)):
            if isinstance(statement, Doubt):
                yield statement
            elif statement.get("Effect") != "Deny" and _anybody(statement):
                yield Fault(each.address, place, "for every principal", "principals that are named")
            elif statement.get("Effect") != "Deny" and _any_user(statement):
                found = "for every user of an identity provider"
                yield Fault(each.address, place, found, "a condition on the subject (…:sub)")


def backed_up(plan: Plan, settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF08: yield what is not backed up, or whose old versions are not kept."""
    yield from attribute_faults("TF08", plan, settings)
    for each in plan.planned:
        if each.type == BUCKET and not linked(plan, each, "aws_s3_bucket_versioning", "bucket"):
            yield Fault(each.address, "", "without aws_s3_bucket_versioning", "one that names it")


def _acl(plan: Plan, each: Resource) -> Iterator[Fault | Doubt]:
    for path in ("acl", "grant.*.uri", "access_control_policy.*.grant.*.grantee.*.uri"):
        for found in at(each, path):
            if found.value is Not.KNOWN:
                if is_declared(plan, each, path.partition(".")[0]):
                    yield unknown_value(each.address, found.place)
            elif found.value in ACLS or str(found.value).endswith(("AllUsers", "AuthenticatedUsers")):
                yield Fault(each.address, found.place, plain(repr(found.value)), "nobody but the owner")


def _statements(plan: Plan, each: Resource, path: str | None) -> Iterator[tuple[str, dict[str, Any] | Doubt]]:
    for found in at(each, path) if path else ():
        if found.value is Not.KNOWN:
            if not is_declared(plan, each, path.partition(".")[0] if path else ""):
                continue  # AWS's own: none, or a key's that its account alone may use
            yield found.place, unknown_value(each.address, found.place)
        elif found.value not in (None, "", Not.THERE):
            yield from _read(each.address, found.place, found.value)


def _read(address: str, place: str, text: Any) -> Iterator[tuple[str, dict[str, Any] | Doubt]]:
    try:
        document = json.loads(text)
        statements = document["Statement"]
        for statement in statements if isinstance(statements, list) else [statements]:
            yield place, dict(statement)
    except (ValueError, TypeError, KeyError, RecursionError):
        yield place, Doubt(address, place, "it is no policy document")


def _excess(statement: dict[str, Any]) -> str:
    """Return what is too much in a statement that allows, "" for nothing."""
    if "NotAction" in statement:
        return "NotAction, which allows all but a few"
    everywhere = "NotResource" in statement or "*" in _list(statement.get("Resource"))
    for action in map(str, _list(statement.get("Action"))):
        service, _, verb = action.partition(":")
        if "*" in service or (not verb and action.strip("*?") == ""):
            return f"action {action}"
        if verb.strip("*?") == "" and everywhere:
            return f"action {action} on every resource"
        if everywhere and action.lower() in {"iam:passrole", "sts:assumerole"}:
            return f"action {action} on every resource"
    return "" if _list(statement.get("Action")) else "a statement without actions"


def _anybody(statement: dict[str, Any]) -> bool:
    if _bounded(statement.get("Condition")):
        return False
    principal = statement.get("Principal")
    named = principal.values() if isinstance(principal, dict) else [principal]
    return "NotPrincipal" in statement or any("*" in _list(one) for one in named)


def _any_user(statement: dict[str, Any]) -> bool:
    """Tell whether a role trusts all that an identity provider knows: every repository of GitHub, say."""
    principal = statement.get("Principal")
    actions = [str(action).lower() for action in _list(statement.get("Action"))]
    if not isinstance(principal, dict) or "Federated" not in principal:
        return False
    if not any(action in {"sts:assumerolewithwebidentity", "sts:*", "*"} for action in actions):
        return False
    subjects = [
        str(value)
        for operator, tests in (statement.get("Condition") or {}).items()
        if operator.startswith(("StringEquals", "StringLike")) and isinstance(tests, dict)
        for key, values in tests.items()
        if key.lower().endswith((":sub", ":amr"))
        for value in _list(values)
    ]
    return not subjects or any(not value.strip("*?:/") or value.startswith("*") for value in subjects)


def _bounded(condition: Any) -> bool:
    """Tell whether a condition names who may come: AWS calls a policy public without one of these."""
    for operator, tests in condition.items() if isinstance(condition, dict) else ():
        if operator.startswith(("StringEquals", "ArnEquals", "ArnLike", "StringLike", "IpAddress")):
            for key, values in tests.items() if isinstance(tests, dict) else ():
                named = [str(value).partition("/")[0] for value in _list(values)]
                if key.lower() in BOUNDS and named and not {"*", "0.0.0.0", "::"} & set(named):
                    return True
    return False


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _own_policy(plan: Plan, each: Resource) -> bool:
    """Tell whether an attachment is of a policy that this plan makes, and which is judged by itself."""
    return any(
        linked(plan, policy, each.type, "policy_arn", only=each)
        for policy in plan.planned
        if policy.type == "aws_iam_policy"
    )
