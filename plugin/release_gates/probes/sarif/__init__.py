"""SARIF probe: what static analysis found, new or known, and which of it blocks."""
