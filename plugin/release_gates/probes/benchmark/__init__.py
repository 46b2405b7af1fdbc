"""Measures builds of a core against each other: paired in one process, or as Google Benchmark executables."""
