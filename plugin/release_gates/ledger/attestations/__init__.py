"""Signed statements on evidence and verdicts. The command line and promotion come here, pytest never."""
