"""Who shares the device: classes by weight, the tenants of a class equally, the requests of a tenant equally."""

from __future__ import annotations

from collections.abc import Sequence

from brood.engine.fair import Haste, Ledger, Share
from brood.engine.groups import PRIORITIES
from brood.engine.rows import Job
from brood.protocol.requests import Priority

IDLE_TENANTS = 1000  # remembered, so that leaving and coming back earns nothing
Rank = tuple[float, ...]


class Parties:
    """The tree of shares, and the order in which it is served.

    A request at risk of missing its deadline is served in the class *interactive*, whatever its own: it was promised.
    """

    def __init__(self) -> None:
        self._device = Share()
        self._classes = {name: Share(self._device, weight) for name, weight in PRIORITIES.items()}
        self._tenants: dict[tuple[Priority, str], Share] = {}
        self.previews = Share(self._device)
        self.haste = Haste()

    def enter(self, job: Job) -> None:
        """Give a job that has just arrived its share."""
        key = priority, _ = job.generation.priority, job.generation.tenant
        if key not in self._tenants:
            self._forget_idle_tenants()
            self._tenants[key] = Share(self._classes[priority])
        job.share = Share(self._tenants[key])
        job.share.enter()

    def order(self) -> list[Priority]:
        """The classes, the one to be served next first."""
        return sorted(PRIORITIES, key=lambda name: (self._classes[name].tag, name == "bulk"))

    def rank(self, job: Job) -> Rank:
        """The lowest is served first."""
        priority, tenant = job.generation.priority, job.share.parent
        served: Priority = "interactive" if job.urgent else priority
        above = (self._classes[served].tag, float(served == "bulk"), float(job.urgent is self.haste.others_turn))
        if job.generation.deadline is not None and job.urgent:
            return (*above, job.generation.deadline)
        return (*above, 0.0 if tenant is None else tenant.tag, job.share.tag, float(job.order))

    def pay(self, jobs: Sequence[Job], seconds: float) -> None:
        """Count seconds of the device, shared by jobs that run together and are not at risk."""
        ledger = Ledger()
        ledger.pay((job.share for job in jobs), seconds / len(jobs))
        ledger.close()
        self.haste.pay(0.0, seconds)

    def preview_rank(self) -> Rank:
        """The rank of previews."""
        return self.previews.tag, float(len(PRIORITIES))

    def _forget_idle_tenants(self) -> None:
        """Forgotten are those without requests whose tag would not count any more if they came back."""
        if len(self._tenants) < IDLE_TENANTS:
            return
        for key, share in list(self._tenants.items()):
            if not share.load and share.tag <= self._classes[key[0]].level:
                del self._tenants[key]
