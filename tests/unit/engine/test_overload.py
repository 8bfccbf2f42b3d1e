"""More is asked for than the device can make: nobody starves, and promised deadlines are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
import pytest

from brood.engine.admission import Admission
from brood.engine.model import EngineModel
from brood.engine.rows import Job
from brood.protocol.errors import BroodError, Overloaded
from brood.protocol.events import Done
from helpers.paper import Paper, linear, paper_model

BACKLOG_S = 20.0


@dataclass
class Stream:
    """Before every call, so many requests more than it serves; admission refuses what is too much."""

    model: EngineModel
    each: int = 9
    left_s: float | None = None  # their deadlines
    tenants: bool = False  # each is of a tenant of its own
    words: dict[str, Any] = field(default_factory=lambda: {"operation": "score"})

    def until(self, paper: Paper, wanted: str, limit: int) -> int:
        """How many calls are made until a request is finished."""
        numbers = count()
        for turn in range(limit):
            self.pour(paper, numbers)
            paper.step()
            if paper.ending(wanted) is not None:
                return turn
        return limit

    def pour(self, paper: Paper, numbers: Iterator[int]) -> None:
        """Ask for more."""
        for number in (next(numbers) for _ in range(self.each)):
            tenant = f"t{number}" if self.tenants else ""
            deadline = None if self.left_s is None else paper.now + self.left_s
            try:
                paper.submit(self.model, f"s{number}", tenant=tenant, deadline=deadline, **self.words)
            except BroodError:
                continue


def bounded() -> Paper:
    return Paper(admission=Admission(BACKLOG_S, 10**9))


@pytest.mark.parametrize("tenants", [True, False])
def test_a_big_request_is_not_starved_by_a_stream_of_small_ones(tenants: bool) -> None:
    """Each of the stream is new, and so has had less than the big one; alone the big one takes 5 calls."""
    paper, model = bounded(), paper_model()
    paper.submit(model, "big", n=40, operation="score", tenant="big" if tenants else "")
    assert Stream(model, tenants=tenants).until(paper, "big", 1000) < 5 * 60


@pytest.mark.parametrize("capacity", [1, 2, 3, 4, 8, 16])
def test_a_bulk_request_finishes_under_interactive_overload(capacity: int) -> None:
    """Also where rows of the stream end one by one, so that hardly ever more than one slot is free."""
    paper, model = bounded(), paper_model(capacity=capacity)
    for steps in (3, 4, 5):
        paper.submit(model, f"first-{steps}", steps=steps)
    paper.step()
    paper.submit(model, "bulk", n=3, steps=3, priority="bulk")
    assert Stream(model, each=6, words={"steps": 4}).until(paper, "bulk", 4000) < 17 * 3 * 4 * 4


@pytest.mark.parametrize("words", [{"operation": "score"}, {"steps": 6}, {"steps": 17}])
@pytest.mark.parametrize("elsewhere", [True, False])
def test_a_stream_at_risk_leaves_the_others_their_part(words: dict[str, Any], elsewhere: bool) -> None:
    """All of the stream has tight deadlines, here or for another model; the calm request has none."""
    paper, model = bounded(), paper_model(capacity=32)
    stream = Stream(model, left_s=3.0 * words.get("steps", 0) + 16.0, words=words)
    numbers = count()
    for _ in range(20):
        stream.pour(paper, numbers)
        paper.step()
    paper.submit(paper_model("other") if elsewhere else model, "calm", n=4, steps=3)
    served = paper.busy_s
    assert Stream(model, left_s=stream.left_s, words=words, tenants=True).until(paper, "calm", 3000) < 17 * 4 * 6
    assert paper.busy_s > served


def test_a_stream_for_one_model_leaves_another_its_part() -> None:
    paper, model = bounded(), paper_model()
    paper.submit(paper_model("other"), "other", n=16, steps=4)
    assert Stream(model, tenants=True).until(paper, "other", 1000) < 200


@dataclass
class Load:
    """Poisson arrivals of short and long requests with deadlines, at a multiple of what full calls can make."""

    load: float = 2.0
    models: int = 1
    requests: int = 350
    graphs: tuple[float, ...] = (1.0,)  # temperatures: others than 1 take another graph for most steps
    slack: tuple[float, float] = (1.5, 6.0)  # deadlines, in times of what a request takes in full calls
    bulk: float = 0.0  # share of the requests
    without: float = 0.0  # share of the requests that have no deadline
    most: int = 4  # samples
    jitter: float = 0.0  # of the time that calls take
    backlog_s: float = 0.5
    accepted: dict[str, Job] = field(default_factory=dict)
    refused: int = 0

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(3)
        costs = dict.fromkeys(("step", "hot", "finish", "preview"), linear(0.001, 0.00025))
        self.known = [paper_model(f"m{number}", costs=costs, capacity=64) for number in range(self.models)]
        self.row_s = self.known[0].costs.row_s("step")
        takes = (
            (lambda plan: self._predicted(plan) * float(self.rng.lognormal(0, self.jitter))) if self.jitter else None
        )
        self.paper = Paper(admission=Admission(self.backlog_s, 10**9), takes=takes)

    @staticmethod
    def _predicted(plan: Any) -> float:
        return float(plan.model.costs.seconds(plan.group.graph, plan.bucket))

    def run(self) -> None:
        """All arrivals, and then what is left."""
        mean_s = (4 + 50 + 2) / 2 * self.row_s * (1 + self.most) / 2
        arrivals = list(np.cumsum(self.rng.exponential(mean_s / self.load, self.requests)))[::-1]
        while arrivals or self.paper.scheduler.jobs:
            while arrivals and arrivals[-1] <= self.paper.now:
                arrivals.pop()
                self._ask(str(len(arrivals)))
            if self.paper.step() is None:
                self.paper.now = arrivals[-1]

    def _ask(self, name: str) -> None:
        rng, n, steps = self.rng, int(self.rng.integers(1, self.most + 1)), int(self.rng.choice([4, 50]))
        takes_s = self.known[0].costs.call_s("step") * (steps + 1) * max(1.0, n / 8)
        deadline = None if rng.random() < self.without else self.paper.now + takes_s * float(rng.uniform(*self.slack))
        words = {"priority": "bulk" if rng.random() < self.bulk else "interactive", "tenant": str(rng.integers(3))}
        model, temperature = self.known[int(rng.integers(self.models))], float(rng.choice(self.graphs))
        try:
            job = self.paper.submit(model, name, n=n, steps=steps, temperature=temperature, deadline=deadline, **words)
            self.accepted[name] = job
        except Overloaded:
            self.refused += 1

    @property
    def met(self) -> float:
        """Share of the accepted requests with deadlines that were finished in time."""
        ended = [self._good(name) for name, job in self.accepted.items() if job.generation.deadline is not None]
        return sum(ended) / len(ended)

    @property
    def goodput(self) -> float:
        """Work of finished requests in full calls, as a share of the time."""
        good_s = sum(job.all_steps * self.row_s for name, job in self.accepted.items() if self._good(name))
        return float(good_s / self.paper.now)

    def _good(self, name: str) -> bool:
        return isinstance(self.paper.ending(name), Done)


@pytest.mark.parametrize(
    ("load", "goodput"),
    [
        (Load(), 0.85),
        (Load(slack=(3.0, 20.0)), 0.85),
        (Load(load=4.0), 0.85),
        (Load(most=64, slack=(3.0, 20.0), requests=80, backlog_s=20.0), 0.85),
        (Load(without=0.5), 0.85),
        (Load(bulk=0.5, without=0.3, slack=(3.0, 20.0)), 0.85),
        (Load(jitter=0.3), 0.85),
        (Load(graphs=(1.0, 0.5)), 0.85),
        (Load(graphs=(1.0, 0.5), models=2, slack=(3.0, 20.0)), 0.8),
        (Load(graphs=(1.0, 0.5), models=4, slack=(3.0, 20.0)), 0.7),
        (Load(load=0.7), 0.0),
    ],
    ids=[
        "mixed lengths",
        "later deadlines",
        "four times too much",
        "many samples",
        "half without deadlines",
        "half bulk",
        "calls take what they like",
        "two graphs",
        "two models",
        "four models",
        "no overload",
    ],
)
def test_promised_deadlines_are_kept_and_the_device_is_used(load: Load, goodput: float) -> None:
    """Under overload at least 99 of 100 accepted requests with a deadline meet it."""
    load.run()
    print(f"met {load.met:.4f} goodput {load.goodput:.3f} accepted {len(load.accepted)} of {load.requests}")
    assert load.met >= 0.99
    assert load.goodput >= goodput
    assert load.refused or load.load < 1
    others = [name for name, job in load.accepted.items() if job.generation.deadline is None]
    assert all(isinstance(load.paper.ending(name), Done) for name in others)


def test_hurrying_begins_early_enough_without_admission() -> None:
    """A short request among long ones without deadlines is finished in time, whatever else waits."""
    paper, model = Paper(), paper_model(capacity=32)
    for number in range(40):
        paper.submit(model, f"long-{number}", steps=50)
    for _ in range(5):
        paper.step()
    job = paper.submit(model, "short", n=2, steps=4, deadline=paper.now + 30.0)
    list(paper.run(until=paper.now + 30.0))
    assert isinstance(paper.ending("short"), Done)
    assert job.started is not None
