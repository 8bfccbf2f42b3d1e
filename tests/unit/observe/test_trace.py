from __future__ import annotations

import pytest

from brood.observe.trace import trace_of

ID, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("given", "flags"),
    [
        (f"00-{ID}-{PARENT}-01", 1),
        (f"00-{ID}-{PARENT}-00", 0),
        (f"00-{ID}-{PARENT}-ff", 3),
        (f"cc-{ID}-{PARENT}-01", 1),
        (f"cc-{ID}-{PARENT}-01-what-the-future-brings", 1),
    ],
)
def test_a_valid_parent_is_followed(given: str, flags: int) -> None:
    trace = trace_of(given)
    assert (trace.trace_id, trace.flags) == (ID, flags)
    assert trace.span_id != PARENT
    assert trace.header() == f"00-{ID}-{trace.span_id}-{flags:02x}"


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        f"00-{ID}-{PARENT}",
        f"00-{ID}-{PARENT}-01-more",
        f"cc-{ID}-{PARENT}-01.more",
        f"ff-{ID}-{PARENT}-01",
        f"00-{ID.upper()}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{ID}-{'0' * 16}-01",
        f"00-{ID[1:]}-{PARENT}-01",
        f" 00-{ID}-{PARENT}-01",
    ],
)
def test_an_invalid_parent_begins_a_new_trace(given: str) -> None:
    first, second = trace_of(given), trace_of(given)
    assert ID not in (first.trace_id, second.trace_id)
    assert first.trace_id != second.trace_id
    assert first.flags == 0
    assert trace_of(first.header()).trace_id == first.trace_id
