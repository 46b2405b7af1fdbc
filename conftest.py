"""Which probes and fixtures the suites of this instance use."""

pytest_plugins = [
    "fixtures.exchange",
    "release_gates.probes.coverage.fixtures",
    "release_gates.probes.service.fixtures",
]
