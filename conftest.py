"""Which probes and fixtures the suites of this instance use."""

pytest_plugins = [
    "release_gates.probes.benchmark.fixtures",
    "release_gates.probes.container.fixtures",
    "release_gates.probes.coverage.fixtures",
    "release_gates.probes.junit.fixtures",
    "release_gates.probes.kubernetes.fixtures",
    "release_gates.probes.load.fixtures",
    "release_gates.probes.machine.fixtures",
    "release_gates.probes.machine.hosts.fixtures",
    "release_gates.probes.sarif.fixtures",
    "release_gates.probes.sbom.fixtures",
    "release_gates.probes.service.fixtures",
    "release_gates.probes.terraform.fixtures",
    "fixtures.sources",
    "fixtures.docker_engine",
    "fixtures.deployment",
    "fixtures.exchange",  # imports the probe's fixtures, which have to be known as plugins by then
]
