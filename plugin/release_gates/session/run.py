"""A run as the ledger knows it: begun, concluded, taken back. Used by the pytest side and by the command line."""

from __future__ import annotations
