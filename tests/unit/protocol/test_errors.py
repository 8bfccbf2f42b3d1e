"""The error table is complete, and errors arrive as they were sent."""

import pickle
import time

import grpc
import pytest

from brood.protocol.errors import TABLE, BroodError, Internal, InvalidArgument, RequestError, invalid, row_of, show


def classes(base: type[BroodError] = BroodError) -> list[type[BroodError]]:
    """All error classes below a base that this package defines."""
    found = []
    for kind in base.__subclasses__():
        if kind.__module__ == BroodError.__module__:
            found += [kind, *classes(kind)]
    return found


def test_every_error_that_is_raised_has_a_row() -> None:
    assert set(classes()) == {*TABLE, RequestError}


def test_codes_are_distinct_and_statuses_real() -> None:
    rows = TABLE.values()
    assert len({row.code for row in rows}) == len(TABLE)
    for row in rows:
        assert 400 <= row.http < 600
        assert hasattr(grpc.StatusCode, row.grpc), row


def test_only_the_request_is_to_blame_for_a_request_error() -> None:
    for kind, row in TABLE.items():
        if issubclass(kind, RequestError):
            assert (row.http < 500, row.retryable) == (True, False), kind


@pytest.mark.parametrize("kind", [*TABLE, BroodError, RequestError])
def test_pickling_keeps_everything(kind: type[BroodError]) -> None:
    error = kind("x: 3 is not allowed", field="params.x", retry_after_s=1.5, index=7)
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind
    assert (str(back), back.message) == ("x: 3 is not allowed",) * 2
    assert (back.field, back.retry_after_s, back.index) == ("params.x", 1.5, 7)


def test_a_subclass_has_the_row_of_its_nearest_ancestor() -> None:
    class Special(InvalidArgument):
        pass

    assert row_of(Special("x")) is TABLE[InvalidArgument]
    assert row_of(BroodError("x")) is TABLE[Internal]


def test_the_usual_complaint_names_field_value_and_what_is_allowed() -> None:
    error = invalid("params.label", 11, "an integer, -1 to 9")
    assert error.message == "params.label: 11 is not allowed; allowed: an integer, -1 to 9"
    assert error.field == "params.label"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        ("x", '"x"'),
        (None, "null"),
        (float("nan"), "NaN"),
        ({"a": [1, True]}, '{"a": [1, true]}'),
        (b"raw", "b'raw'"),
        ("é\n", '"\\u00e9\\n"'),
    ],
)
def test_values_are_shown_as_json_where_possible(value: object, text: str) -> None:
    assert show(value) == text


@pytest.mark.parametrize(
    "value", ["x" * 10_000_000, list(range(2_000_000)), [[1] * 1000] * 1000], ids=["text", "list", "nested"]
)
def test_large_values_are_cut_without_being_written_out(value: object) -> None:
    started = time.process_time()
    text = show(value)
    assert time.process_time() - started < 0.05
    assert len(text) == 80
    assert text.endswith("…")
