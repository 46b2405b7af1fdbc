"""Which fixtures the suites use. Probes of the plugin are listed here too."""

pytest_plugins = ["fixtures.exchange"]
