"""How many workers there should be, as a law and at single moments. Time is a number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brood.serve.desired import ScalingConfig, ScalingState, ScalingStats, WorkerLoad, desired, needed_workers

CONFIG = ScalingConfig(
    min=1, max=10, target_backlog_s=2.0, target_load=0.7, up_delay_s=5.0, down_delay_s=60.0, idle_delay_s=300.0
)
TO_ZERO = replace(CONFIG, min=0)
IDLE = WorkerLoad(0.0, 0.0, 1e6)
AWAKE = ScalingState(awake=True)

loads = st.builds(
    WorkerLoad,
    backlog_s=st.floats(0, 1e5),
    load=st.floats(0, 1),
    idle_s=st.floats(0, 1e4),
)
configs = st.builds(
    lambda low, more, **rest: ScalingConfig(min=low, max=max(1, low + more), **rest),
    low=st.integers(0, 5),
    more=st.integers(0, 20),
    target_backlog_s=st.floats(0.1, 60),
    target_load=st.floats(0.1, 1),
    up_delay_s=st.floats(0, 30),
    down_delay_s=st.floats(0, 200),
    idle_delay_s=st.floats(0, 600),
)
moments = st.lists(
    st.tuples(st.floats(0.05, 30), st.lists(loads, max_size=6), st.integers(0, 2), st.booleans()),
    min_size=1,
    max_size=60,
)


@given(configs, st.integers(0, 40), moments)
def test_never_outside_of_its_bounds(
    config: ScalingConfig, target: int, moments: list[tuple[float, list[WorkerLoad], int, bool]]
) -> None:
    state, now = ScalingState(), 0.0
    for passed, workers, silent, held in moments:
        now += passed
        target, state = desired(ScalingStats(target, workers, silent, held), state, config, now)
        assert config.min <= target <= config.max


@given(configs, moments)
def test_nothing_is_ended_before_its_delay_nor_begun_before_its_own(
    config: ScalingConfig, moments: list[tuple[float, list[WorkerLoad], int, bool]]
) -> None:
    target, state, now = max(1, config.min), AWAKE, 0.0
    needed_before: list[tuple[float, int]] = []
    for passed, workers, silent, held in moments:
        now += passed
        stats = ScalingStats(target, workers, silent, held)
        before, (target, state) = target, desired(stats, state, config, now)
        needed_before.append((now, min(config.max, needed_workers(stats, config)) if workers else before))
        if target < before and target > 0:
            lately = [needed for at, needed in needed_before if at >= now - config.down_delay_s]
            assert max(lately) <= max(target, config.min, 1)
        elif target > before > 0:
            lately = [needed for at, needed in needed_before if at >= now - config.up_delay_s]
            assert min(lately) >= target


@settings(max_examples=30)
@given(
    st.floats(0.01, 9.0), st.floats(0.0, 0.2), st.lists(st.floats(-1, 1), min_size=50, max_size=50), st.integers(1, 10)
)
def test_a_constant_load_ends_in_one_number_of_workers(
    work: float, noise: float, errors: list[float], begin: int
) -> None:
    """Even if what is measured of it is off by up to a fifth of a worker, up and down."""
    target, state, seen = begin, AWAKE, []
    for tick in range(800):
        measured = max(0.0, work + noise * errors[tick % len(errors)])
        each = min(1.0, measured / target)
        waiting = 0.0 if work < target else 4.0 * (work - target + 0.01)
        workers = [WorkerLoad(waiting, each, 0.0)] * target
        target, state = desired(ScalingStats(target, workers), state, CONFIG, float(tick))
        seen.append(target)
    settled = seen[500:]
    assert len(set(settled)) == 1
    assert settled[0] >= min(CONFIG.max, math.ceil(work - noise))
    assert settled[0] <= min(CONFIG.max, math.ceil((work + noise) / CONFIG.target_load) + 1)


@given(st.lists(st.tuples(st.floats(0.1, 20), st.integers(0, 1)), min_size=1, max_size=200))
def test_the_last_worker_goes_only_when_idle_for_the_delay(moments: list[tuple[float, int]]) -> None:
    """Requests too short to be seen in any report count as well: a worker knows for how long it has been idle."""
    target, state, now, worked_at = 1, AWAKE, 0.0, 0.0
    for passed, works in moments:
        now += passed
        worked_at = now - passed / 2 if works else worked_at
        worker = WorkerLoad(0.0, math.exp(worked_at - now), now - worked_at)  # an average is never quite over
        target, state = desired(ScalingStats(target, [worker] * target), state, TO_ZERO, now)
        assert (target == 0) == (now - worked_at >= TO_ZERO.idle_delay_s)
        if target == 0:
            return


@dataclass
class Farm:
    """Workers that need a while to start, and work that comes; a queue in seconds of work, shared evenly."""

    start_s: float = 20.0
    config: ScalingConfig = CONFIG
    now: float = 0.0
    backlog_s: float = 0.0
    ready_at: list[float] = field(default_factory=lambda: [0.0])
    state: ScalingState = AWAKE
    idle_since: float = 0.0
    busy: float = 0.0

    def pass_second(self, work_s: float) -> int:
        """One second in which so many seconds of work come; the number of workers that there should be."""
        self.now += 1.0
        running = sum(at <= self.now for at in self.ready_at)
        self.backlog_s += work_s
        done = min(self.backlog_s, float(running))
        self.backlog_s -= done
        if work_s or self.backlog_s:
            self.idle_since = self.now
        held = running == 0 and self.backlog_s > 0
        self.busy = done / running if running else 0.0
        each = WorkerLoad(self.backlog_s / max(1, running), self.busy, self.now - self.idle_since)
        stats = ScalingStats(len(self.ready_at), [each] * running, held=held)
        target, self.state = desired(stats, self.state, self.config, self.now)
        self.ready_at = self.ready_at[:target] + [self.now + self.start_s] * (target - len(self.ready_at))
        return target

    def pass_seconds(self, seconds: int, work_s: float) -> list[int]:
        return [self.pass_second(work_s) for _ in range(seconds)]


@pytest.mark.parametrize("start_s", [1.0, 20.0, 90.0])
def test_a_ramp_is_followed_up_and_down_to_what_it_needs(start_s: float) -> None:
    farm = Farm(start_s)
    for level in (0.5, 1.5, 2.5, 3.5):
        farm.pass_seconds(300, level)
    top = farm.pass_seconds(900, 3.5)
    assert len(set(top[-600:])) == 1
    assert top[-1] == 5  # 3.5 / 0.7
    assert farm.backlog_s < 1.0
    down = farm.pass_seconds(900, 0.5)
    assert down[-1] == 1
    assert all(later <= earlier for earlier, later in pairwise(down))


def test_a_crowd_is_met_at_once_by_as_many_as_its_backlog_calls_for() -> None:
    farm = Farm(1.0)
    farm.pass_seconds(100, 0.2)
    farm.backlog_s += 17.0
    counts = farm.pass_seconds(20, 0.2)
    assert max(counts) >= 6  # what is left of 17 s after the delay, in portions of 2 s
    assert farm.backlog_s < 1.0


def test_zero_and_back() -> None:
    farm = Farm(20.0, TO_ZERO)
    farm.pass_seconds(100, 0.5)
    idle = farm.pass_seconds(400, 0.0)
    assert idle[298] == 1
    assert idle[-1] == 0
    assert farm.pass_second(0.5) == 1  # wakes with the first request
    back = farm.pass_seconds(200, 0.5)
    assert set(back) <= {1, 2, 3, 4, 5, 6}
    assert back[-1] >= 1
    assert farm.backlog_s < 1.0


def at(
    target: int,
    workers: Sequence[WorkerLoad],
    config: ScalingConfig = CONFIG,
    *,
    silent: int = 0,
    held: bool = False,
) -> int:
    """What is decided after the same has been true for a long time."""
    state, stats = AWAKE, ScalingStats(target, workers, silent, held)
    wanted, state = desired(stats, state, config, 0.0)
    return desired(stats, state, config, 1e3)[0] if wanted == target else wanted


BUSY = WorkerLoad(0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("target", "workers", "wanted"),
    [
        (1, [WorkerLoad(0.0, 0.7, 0.0)], 1),
        (1, [WorkerLoad(0.0, 0.71, 0.0)], 2),
        (1, [WorkerLoad(9.0, 0.1, 0.0)], 5),
        (3, [WorkerLoad(1.9, 0.2, 0.0)] * 3, 3),
        (3, [WorkerLoad(0.1, 0.2, 0.0)] * 3, 1),
        (4, [BUSY], 4),  # three are on their way, and the one cannot tell that fewer would do
        (4, [WorkerLoad(0.0, 0.1, 0.0)], 1),  # this one can
        (4, [], 4),
        (10, [WorkerLoad(99.0, 1.0, 0.0)] * 10, 10),
    ],
)
def test_single_moments(target: int, workers: list[WorkerLoad], wanted: int) -> None:
    assert at(target, workers) == wanted


def test_silence_ends_nobody() -> None:
    assert at(2, [WorkerLoad(0.0, 0.0, 0.0)], silent=1) == 2
    assert at(1, [IDLE], TO_ZERO) == 0
    assert at(1, [replace(IDLE, load=0.01)], TO_ZERO) == 0
    assert at(1, [IDLE], TO_ZERO, silent=1) == 1
    assert at(1, [IDLE], TO_ZERO, held=True) == 1
    assert at(1, [IDLE, replace(IDLE, idle_s=299.0)], TO_ZERO) == 1


def test_a_new_configuration_shows_once_whether_its_models_load() -> None:
    target, state = desired(ScalingStats(0, []), ScalingState(), TO_ZERO, 0.0)
    assert (target, state.awake) == (1, True)
    assert desired(ScalingStats(0, []), state, TO_ZERO, 1.0)[0] == 0
    assert desired(ScalingStats(0, [], held=True), state, TO_ZERO, 1.0)[0] == 1
    assert desired(ScalingStats(4, [IDLE] * 4), ScalingState(), TO_ZERO, 0.0)[0] == 4
