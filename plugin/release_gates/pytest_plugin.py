"""pytest11 entry point: options, ini keys, marks and registration. Light until there are gates."""

from __future__ import annotations

import pytest

OPTIONS = {
    "policy": ("DIR", "folder of the policy (default: gates/ in the root folder)"),
    "candidate": ("FILE", "the release candidate (default: candidate.toml in the root folder)"),
    "ledger": ("URL", "the ledger (default: .gates/ledger.db, created when absent)"),
    "route": ("NAME", "the route of gates/environments.toml that is asked for (default: normal)"),
    "evidence": ("FILE", "where to write the evidence (default: .gates/evidence/RUN.jsonl)"),
    "lock": ("DIR", "folder of this host's lock, the same for all its users (default: /run/lock, or /tmp)"),
    "lock-timeout": ("TIME", "how long a test of a gate waits for the host (default: 10m)"),
    "wait-quiet": ("TIME", "how long an exclusive gate waits for a quiet host (default: not at all)"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--gate-…`` options; each has an ini key and an environment variable of the same name."""
    group = parser.getgroup("release gates")
    for name, (metavar, text) in OPTIONS.items():
        key = f"gate_{name.replace('-', '_')}"
        group.addoption(f"--gate-{name}", metavar=metavar, dest=key, default=None, help=text)
        parser.addini(key, text)
    group.addoption(
        "--gate-part",
        action="store_true",
        help="measure a part: write evidence, decide nothing (join parts by `release-gates decide`)",
    )


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare ``pytest_gate_…``."""
    from release_gates import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the marks; where there is a policy, switch the gates on."""
    config.addinivalue_line("markers", "gate(name): this test belongs to the release gate NAME of the policy")
    if hasattr(config, "workerinput") or _has_gates(config):
        from release_gates.session.activation import activate

        activate(config)


def _has_gates(config: pytest.Config) -> bool:
    from release_gates.session.settings import policy_folder

    return policy_folder(config).is_dir() or "gate_" in str(config.option.markexpr)
