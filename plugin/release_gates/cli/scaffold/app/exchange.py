"""A toy exchange: one symbol, limit orders, price-time priority. Put your own system here."""

from __future__ import annotations

import bisect
from collections import deque
from dataclasses import dataclass, field


@dataclass
class Order:
    """An order at a price in ticks; ``open`` is the quantity that is not filled yet."""

    number: int
    side: str
    price: int
    open: int


@dataclass
class Side:
    """One side of the book. A key is a price, negated for bids, so that the smallest key is the best."""

    sign: int
    levels: dict[int, deque[Order]] = field(default_factory=dict)
    keys: list[int] = field(default_factory=list)
    looked_at: int = 0

    def best(self) -> int | None:
        """Return the best key, or None where nobody rests."""
        return self._look(self.keys[0]) if self.keys else None

    def rest(self, order: Order) -> None:
        """Put an order behind the others of its price."""
        key = self.sign * order.price
        if key not in self.levels:
            self.levels[key] = deque()
            bisect.insort(self.keys, key)
        self.levels[key].append(order)

    def remove(self, order: Order) -> None:
        """Take an order off the book."""
        key = self.sign * order.price
        self.levels[key].remove(order)
        if not self.levels[key]:
            del self.levels[key]
            self.keys.remove(key)

    def _look(self, key: int) -> int:
        self.looked_at += 1
        return key


@dataclass
class Exchange:
    """Two sides of resting orders."""

    bids: Side = field(default_factory=lambda: Side(sign=-1))
    asks: Side = field(default_factory=lambda: Side(sign=1))

    def place(self, order: Order) -> list[tuple[int, int, int]]:
        """Match an order, rest what is left of it, and return the fills (resting order, price, quantity)."""
        own, other = (self.bids, self.asks) if order.side == "buy" else (self.asks, self.bids)
        fills = []
        while order.open:
            key = other.best()
            if key is None or key > other.sign * order.price:
                own.rest(order)
                break
            resting = other.levels[key][0]
            quantity = min(order.open, resting.open)
            order.open -= quantity
            resting.open -= quantity
            fills.append((resting.number, resting.price, quantity))
            if not resting.open:
                other.remove(resting)
        return fills

    def cancel(self, number: int) -> bool:
        """Take an order off the book; False if it is not there."""
        for side in (self.bids, self.asks):
            for order in [order for level in side.levels.values() for order in level]:
                if order.number == number:
                    side.remove(order)
                    return True
        return False
