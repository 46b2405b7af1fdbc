"""The catalogue: every rule with its severity, what other catalogues call it, and what to write instead."""

from __future__ import annotations

from release_gates.model.rule import Row, catalogue
from release_gates.model.severity import Severity

C, H, M, L = Severity

_ROWS: tuple[Row, ...] = (
    # -- Dockerfile: the stage that is released ---------------------------------------------------
    ("DF01", H, "CIS 4.1, CKV_DOCKER_3, DL3002", "the Dockerfile's user is root", "USER 65532:65532"),
    (
        *("DF02", M, "CKV_DOCKER_7, DL3006, DL3007", "a base image has no tag, or latest"),
        "FROM name:version@sha256:…",
    ),
    ("DF03", M, "", "a base image is not pinned by digest", "FROM name:version@sha256:…"),
    (
        *("DF04", H, "CIS 4.2, CIS 4.3, DL3026", "the base image is not in the allow-list"),
        "FROM scratch, or one of `bases` in the policy",
    ),
    (
        *("DF05", C, "CIS 4.10, DS-0031, DL3064", "a secret is written into the image"),
        "RUN --mount=type=secret at build time, a secrets mount at run time",
    ),
    (
        *("DF06", H, "CKV2_DOCKER_2-16", "a check of TLS or of signatures is switched off"),
        "the command without that switch, with the certificate that it needs",
    ),
    (
        *("DF07", M, "CKV2_DOCKER_1, CKV2_DOCKER_17, DS-0010, DL3004", "sudo or chpasswd is used"),
        "USER, and no password at all",
    ),
    (
        *("DF08", M, "CIS 4.7, CKV_DOCKER_5, DL3008, DL3013, DL3018", "packages are not pinned"),
        "update and install in one RUN, with name=version",
    ),
    ("DF09", L, "CIS 4.9, CKV_DOCKER_4, DL3020", "ADD where COPY does", "COPY, or ADD --checksum=sha256:…"),
    (
        *("DF10", M, "DL3025", "the command is in shell form, so that SIGTERM never arrives"),
        'ENTRYPOINT ["/program", "argument"]',
    ),
    (
        *("DF11", M, "", "what builds is in what is released"),
        "a second FROM, and COPY --from=build of the program alone",
    ),
    (
        *("DF12", L, "CIS 4.6, CKV_DOCKER_2, DL3057", "there is no HEALTHCHECK in exec form"),
        'HEALTHCHECK CMD ["/program", "--healthcheck"]',
    ),
    ("DF13", L, "CKV_DOCKER_1, CKV_DOCKER_10", "ssh is exposed, or WORKDIR is relative", "WORKDIR /app"),
    ("DF14", M, "hadolint", "hadolint reports something else", "what hadolint's page of that rule says"),
    # -- Image ------------------------------------------------------------------------------------
    ("IM01", H, "CIS 4.1, DI-0001", "the image's user is root", "USER 65532:65532"),
    ("IM02", M, "", "the image is larger than its budget", "a multi-stage build FROM scratch"),
    (
        *("IM03", C, "CIS 4.10, DI-0010", "there is a secret in a layer, the history or the environment"),
        "a secrets mount at run time, and a new secret: this one is known",
    ),
    (
        "IM04",
        H,
        "CIS 4.8, DI-0008",
        "a program runs with another user's rights",
        "chmod a-s, or leave it out",
    ),
    (
        "IM05",
        M,
        "CIS 4.3",
        "a shell, package manager or compiler is in the image",
        "FROM scratch or distroless",
    ),
    (
        "IM06",
        L,
        "CIS 4.6, DI-0006",
        "there is no HEALTHCHECK",
        'HEALTHCHECK CMD ["/program", "--healthcheck"]',
    ),
    (
        "IM07",
        M,
        "",
        "a required platform is absent",
        "docker buildx build --platform linux/amd64,linux/arm64",
    ),
    ("IM08", M, "CIS 5.28, DKL-DI-0006", "the image is not known by digest, or by latest", "name@sha256:…"),
    (
        *("IM09", L, "CIS 4.4", "the image does not say where it comes from, or is old"),
        "LABEL org.opencontainers.image.revision and .source; build again",
    ),
    (
        *("IM10", H, "LI-0001, LI-0002", "an account has no password, or two have one uid"),
        "`!` as the password, one uid for each",
    ),
    (
        *("IM11", H, "CIS 4.4", "known vulnerabilities stand against the image"),
        "a base image or package in which they are mended",
    ),
    ("IM12", H, "CIS 4.5, CIS 4.12", "the image is not signed", "cosign sign name@sha256:…"),
    # -- Running container ------------------------------------------------------------------------
    ("CR01", C, "CIS 5.5", "the container is privileged", "privileged: false"),
    ("CR02", H, "CIS 5.4", "not all capabilities are dropped", "cap_drop: [ALL]"),
    ("CR03", H, "CIS 5.4", "a capability outside the allow-list is added", "cap_add without it"),
    (
        "CR04",
        H,
        "CIS 5.13",
        "the root file system can be written",
        "read_only: true, and tmpfs where it must",
    ),
    ("CR05", H, "CIS 5.26", "a program may gain privileges", "security_opt: [no-new-privileges:true]"),
    ("CR06", H, "CIS 5.22", "system calls are not filtered", "security_opt without seccomp=unconfined"),
    (
        "CR07",
        M,
        "CIS 5.2, CIS 5.3",
        "AppArmor does not confine it",
        "security_opt: [apparmor=docker-default]",
    ),
    ("CR08", H, "CIS 4.1", "it runs as root", 'user: "65532:65532"'),
    ("CR09", M, "KSV-0116", "it runs in the group root", 'user: "65532:65532", both of them'),
    (
        "CR10",
        H,
        "CIS 5.11",
        "memory is not limited, or swap is not",
        "mem_limit, and memswap_limit equal to it",
    ),
    ("CR11", M, "CIS 5.29", "the number of processes is not limited", "pids_limit: 64"),
    ("CR12", M, "CIS 5.12", "CPU is not limited", "cpus or cpuset"),
    (
        *("CR13", H, "CIS 5.10, CIS 5.16, CIS 5.17, CIS 5.21, CIS 5.31"),
        *("it shares a namespace with the host", "no network_mode, pid, ipc, uts or userns_mode: host"),
    ),
    ("CR14", C, "CIS 5.32", "the socket of a container engine is mounted", "no such mount"),
    (
        "CR15",
        H,
        "CIS 5.6",
        "a sensitive path of the host is mounted",
        "a named volume, or the one file, read-only",
    ),
    ("CR16", M, "CIS 5.20", "mounts spread between host and container", "propagation rprivate"),
    ("CR17", M, "CIS 5.18", "a device outside the allow-list is given", "devices without it"),
    (
        "CR18",
        M,
        "CIS 5.8, CIS 5.14",
        "a port is open that nobody declared, or to everybody",
        '"127.0.0.1:8080:8080"',
    ),
    ("CR19", L, "CIS 5.15", "it is restarted for ever", "restart: on-failure:5"),
    ("CR20", M, "CIS 5.27", "it is not known to be healthy", "healthcheck with an exec-form test"),
    ("CR21", C, "", "there is a secret in the environment or the command", "a secrets mount"),
    ("CR22", H, "", "it does not run the released image", "image: name@sha256:… of the candidate"),
    ("CR23", M, "CIS 5.19", "resource limits are not those of the profile", "ulimits as in the profile"),
    (
        "CR24",
        L,
        "CIS 5.25, CIS 5.30",
        "it is in the default network or another cgroup",
        "networks of its own",
    ),
)

CATALOGUE = catalogue(_ROWS)
"""All rules by id, in the order in which people read them."""


def ids(*families: str) -> tuple[str, ...]:
    """Return the ids of some families (``DF``, ``IM``, ``CR``), in order."""
    return tuple(identity for identity in CATALOGUE if identity.startswith(families))
