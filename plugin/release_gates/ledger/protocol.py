"""What every ledger store can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from release_gates.ledger.chain import Damage
from release_gates.model.event import Event, Fact


class Ledger(Protocol):
    """An append-only chain of events. ``local`` says that nobody signs it: scratch, not authority."""

    url: str
    local: bool

    def append(self, fact: Fact, *, at: datetime) -> Event:
        """Append one fact; ``LedgerError`` where the store or the clock refuses."""
        ...

    def append_after(self, decide: Callable[[Sequence[Event]], Fact], *, at: datetime) -> Event:
        """Append what ``decide`` makes of all events so far, with nobody else appending in between.

        ``LedgerError`` if the chain is damaged; what ``decide`` raises leaves the ledger as it was.
        """
        ...

    def events(self) -> Iterator[Event]:
        """Yield every event, the oldest first; ``LedgerError`` for one that cannot be read."""
        ...

    def head(self) -> str:
        """Return the digest of the last event, 64 zeros for none."""
        ...

    def verify(self, *, heads: Sequence[str] = ()) -> tuple[Damage, ...]:
        """Return all damage; each of ``heads`` must be the digest of some event."""
        ...
