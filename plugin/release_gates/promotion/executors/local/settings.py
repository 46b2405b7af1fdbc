"""Settings of the executor ``local`` that could not work, or that a proxy would read as something else."""

from __future__ import annotations

import re
from ipaddress import ip_address
from math import isfinite

from release_gates.errors import DeployError
from release_gates.model.deploy_settings import LocalSettings


def check_settings(settings: LocalSettings) -> None:
    """Refuse settings that haproxy or the kernel could read as something else."""
    host, _, port = settings.listen.rpartition(":")
    try:
        ip_address(host.strip("[]"))
        ports = (*settings.ports, int(port))
    except ValueError:
        raise _refused("listen", settings.listen, "an address and a port, as in 127.0.0.1:8080") from None
    if len(set(ports)) != 3 or not all(0 < each < 65536 for each in ports):
        raise _refused("ports", str(ports), "two ports besides that of listen")
    if not re.fullmatch(r"/[A-Za-z0-9._~/?&=%-]*", settings.ready):
        raise _refused("ready", settings.ready, "a path, as in /ready")
    if settings.handover == "none" and any("{state}" in word for word in settings.arguments):
        wanted = 'without {state}: two journals of which neither knows the other. Use handover = "journal"'
        raise _refused("arguments", " ".join(settings.arguments), wanted)
    for name in ("drain_s", "start_timeout_s", "stop_timeout_s"):
        if not isfinite(value := getattr(settings, name)) or value < 0:
            raise _refused(name, str(value), "seconds")


def check_times(settings: LocalSettings, timeout_s: float) -> None:
    """Refuse times that together are longer than a step may take."""
    longest_s = settings.drain_s + settings.start_timeout_s + 2 * settings.stop_timeout_s
    if longest_s > timeout_s:
        wanted = f"less: drain, start and twice stop may take {longest_s:g} s, and a step {timeout_s:g} s"
        raise _refused("start_timeout_s", str(settings.start_timeout_s), wanted)


def _refused(name: str, value: str, wanted: str) -> DeployError:
    return DeployError(
        f"deploy.local.{name} = {value!a:.100} is not {wanted}.",
        slug="deploy-settings",
        hint="Mend it in the environment's deploy table.",
    )
