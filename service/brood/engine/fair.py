"""Fair queueing between parties that share a device, each of which may be shared in turn.

A share's *start tag* is the service it has had, in predicted seconds divided by its weight; the lowest tag among the
children of one parent is served next. Whoever begins to have work begins at the parent's *level*, the service that its
children with work have had on average: idle time earns nothing, a newcomer need not wait until it is level with those
that have had more, and no stream of newcomers goes before somebody for ever, because the level rises with all service.

Tags: Goyal, Vin and Cheng 1996, Start-time Fair Queueing, section 2.2 for the hierarchy. A batch is several packets in
service at once: their *virtual time* is the lowest of their tags. Level: the virtual time of Bennett and Zhang 1997,
Hierarchical Packet Fair Queueing Algorithms (WF2Q+), without which a stream of newcomers does starve others.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable


class Share:
    """A party: the device, a class of requests, a tenant, or a request."""

    __slots__ = ("level", "load", "parent", "shared", "tag", "virtual", "weight")

    def __init__(self, parent: Share | None = None, weight: float = 1.0) -> None:
        self.parent, self.weight = parent, weight
        self.load: float = 0.0  # weight of its children with work
        self.level: float = 0.0  # where a child begins
        self.virtual: float = 0.0  # lowest tag of its children in service
        self.shared: float = 0.0  # service that a child with work would have had so far if all had had the same
        self.tag: float = 0.0 if parent is None else parent.level  # seconds of service divided by weight

    def enter(self) -> None:
        """Begin to have work; so with all above that had none."""
        share = self
        while (parent := share.parent) is not None:
            share.tag = max(share.tag, parent.level)
            parent.load += share.weight
            if parent.load > share.weight:
                return
            share = parent

    def leave(self) -> None:
        """Have no more work; so with all above that have no other."""
        share = self
        while (parent := share.parent) is not None:
            parent.load -= share.weight
            if parent.load > 0:
                return
            share = parent

    def join(self) -> None:
        """Begin, after a time of waiting for something else than the device, where those in service are."""
        share = self
        while share.parent is not None:
            share.tag = max(share.tag, share.parent.virtual)
            share = share.parent


class Ledger:
    """The payments of one batch.

    Tags rise with every payment, so that the next row of the batch goes to whoever is then the lowest; virtual times
    move when all have paid.
    """

    def __init__(self) -> None:
        self._lowest: dict[Share, float] = {}  # parent → lowest tag of its children in service
        self._paid: defaultdict[Share, float] = defaultdict(float)  # parent → what its children have paid

    def pay(self, shares: Iterable[Share], seconds: float) -> None:
        """Count predicted seconds of service, so many for each of these shares, and so for all above them."""
        lowest, above = self._lowest, dict[Share, float]()
        for share in shares:
            parent = share.parent
            if parent is not None:
                if share.tag < lowest.get(parent, math.inf):
                    lowest[parent] = share.tag
                share.tag += seconds / share.weight
                above[parent] = above.get(parent, 0.0) + seconds
        for party, paid in above.items():
            self._pay_up(party, paid)

    def _pay_up(self, share: Share, seconds: float) -> None:
        """A child has paid: count it for the share and all above it."""
        lowest, paid = self._lowest, self._paid
        paid[share] += seconds
        while (parent := share.parent) is not None:
            if share.tag < lowest.get(parent, math.inf):
                lowest[parent] = share.tag
            share.tag += seconds / share.weight
            paid[parent] += seconds
            share = parent

    def close(self) -> None:
        """Let virtual times and levels follow."""
        for parent, tag in self._lowest.items():
            parent.virtual = max(parent.virtual, tag)
            if parent.load > 0:
                parent.shared += self._paid[parent] / parent.load
                parent.level = max(parent.level + self._paid[parent] / parent.load, parent.virtual)


class Haste:
    """Requests at risk go before the others of their class, but not for ever: the others have a part of the time."""

    __slots__ = ("_ahead_s",)

    def __init__(self) -> None:
        self._ahead_s = 0.0  # device seconds that the others have had beyond their part

    @property
    def others_turn(self) -> bool:
        """Whether the others, if there are any, go first."""
        return self._ahead_s < 0

    def pay(self, hurried_s: float, others_s: float) -> None:
        """Count the device seconds of one call. Neither side saves up more than one call gives it."""
        part = hurried_s * PART
        self._ahead_s = max(-part, min(self._ahead_s + others_s - part, max(self._ahead_s, others_s)))


PART = 1 / 16  # of the seconds of those at risk
