"""A message for a chat, in the form that Slack's incoming webhooks take. No secret is in any field of it."""

from __future__ import annotations

import json

from release_gates.model.release import Release
from release_gates.report.headline import headline
from release_gates.report.rows import rows

LONGEST = 2900
"""Characters of one block of text; Slack takes 3000."""


def notification(release: Release) -> str:
    """Return the message as JSON: ``text`` for every receiver, ``blocks`` for those that show them."""
    top = headline(release, rows(release))
    candidate = release.candidate
    subject = f"{candidate.name} {candidate.version} ({candidate.digest[:12]})"
    title = f"{top.title}: {subject}, {top.call}"
    lines = [
        top.because,
        *top.counts,
        *top.warnings,
        *top.steps,
        f"Run {release.run}, ledger head {release.head[:12]}",
    ]
    message = {
        "text": _plain(title),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": title[:150]}},
            {"type": "section", "text": {"type": "mrkdwn", "text": _plain("\n".join(lines))[:LONGEST]}},
        ],
    }
    return json.dumps(message, ensure_ascii=False)


def _plain(text: str) -> str:
    """Return text in which nothing is a link or a mention: a sentence may quote what a test printed."""
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, entity)
    return text.replace("@", "@\N{ZERO WIDTH NON-JOINER}").replace("`", "'")
