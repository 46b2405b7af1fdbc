"""``python -m release_gates``: the same as ``release-gates``."""

from release_gates.cli import main

main()
