"""Workers that come and go in the simulation: nothing is lost, and what a policy asks for happens when it should."""

from __future__ import annotations

import math

import pytest

from brood.simulation.curves import affine
from brood.simulation.fleet import Elastic, FleetRun, Sight, simulate_fleet
from brood.simulation.kinds import Kind
from brood.simulation.ramps import ramp
from brood.simulation.setting import Setting
from brood.simulation.step_level import StepLevel
from brood.simulation.traces import Arrival

SETTING = Setting({"step": affine(0.010, 0.0002, (1, 2, 4, 8))})
KIND = Kind(steps=10, n=2)


def run(trace: list[Arrival], counts: list[int], elastic: Elastic, until: float = 60.0) -> tuple[FleetRun, list[Sight]]:
    """With so many workers wanted in each second; the last number goes on."""
    seen: list[Sight] = []

    def scaler(sight: Sight, now: float) -> int:
        seen.append(sight)
        return counts[min(len(seen), len(counts)) - 1]

    return simulate_fleet(StepLevel, trace, SETTING, scaler, elastic, until), seen


def test_requests_wait_for_the_first_worker_and_all_are_served() -> None:
    trace = ramp([(0.0, 5.0), (20.0, 5.0)], KIND, 1)
    done, seen = run(trace, [0, 1], Elastic(start_s=10.0))
    assert seen[0] == Sight(0, [], 0, True)
    assert [moment.running for moment in done.moments][10:13] == [0, 1, 1]
    assert done.moments[10].held > 30
    assert done.moments[-1].held == 0
    assert not done.outcomes.failed
    assert all(math.isfinite(ended) for ended in done.outcomes.ended)
    first = min(done.outcomes.ended)
    assert 12.0 < first < 14.0  # wanted at 2 s, ready at 12 s


def test_no_more_wait_than_may() -> None:
    trace = ramp([(0.0, 20.0), (5.0, 20.0)], KIND, 1)
    done, _ = run(trace, [0], Elastic(hold=10))
    assert len(done.outcomes.failed) == len(trace) - 10
    assert set(done.outcomes.failed.values()) == {"Overloaded"}


def test_a_worker_that_is_not_wanted_ends_what_it_has() -> None:
    trace = [Arrival(3.0 + 0.001 * number, KIND) for number in range(100)]
    done, _ = run(trace, [2, 2, 2, 1, 1], Elastic(start_s=0.5))
    assert not done.outcomes.failed
    assert all(math.isfinite(ended) for ended in done.outcomes.ended)
    assert [moment.running for moment in done.moments][:6] == [0, 2, 2, 2, 1, 1]


def test_readings_tell_backlog_load_and_how_long_nothing_came() -> None:
    trace = ramp([(1.0, 20.0), (30.0, 20.0)], KIND, 1)
    done, seen = run(trace, [1], Elastic(start_s=0.5, report_s=1.0), until=60.0)
    busy, idle = seen[28].workers[0], seen[-1].workers[0]
    ideal = SETTING.ideal_rate({KIND: 1.0})
    assert busy.load == pytest.approx(20.0 / ideal, rel=0.25)
    assert busy.idle_s == 0.0
    assert max(sight.workers[0].backlog_s for sight in seen[5:28]) > 0.0
    assert idle.load < 0.06
    assert idle.backlog_s == pytest.approx(0.0, abs=1e-9)
    assert idle.idle_s == pytest.approx(60.0 - max(done.outcomes.ended), abs=1.0)


def test_a_ramp_comes_at_the_rate_of_its_line() -> None:
    trace = ramp([(10.0, 0.0), (20.0, 100.0), (40.0, 100.0)], KIND, 7)
    times = [arrival.at for arrival in trace]
    assert times == sorted(times)
    assert times[0] >= 10.0
    assert times[-1] <= 40.0
    assert len([at for at in times if at >= 20.0]) == pytest.approx(2000, rel=0.1)
    assert len([at for at in times if at < 20.0]) == pytest.approx(500, rel=0.2)
    assert ramp([(10.0, 0.0), (20.0, 100.0), (40.0, 100.0)], KIND, 7) == trace
