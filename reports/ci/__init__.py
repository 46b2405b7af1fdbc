"""Pipelines to copy: GitLab, GitHub Actions, Jenkins."""
