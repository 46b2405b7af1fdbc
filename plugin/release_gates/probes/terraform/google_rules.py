"""Rules on Google's resources that no table can tell: firewalls, addresses, members and roles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from release_gates.model.foreign import plain
from release_gates.probes.terraform.attributes import is_exposed, unknown_value
from release_gates.probes.terraform.links import is_declared
from release_gates.probes.terraform.plan import Plan, Resource
from release_gates.probes.terraform.reach import ALL_PORTS, Ports, entries, port_range, world
from release_gates.probes.terraform.rule import Doubt, Fault
from release_gates.probes.terraform.settings import TerraformSettings
from release_gates.probes.terraform.values import Not, at

FIREWALL, SQL, DATASET = "google_compute_firewall", "google_sql_database_instance", "google_bigquery_dataset"
ADDRESSES = ("google_compute_address", "google_compute_global_address")
MACHINES = ("google_compute_instance", "google_compute_instance_template")
GRANTED = (
    *("google_bigquery_dataset", "google_cloud_run_v2_service", "google_kms_crypto_key", "google_project"),
    *("google_pubsub_subscription", "google_pubsub_topic", "google_secret_manager_secret"),
    *("google_service_account", "google_storage_bucket"),
)
MEMBERS = {
    **{f"{one}_iam_member": "member" for one in GRANTED},
    **{f"{one}_iam_binding": "members.+" for one in GRANTED},
}
LISTED = {"google_storage_bucket_access_control": "entity", "google_storage_object_access_control": "entity"}
EVERYBODY = frozenset({"allusers", "allauthenticatedusers"})
TOO_MUCH = frozenset({"roles/owner", "roles/editor", "roles/resourcemanager.projectIamAdmin"})
KINDS = frozenset({FIREWALL, SQL, DATASET, *ADDRESSES, *MACHINES, *MEMBERS, *LISTED})


def open_to_anybody(plan: Plan, each: Resource, settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF03: yield firewalls that let the world in, and databases that accept its addresses."""
    if each.type == FIREWALL and all(one.value != "EGRESS" for one in at(each, "direction")):
        yield from _firewall(plan, each, settings)
    if each.type == SQL:
        for one in at(each, "settings.*.ip_configuration.*.authorized_networks.*.value"):
            if one.value is Not.KNOWN:
                yield unknown_value(each.address, one.place)
            else:
                yield from entries(each, one.place, one.value, [("SQL", *ALL_PORTS)], settings)


def public(each: Resource, settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    """TF04: yield machines with a public address, and addresses for them."""
    if is_exposed(each, settings):
        return
    if each.type in MACHINES:
        for path in ("network_interface.*.access_config", "network_interface.*.ipv6_access_config"):
            for one in at(each, path):
                if one.value is Not.KNOWN:
                    yield unknown_value(each.address, one.place)
                elif one.value not in (None, [], Not.THERE):
                    yield Fault(each.address, one.place, "a public address", "none")
    if each.type in ADDRESSES:
        for one in at(each, "address_type"):
            if one.value is Not.KNOWN:
                yield unknown_value(each.address, one.place)
            elif one.value != "INTERNAL":
                yield Fault(each.address, one.place, "a public address", '"INTERNAL"')


def made_public(each: Resource) -> Iterator[Fault | Doubt]:
    """TF05: yield what everybody is given a role on."""
    for path in (MEMBERS.get(each.type), LISTED.get(each.type)):
        for one in at(each, path) if path else ():
            yield from _member(each, one.place, one.value)
    for path in ("access.*.special_group", "access.*.iam_member") if each.type == DATASET else ():
        for one in at(each, path):
            if one.value is not Not.THERE and one.value is not Not.KNOWN:  # the owners alone, if nobody says
                yield from _member(each, one.place, one.value or "nobody")


def too_many_rights(each: Resource) -> Iterator[Fault | Doubt]:
    """TF09: yield roles that are nearly everything."""
    for one in at(each, "role") if each.type in MEMBERS else ():
        if isinstance(one.value, Not):
            yield unknown_value(each.address, one.place)
        elif one.value in TOO_MUCH:
            yield Fault(each.address, one.place, plain(one.value), "a role of few rights")


def _member(each: Resource, place: str, member: Any) -> Iterator[Fault | Doubt]:
    if isinstance(member, Not) or member is None:
        yield unknown_value(each.address, place)
    elif str(member).lower() in EVERYBODY:
        yield Fault(each.address, place, f"for {plain(member)}", "members that are named")


def _firewall(plan: Plan, each: Resource, settings: TerraformSettings) -> Iterator[Fault | Doubt]:
    reached = list(_reached(each))
    if not reached:
        return  # it denies
    if isinstance(reached[0], Doubt):
        yield reached[0]
        return
    ports = [one for one in reached if not isinstance(one, Doubt)]
    sources = [one for one in at(each, "source_ranges.+") if one.value is not Not.THERE]
    others = [
        one
        for name in ("source_tags", "source_service_accounts")
        for one in at(each, f"{name}.*")
        if one.value is not Not.THERE
    ]
    if any(one.value is Not.KNOWN for one in sources) and is_declared(plan, each, "source_ranges"):
        yield unknown_value(each.address, "source_ranges")
    elif not sources and not others:
        yield from world(each, "source_ranges", "no source, which is everybody", ports, settings)
    for one in sources:
        if one.value is not Not.KNOWN:
            yield from entries(each, one.place, one.value, ports, settings)


def _reached(each: Resource) -> Iterator[Ports | Doubt]:
    for allow in at(each, "allow.*.protocol"):
        if isinstance(allow.value, Not):
            yield unknown_value(each.address, allow.place)
            continue
        block = allow.place.removesuffix("protocol")
        for one in at(each, f"{block}ports.+"):
            if one.value is Not.KNOWN:
                yield unknown_value(each.address, one.place)
            elif one.value is Not.THERE:
                yield allow.value, *ALL_PORTS
            else:
                yield allow.value, *port_range(one.value)
