"""Jobs and rows: their way through a program, what it costs, and the table of states."""

from __future__ import annotations

import pytest

from brood.engine.rows import MOVES, Row, RowState
from brood.protocol.errors import DeterminismUnavailable, InvalidArgument
from helpers.paper import linear, paper_job, paper_model

COSTS = {"step": linear(1.0, 0.25), "hot": linear(2.0, 0.5), "finish": linear(0.1, 0.0), "preview": linear(1.0, 0.0)}
MODEL = paper_model(costs=COSTS)


def test_rows_move_along_the_table_only() -> None:
    job = paper_job(MODEL, "a")
    for state in RowState:
        for to in RowState:
            row = Row(job, 0, state=state)
            if to in MOVES[state]:
                row.move(to)
                assert row.state is to
            else:
                with pytest.raises(RuntimeError, match=f"from {state.name} to {to.name}"):
                    row.move(to)


def test_a_row_goes_through_its_stages_step_by_step() -> None:
    row, way = Row(paper_job(MODEL, "a", steps=3, temperature=0.5), 0), []
    while True:
        way.append((row.call.group.graph, row.stage, row.step, row.leaves_stage, row.finishes))
        if row.finishes:
            break
        row.advance()
    assert way == [
        ("step", 0, 0, False, False),
        ("hot", 0, 1, False, False),
        ("hot", 0, 2, True, False),
        ("finish", 1, 0, True, True),
    ]


def test_what_a_row_costs_is_the_sum_of_its_calls() -> None:
    job = paper_job(MODEL, "a", n=5, steps=3, temperature=0.5)
    step, hot, finish = 3.0, 6.0, 0.1
    assert job.row_steps == 4
    assert job.all_steps == 20
    assert job.row_s == pytest.approx((step + 2 * hot + finish) / 8)
    assert job.path_s == pytest.approx(step + 2 * hot + finish)
    assert job.work_s == pytest.approx(5 * job.row_s)
    assert job.step_s == pytest.approx(job.row_s / 4)


def test_a_variant_in_all_steps_is_the_only_graph() -> None:
    (leg, _) = paper_job(MODEL, "a", steps=3, temperature=2.0).legs
    assert leg.graphs() == [("hot", 3)]
    assert leg.varied is None


def test_what_is_left_alone_is_a_wave_at_a_time_and_never_less_than_one_row_takes() -> None:
    one, many = paper_job(MODEL, "a", steps=9), paper_job(MODEL, "b", n=80, steps=9)
    assert one.left_s == pytest.approx(one.path_s)
    assert many.left_s == pytest.approx(10 * many.path_s)
    many.finished, many.steps = 79, 79 * 10
    assert many.left_s == pytest.approx(many.path_s)


def test_alone_on_an_idle_device_small_requests_take_small_calls() -> None:
    assert paper_job(MODEL, "a", steps=4).alone_s == pytest.approx(4 * 1.25 + 0.1)
    assert paper_job(MODEL, "b", n=11, steps=4).alone_s == pytest.approx(4 * (3.0 + 2.0) + 0.2)
    assert paper_job(MODEL, "b", n=16, steps=4).alone_s == pytest.approx(4 * 6.0 + 0.2)


def test_exact_samples_need_a_certified_bucket_of_each_graph_they_call() -> None:
    model = paper_model(costs=COSTS, exact={"step": frozenset({1}), "finish": frozenset({1, 8})})
    assert paper_job(model, "a", exact=True).strict
    assert not paper_job(model, "a", temperature=0.5).strict
    with pytest.raises(DeterminismUnavailable, match="graph 'hot' is certified at no batch size") as refused:
        paper_job(model, "a", temperature=0.5, exact=True)
    assert refused.value.field == "determinism"


@pytest.mark.parametrize("steps", [0, -1, 10**6])
def test_step_counts_that_no_schedule_has_are_refused(steps: int) -> None:
    with pytest.raises(InvalidArgument) as refused:
        paper_job(MODEL, "a", steps=steps)
    assert refused.value.field == "params.steps"


def test_memory_that_a_job_holds_is_of_inputs_and_samples() -> None:
    assert paper_job(MODEL, "a", n=10).held_bytes == 10 * 2 * 4
