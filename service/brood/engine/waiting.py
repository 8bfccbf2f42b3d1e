"""Requests of one class whose rows wait to begin in one group: who is next.

Between tenants, the lowest tag (`brood.engine.fair`). Between the requests of a tenant, whichever would be finished
first if all of them had the same share of the device all the time; that is fixed when a request arrives (the finish
time of Parekh and Gallager 1993, A Generalized Processor Sharing Approach to Flow Control; the order of Friedman and
Henderson 2003, Fairness and Efficiency in Web Server Protocols). So none is finished later than with equal shares, and
most much sooner: short ones do not queue behind long ones, and the rows of a request are made together instead of in
turn with those of others. Nobody starves, because what a newcomer's time is counted from rises with all service.
"""

from __future__ import annotations

import heapq
from operator import attrgetter

from brood.engine.fair import Share
from brood.engine.rows import Job

_tag = attrgetter("tag")


class Waiting:
    """Jobs with rows to begin, tenant by tenant."""

    def __init__(self) -> None:
        self.rows = 0  # that have not begun
        self._tenants: dict[Share, list[tuple[float, int, Job]]] = {}

    def push(self, job: Job) -> None:
        """Take a job that has just arrived here."""
        tenant = job.share.parent
        if tenant is None:
            raise RuntimeError("a job's share is a part of its tenant's")
        job.door, job.due = self, job.due or tenant.shared + job.work_s
        heapq.heappush(self._tenants.setdefault(tenant, []), (job.due, job.order, job))
        self.rows += job.rows_open

    def less(self, rows: int) -> None:
        """So many have begun, or will never begin."""
        self.rows -= rows
        if not self.rows:
            self._tenants.clear()

    def first(self) -> Job | None:
        """The job whose row should begin next: of the tenant with the lowest tag, the one that should finish first."""
        while self._tenants:
            tenant = self._next_tenant()
            job = self._lowest(self._tenants[tenant])
            if job is not None:
                return job
            del self._tenants[tenant]
        return None

    def soon(self, most: int) -> list[Job]:
        """Some of the jobs whose turn is near."""
        if not self.rows:
            return []
        heap = self._tenants[self._next_tenant()]
        return [job for _, _, job in heap[:most] if self._waits(job)]

    def oldest(self) -> float:
        """When the first of them arrived."""
        return min(job.arrived for heap in self._tenants.values() for _, _, job in heap if self._waits(job))

    def _next_tenant(self) -> Share:
        tenants = self._tenants
        return next(iter(tenants)) if len(tenants) == 1 else min(tenants, key=_tag)

    def _lowest(self, heap: list[tuple[float, int, Job]]) -> Job | None:
        while heap and not self._waits(heap[0][2]):
            heapq.heappop(heap)
        return heap[0][2] if heap else None

    def _waits(self, job: Job) -> bool:
        """Whether it has rows to begin, and here: those behind a head may begin in another group."""
        return job.rows_open > 0 and job.door is self
