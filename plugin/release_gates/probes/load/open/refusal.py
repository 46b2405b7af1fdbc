"""Why a run cannot be made, or cannot go on."""

from __future__ import annotations


class CannotRun(Exception):
    """One sentence for people: what, where, and what to do. It travels as the last frame's ``because``."""
