"""Requests with deadlines: who has missed it, who is at risk, and whether one more would fit.

The measure is demand (Baruah, Rosier and Howell 1990): by each deadline, all work that is due until then must be done.
A request takes at most the time of the work that is due before it, in full calls, and its own way: as each call that it
has no place in is full (Graham 1966, Bounds for certain multiprocessing anomalies). Not quite, where rows at risk need
different graphs: so what such rows really take of calls that others wait for is measured (`dilution`).

Requests are *at risk* when this is more than a part of the time that is left; then they are served by their deadlines.
So nobody is hurried while there is time, and hurrying begins while it can still help.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import defaultdict

from brood.engine.model import Group
from brood.engine.rows import Job

RISK = 0.15  # at risk when what is due takes more than this part of the time left
OTHERS = 2.0  # admitted as if what is due before took so many times as long: more, due earlier, may still come
OWN = 1.1  # and its own way so many times as long as predicted
MEMORY = 0.99  # of dilution, from call to call
TRIES = 16  # to find out when a request that is refused should come back
ASSESS_S = 5e-5  # risk is assessed at most so often, for each request with a deadline: it takes a hundredth of that

Entry = tuple[float, int, Job]  # deadline, order of arrival


class Deadlines:
    """All running jobs that have one, in the order of their deadlines."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._assessed = -math.inf
        self._urgent: dict[tuple[Group, str], list[Job]] = {}
        self._spent_s, self._worth_s = 0.0, 0.0
        self.dilution = 1.0  # device seconds that a second of work at risk takes
        self.any_at_risk = False  # as of the last `assess`
        self.risk_at = math.inf  # engine clock at which one more will be at risk, as of the last `assess`

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, job: Job) -> None:
        """Watch a job, if it has a deadline."""
        if job.generation.deadline is not None:
            insort(self._entries, (job.generation.deadline, job.order, job))
            self._assessed = -math.inf

    def remove(self, job: Job) -> None:
        """A job has ended."""
        deadline = job.generation.deadline
        if deadline is not None:
            place = bisect_left(self._entries, (deadline, float(job.order)), key=_when)
            del self._entries[place]
            if not self._entries:
                self._urgent, self.risk_at, self.any_at_risk = {}, math.inf, False

    def missed(self, now: float) -> list[Job]:
        """The jobs whose deadline has passed."""
        return [job for _, _, job in self._entries[: bisect_left(self._entries, (now, math.inf), key=_when)]]

    def assess(self, now: float) -> None:
        """Find out who is at risk; does nothing if that was done just now."""
        if not self._entries or now - self._assessed < ASSESS_S * len(self._entries):
            return
        self._assessed, self.risk_at, demand, risky = now, math.inf, 0.0, 0
        for place, (deadline, _, job) in enumerate(self._entries, 1):
            risk_at = deadline - (demand * self.dilution + job.left_s) / RISK
            demand += job.work_s
            if risk_at < now:
                risky = place
            else:
                self.risk_at = min(self.risk_at, risk_at)
        self.any_at_risk = risky > 0
        urgent = defaultdict[tuple[Group, str], list[Job]](list)
        for place, (_, _, job) in enumerate(self._entries):
            job.urgent = place < risky
            if job.urgent and job.rows_open:
                urgent[job.entrance.group, job.generation.priority].append(job)
        self._urgent = urgent

    def first(self, group: Group, priority: str) -> Job | None:
        """Of the jobs at risk with rows to begin, the one with the earliest deadline."""
        found = self._urgent.get((group, priority), [])
        while found and not (found[0].rows_open and found[0].entrance.group is group):
            found.pop(0)
        return found[0] if found else None

    def served(self, call_s: float, worth_s: float) -> None:
        """Learn from a call that others wait for, with rows at risk among its own.

        Args:
            call_s: predicted seconds of it.
            worth_s: what those rows take of full calls.
        """
        if worth_s > 0:
            self._spent_s = MEMORY * self._spent_s + call_s
            self._worth_s = MEMORY * self._worth_s + worth_s
            self.dilution = max(1.0, self._spent_s / self._worth_s)

    def wait_s(self, job: Job, now: float) -> float:
        """After how many seconds the same request would fit in if nothing else came; 0: it does now.

        Args:
            job: one that has a deadline, is not here yet, and fits in where nothing else is.
            now: engine clock.
        """
        wait, most = 0.0, self.dilution * sum(other.work_s for _, _, other in self._entries)
        for _ in range(TRIES):
            short = self._short_s(job, now, wait)
            if short <= 0 or wait >= most:
                return wait
            wait = min(most, wait + short)
        return most  # nothing else is left then

    def _short_s(self, job: Job, now: float, wait: float) -> float:
        """By how many seconds it does not fit if it comes after ``wait``, which are spent on what is due first."""
        left, come = (job.generation.deadline or now) - now, now + wait
        place = bisect_left(self._entries, (come + left, math.inf), key=_when)
        before = self.dilution * sum(other.work_s for _, _, other in self._entries[:place]) - wait
        short = OTHERS * max(0.0, before) + OWN * job.left_s - left
        for deadline, _, other in self._entries[place:]:
            more = max(0.0, before) + self.dilution * job.work_s
            short = max(short, OTHERS * more + OWN * other.left_s - (deadline - come))
            before += self.dilution * other.work_s
        return short


def _when(entry: Entry) -> tuple[float, float]:
    return entry[0], float(entry[1])
