"""Slots, and what could be in the next call."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from brood.engine.groups import GroupQueue, Places
from brood.engine.rows import Row
from brood.protocol.requests import Priority
from helpers.paper import Paper, paper_job, paper_model

MODEL = paper_model(capacity=8)


def test_a_quarter_of_the_slots_is_kept_from_bulk() -> None:
    places = Places(8)
    assert (places.free("interactive"), places.free("bulk")) == (8, 6)
    held = [places.take("bulk") for _ in range(6)]
    assert (places.free("interactive"), places.free("bulk")) == (2, 0)
    places.give_back(held.pop(), "bulk")
    assert (places.free("interactive"), places.free("bulk")) == (3, 1)


def test_bulk_may_have_any_slot_as_long_as_it_has_not_its_part() -> None:
    """However many slots interactive rows hold: if one is free and bulk holds few, bulk can take it."""
    places = Places(8)
    for _ in range(7):
        places.take("interactive")
    assert places.free("bulk") == 1


def test_few_slots_are_all_there_for_everybody() -> None:
    assert [Places(capacity).free("bulk") for capacity in (1, 2, 3, 4)] == [1, 2, 3, 3]


def test_a_slot_that_became_free_is_taken_again_first() -> None:
    places = Places(4)
    taken = [places.take("interactive") for _ in range(3)]
    assert taken == [0, 1, 2]
    places.give_back(1, "interactive")
    assert places.take("interactive") == 1


@given(turns=st.lists(st.tuples(st.booleans(), st.sampled_from(["interactive", "bulk"])), max_size=60))
def test_slots_are_never_lost_or_taken_twice(turns: list[tuple[bool, Priority]]) -> None:
    places, held = Places(7), list[tuple[int, Priority]]()
    for give, priority in turns:
        if give and held:
            places.give_back(*held.pop(0))
        elif places.free(priority):
            held.append((places.take(priority), priority))
        slots = [slot for slot, _ in held]
        assert len(set(slots)) == len(slots)
        assert places.free("interactive") == 7 - len(held)
        assert sum(kind == "bulk" for _, kind in held) <= 7 - 7 // 4


def test_what_could_be_in_the_next_call_is_never_more_than_there_are_slots() -> None:
    paper = Paper()
    paper.submit(MODEL, "a", n=50)
    paper.submit(MODEL, "b", n=50, priority="bulk")
    (queue,) = paper.scheduler._queues.values()
    assert queue.available() == 8
    assert (queue.could_begin("interactive"), queue.could_begin("bulk")) == (8, 6)


def test_rows_go_on_in_the_order_of_their_beginning() -> None:
    job = paper_job(MODEL, "a", n=5)
    queue = GroupQueue(job.legs[0].call(0).group, MODEL, Places(8))
    rows = [Row(job, position) for position in range(5)]
    for slot, row in enumerate(rows):
        row.begin(slot)
    for row in (rows[3], rows[0], rows[4], rows[2], rows[1]):
        queue.put([row])
    assert queue.ready == rows


def test_rows_that_will_probably_begin_are_made_ahead_and_no_more_than_there_will_be_places() -> None:
    paper = Paper()
    jobs = [paper.submit(MODEL, str(number), n=100) for number in range(10)]
    coming, begun = set[Row](), 0
    for _ in range(60):
        plan = paper.begin()
        assert plan is not None
        begun += sum(row in coming for row in plan.rows if row.steps <= 1)
        assert len(plan.soon) <= 8 - sum(row.run > plan.steps for row in plan.rows)
        assert sum(len(job.prepared) for job in jobs) <= 8
        coming.update(plan.soon)
        paper.finish(plan)
    assert begun > 8
