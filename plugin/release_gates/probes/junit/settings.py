"""What policy may say of imported JUnit files, as ``[gate.NAME.junit]``."""

from __future__ import annotations

import msgspec


class JunitSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the JUnit files of a gate are believed.

    ``commit`` lists the properties by which a file says on which commit its tests ran; where one is there it
    has to be the candidate's. ``commit_required`` refuses a file that has none of them.
    """

    commit: tuple[str, ...] = ("commit", "git.commit", "GIT_COMMIT")
    commit_required: bool = False
