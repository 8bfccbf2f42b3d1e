"""How many calls follow one another before anything is to be decided: one plan is enough for them.

What comes meanwhile ends a run, unless it could not be in the next call either way.
"""

from __future__ import annotations

from collections.abc import Sequence

from brood.engine.deadlines import Deadlines
from brood.engine.groups import PRIORITIES, GroupQueue
from brood.engine.plan import StepPlan
from brood.engine.rows import Job, Row

RUN_S = 0.05  # predicted seconds that a run of several calls takes at most, so that costs and counts stay fresh


def run_length(queue: GroupQueue, rows: Sequence[Row], bucket: int, deadlines: Deadlines) -> int:
    """The calls that these rows make together if nothing comes and nothing else could run.

    More than one only if the next call would be for the same rows again: nobody who has begun is left out, nobody is at
    risk of missing a deadline, and whoever waits is of the same class, and so behind those that have begun.

    Args:
        queue: theirs, without them.
        rows: of the call that is planned.
        bucket: of it.
        deadlines: as assessed now.
    """
    costs, graph = queue.model.costs, queue.group.graph
    if not rows[0].call.stage.per_step or queue.ready or deadlines.any_at_risk or bucket > costs.cap(graph):
        return 1
    waiting = {priority for priority in PRIORITIES if queue.could_begin(priority)}
    if waiting and len(waiting | {row.job.generation.priority for row in rows}) > 1:
        return 1
    steps = int(RUN_S / costs.seconds(graph, bucket))
    for row in rows:
        steps = min(steps, row.run)
        if steps <= 1:
            return 1
    return steps


def goes_by(plan: StepPlan, job: Job) -> bool:
    """Whether a job that has come would be in none of a run's calls if each had a plan of its own.

    It waits for the places of those that run: there is none left, and nothing lets it go before them.
    """
    generation, graph = job.generation, plan.group.graph
    return (
        len(plan.rows) >= plan.model.costs.cap(graph)
        and job.entrance.group is plan.group
        and generation.deadline is None
        and all(row.job.generation.priority == generation.priority for row in plan.rows)
    )
