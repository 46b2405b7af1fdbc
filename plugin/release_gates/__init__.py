"""Release gates for pytest: measure a release candidate, judge it by policy, PROMOTE or HOLD."""

TOOL = "pytest-release-gates 0.1.0"
"""Name and version of this plugin, part of the rules that a verdict was made by."""
