"""Release gates for pytest: measure a release candidate, judge it by policy, PROMOTE or HOLD."""
