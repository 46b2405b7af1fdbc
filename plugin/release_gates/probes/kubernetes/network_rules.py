"""Rules for networks (NP01 to NP06): the policies of a namespace are judged together, as a cluster does."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from release_gates.probes.kubernetes.faults import clip
from release_gates.probes.kubernetes.findings import Finding
from release_gates.probes.kubernetes.objects import Deployed, Object, Workload, items, mapping
from release_gates.probes.kubernetes.selectors import is_empty, matches, plain, selected
from release_gates.probes.kubernetes.settings import KubernetesSettings

DIRECTIONS = {"Ingress": ("ingress", "from"), "Egress": ("egress", "to")}
EVERY_NAMESPACE = "kubernetes.io/metadata.name"
"""The label that every namespace has."""
WIDE = {4: 8, 6: 7}
"""Prefixes shorter than these are the whole internet in pieces."""


def network_findings(deployed: Deployed, settings: KubernetesSettings) -> Iterator[Finding]:
    """Yield what is wrong with policies, services and ingresses."""
    for namespace in deployed.namespaces:
        policies = deployed.near("NetworkPolicy", namespace)
        yield from _unprotected(deployed, namespace, policies)
        yield from _no_default(namespace, policies)
    for policy in deployed.of_kind("NetworkPolicy"):
        yield from _open_peers(policy)
        yield from _dangling_policy(deployed, policy)
    for service in deployed.of_kind("Service"):
        yield from _dangling_service(deployed, service)
        yield from _exposed(service, settings)
    for ingress in deployed.of_kind("Ingress"):
        yield from _ingress(deployed, ingress)


def directions(policy: Object) -> tuple[str, ...]:
    """Return the directions that a policy isolates; unsaid: Ingress, and Egress if it has rules for it."""
    said = tuple(one for one in items(policy.spec.get("policyTypes")) if one in DIRECTIONS)
    if said:
        return said
    return ("Ingress", "Egress") if items(policy.spec.get("egress")) else ("Ingress",)


def _unprotected(deployed: Deployed, namespace: str, policies: Sequence[Object]) -> Iterator[Finding]:
    for workload in deployed.in_namespace(namespace):
        for direction in DIRECTIONS:
            fitting = (one for one in policies if direction in directions(one))
            if not any(matches(one.spec.get("podSelector"), workload.labels) for one in fitting):
                yield Finding("NP01", workload.title, f"no NetworkPolicy selects its pods for {direction}")


def _no_default(namespace: str, policies: Sequence[Object]) -> Iterator[Finding]:
    for direction, (rules, _) in DIRECTIONS.items():
        denying = (
            one
            for one in policies
            if direction in directions(one)
            and is_empty(one.spec.get("podSelector"))
            and not items(one.spec.get(rules))
        )
        if next(denying, None) is None:
            yield Finding("NP02", f"Namespace/{namespace}", f"it has no default-deny policy for {direction}")


def _open_peers(policy: Object) -> Iterator[Finding]:
    for direction in directions(policy):
        rules, side = DIRECTIONS[direction]
        for rule in items(policy.spec.get(rules)):
            peers = items(mapping(rule).get(side))
            if not peers:
                yield Finding("NP03", policy.title, f"a rule for {direction} names no peer, so it takes all")
            for peer in peers:
                why = _open(mapping(peer))
                if why:
                    yield Finding("NP03", policy.title, f"a peer of {direction} is {why}")


def _open(peer: dict[str, object]) -> str:
    if not peer:
        return "empty"
    if _shuts_none_in(peer.get("namespaceSelector")):
        pods = peer.get("podSelector")
        if pods is None or _shuts_none_in(pods):
            whole = is_empty(peer.get("namespaceSelector")) and (pods is None or is_empty(pods))
            return f"every pod of every namespace{'' if whole else ', but for those that it leaves out'}"
    block = peer.get("ipBlock")
    if block is None:
        return ""
    cidr = str(mapping(block).get("cidr"))
    try:
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return f"no network: {clip(cidr, 40)}"
    return f"{cidr}, which is the internet" if network.prefixlen < WIDE[network.version] else ""


def _shuts_none_in(selector: object) -> bool:
    """Tell whether a selector names nobody: it takes everything, or everything but what it leaves out."""
    if not isinstance(selector, dict) or selector.get("matchLabels"):
        return False
    said = [mapping(one) for one in items(selector.get("matchExpressions"))]
    return all(
        one.get("operator") in {"NotIn", "DoesNotExist"}
        or (one.get("operator") == "Exists" and one.get("key") == EVERY_NAMESPACE)
        for one in said
    )


def _dangling_policy(deployed: Deployed, policy: Object) -> Iterator[Finding]:
    selector = policy.spec.get("podSelector")
    if not is_empty(selector) and not any(selected(deployed, policy.namespace, selector)):
        yield Finding("NP04", policy.title, "its podSelector selects no pod")
    for direction in directions(policy):
        rules, side = DIRECTIONS[direction]
        for rule in items(policy.spec.get(rules)):
            for peer in items(mapping(rule).get(side)):
                own = mapping(peer).get("podSelector")
                near = own is not None and mapping(peer).get("namespaceSelector") is None
                if near and not is_empty(own) and not any(selected(deployed, policy.namespace, own)):
                    yield Finding(
                        "NP04", policy.title, f"a peer of {direction} selects no pod of the namespace"
                    )


def _dangling_service(deployed: Deployed, service: Object) -> Iterator[Finding]:
    selector = service.spec.get("selector")
    if not mapping(selector):
        return
    behind = list(selected(deployed, service.namespace, plain(selector)))
    if not behind:
        yield Finding("NP04", service.title, "its selector selects no pod")
    for port in items(service.spec.get("ports")):
        said = mapping(port)
        target = said.get("targetPort", said.get("port"))
        for workload in behind:
            if not has_port(workload, target):
                yield Finding(
                    "NP04", service.title, f"target port {clip(target, 40)} is no port of {workload.title}"
                )


def has_port(workload: Workload, port: object) -> bool:
    """Tell whether a pod has a port, by its number or name."""
    lasting = workload.pod.spec.lasting()
    ports = [one for container in lasting for one in container.ports or ()]
    return any(port in {one.container_port, one.name} for one in ports) if port is not None else False


def _exposed(service: Object, settings: KubernetesSettings) -> Iterator[Finding]:
    if service.title in settings.exposed:
        return
    kind = service.spec.get("type")
    if kind in {"NodePort", "LoadBalancer"}:
        yield Finding("NP05", service.title, f"its type is {kind}")
    if items(service.spec.get("externalIPs")):
        yield Finding("NP05", service.title, "it has externalIPs")


def _ingress(deployed: Deployed, ingress: Object) -> Iterator[Finding]:
    secured = [mapping(one) for one in items(ingress.spec.get("tls"))]
    hosts = {host for one in secured if one.get("secretName") for host in items(one.get("hosts"))}
    if not secured:
        yield Finding("NP06", ingress.title, "it has no TLS")
    for rule in items(ingress.spec.get("rules")):
        host = mapping(rule).get("host")
        if not isinstance(host, str) or not host or host.startswith("*"):
            yield Finding("NP06", ingress.title, f"a rule is for {clip(host) if host else 'every host'}")
        elif secured and host not in hosts:
            yield Finding("NP06", ingress.title, f"no TLS secret is for {clip(host, 60)}")
        for path in items(mapping(mapping(rule).get("http")).get("paths")):
            yield from _backend(deployed, ingress, mapping(mapping(path).get("backend")))
    if ingress.spec.get("defaultBackend") is not None:
        yield Finding("NP06", ingress.title, "its default backend is for every host")
        yield from _backend(deployed, ingress, mapping(ingress.spec.get("defaultBackend")))


def _backend(deployed: Deployed, ingress: Object, backend: dict[str, object]) -> Iterator[Finding]:
    said = mapping(backend.get("service"))
    if not said:
        return
    service = deployed.find("Service", ingress.namespace, str(said.get("name")))
    if service is None:
        yield Finding("NP04", ingress.title, f"its service {clip(said.get('name'), 60)} does not exist")
        return
    wanted = mapping(said.get("port"))
    ports = [mapping(port) for port in items(service.spec.get("ports"))]
    known = {port.get("name") for port in ports} | {port.get("port") for port in ports}
    if wanted.get("name", wanted.get("number")) not in known:
        yield Finding("NP04", ingress.title, f"{service.title} has no port {clip(wanted, 40)}")
