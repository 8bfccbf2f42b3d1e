"""How many rows' state a limit has room for."""

import pytest

from brood.protocol.errors import BundleError
from brood.protocol.manifest import State
from brood.runtimes.memory import slot_bytes, slots_within

STATE = {
    "count": State(dtype="int64", init="zeros"),
    "cache": State(dtype="float16", shape=(8, 100), init="zeros"),
}
ROW = 8 + 2 * 8 * 100


def test_a_slot_is_a_row_at_home_and_one_in_a_batch() -> None:
    assert slot_bytes(STATE) == 2 * ROW
    assert slot_bytes({}) == 0


@pytest.mark.parametrize(
    ("limit", "slots"), [(2 * ROW, 1), (4 * ROW - 1, 1), (10 * ROW, 5), (16 * ROW, 8), (100 * ROW, 8)]
)
def test_as_many_slots_as_wanted_or_as_there_is_room_for(limit: int, slots: int) -> None:
    assert slots_within(STATE, 8, limit) == slots


def test_without_state_there_is_always_room() -> None:
    assert slots_within({}, 8, 0) == 8


def test_a_row_larger_than_the_limit_is_refused_by_its_largest_state() -> None:
    with pytest.raises(
        BundleError, match=f"'cache': one row takes 1600 bytes, and {2 * ROW} with .* is 3000"
    ) as raised:
        slots_within(STATE, 8, 3000)
    assert raised.value.field == "state.cache"
