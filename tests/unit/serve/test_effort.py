"""How much of its capacity a worker uses."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from brood.serve.effort import WINDOW_S, Effort


class Told:
    """An `EngineObserver` that remembers."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def stepped(self, model: str, graph: str, rows: int, bucket: int, calls: int, seconds: float, error: float) -> None:
        self.calls.append(("stepped", model, graph, rows, bucket, calls, seconds, error))

    def queued(self, rows: int, backlog_s: float) -> None:
        self.calls.append(("queued", rows, backlog_s))

    def wasted(self, seconds: float) -> None:
        self.calls.append(("wasted", seconds))


def row_s(model: str, graph: str) -> float:
    """Full calls of 32 rows take 0.32 s."""
    return {("gan", "step"): 0.01}[model, graph]


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def run(effort: Effort, clock: Clock, seconds: float, rows: int, call_s: float, every_s: float) -> None:
    """Calls of so many rows, one after the other."""
    for _ in range(round(seconds / every_s)):
        clock.now += every_s
        effort.stepped("gan", "step", rows, 32, 1, call_s, 0.0)


def test_full_calls_without_a_pause_are_all_of_it() -> None:
    clock = Clock()
    effort = Effort(Told(), row_s, clock)
    assert effort.load == 0.0
    run(effort, clock, 100.0, 32, 0.32, 0.32)
    assert effort.load == pytest.approx(1.0, abs=0.02)


def test_a_device_that_is_always_busy_with_single_rows_has_room() -> None:
    clock = Clock()
    effort = Effort(Told(), row_s, clock)
    run(effort, clock, 100.0, 1, 0.25, 0.25)
    assert effort.load == pytest.approx(0.01 / 0.25, abs=0.01)


def test_a_prediction_that_is_too_high_counts_no_more_than_the_call_took() -> None:
    clock = Clock()
    effort = Effort(Told(), row_s, clock)
    run(effort, clock, 100.0, 32, 0.1, 0.2)
    assert effort.load == pytest.approx(0.5, abs=0.02)


def test_it_fades_when_nothing_is_called() -> None:
    clock = Clock()
    effort = Effort(Told(), row_s, clock)
    run(effort, clock, 100.0, 32, 0.32, 0.32)
    before = effort.load
    clock.now += WINDOW_S
    assert effort.load == pytest.approx(before / 2.718, rel=0.05)


def test_idle_is_since_the_last_work_and_never_while_something_waits() -> None:
    clock = Clock()
    effort = Effort(Told(), row_s, clock)
    clock.now += 5.0
    assert effort.idle_s == 5.0
    effort.queued(3, 0.5)
    clock.now += 60.0
    assert (effort.idle_s, effort.backlog_s) == (0.0, 0.5)
    effort.queued(0, 3e-14)  # the engine adds and takes away
    clock.now += 7.0
    assert effort.idle_s == 7.0
    effort.stepped("gan", "step", 1, 1, 1, 0.1, 0.0)
    assert effort.idle_s == 0.0
    clock.now += 1.0
    effort.queued(0, 0.0)
    assert effort.idle_s == 1.0


def test_another_observer_is_told_everything() -> None:
    told = Told()
    effort = Effort(told, row_s, Clock())
    effort.stepped("gan", "step", 1, 2, 1, 0.1, 0.2)
    effort.queued(3, 0.5)
    effort.wasted(0.7)
    assert told.calls == [("stepped", "gan", "step", 1, 2, 1, 0.1, 0.2), ("queued", 3, 0.5), ("wasted", 0.7)]
