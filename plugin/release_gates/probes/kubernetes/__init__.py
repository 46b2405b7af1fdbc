"""Kubernetes probe: what manifests or a cluster would run, judged by one set of rules."""
