"""Frozen data types of the whole project. No I/O, no pytest, no SDK."""
