"""The candidate as files: ``candidate.toml``, its artifacts by digest, and whether they still agree."""
