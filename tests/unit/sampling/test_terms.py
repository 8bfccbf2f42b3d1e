"""Where a schedule's values come from, and who is told when one is wrong."""

import math
from collections.abc import Callable

import pytest

from brood.protocol.errors import BundleError, InvalidArgument
from brood.sampling.terms import MOST_STEPS, Given


def test_the_request_comes_before_the_manifest_and_that_before_the_default() -> None:
    given = Given(
        {"eta": 1, "spacing": "trailing"}, {"eta": 0.5, "clip": 2.0}, {"spacing": "leading", "betas": "linear"}
    )
    assert given.number("eta", 0.0, least=0) == 1.0
    assert given.number("clip", 0.0, least=0) == 2.0
    assert given.number("shift", 3.0, least=0) == 3.0
    assert given.word("spacing", ("leading", "trailing")) == "trailing"
    assert given.word("betas", ("linear",), "cosine") == "linear"
    assert given.word("prediction", ("epsilon", "v"), "v") == "v"
    assert [given.has(name) for name in ("eta", "clip", "shift")] == [True, True, False]


@pytest.mark.parametrize("steps", [0, -1, MOST_STEPS + 1, math.nan, math.inf, "ten"])
def test_a_wrong_parameter_is_blamed_on_the_request(steps: float | str) -> None:
    with pytest.raises(InvalidArgument, match=r"params\.steps: .* allowed: a finite number from 1 to 100000") as caught:
        Given({"steps": steps}, {"steps": 4}, {}).steps()
    assert caught.value.field == "params.steps"


WRONG: dict[str, Callable[[Given], object]] = {
    "schedule.numbers.steps": lambda given: given.steps(),
    "schedule.numbers.shift": lambda given: given.number("shift", least=0, most=1),
    "schedule.words.betas": lambda given: given.word("betas", ("linear", "cosine")),
    "schedule.words.spacing": lambda given: given.word("spacing", ("leading",), "leading"),
}


@pytest.mark.parametrize("field", WRONG)
def test_what_is_missing_or_wrong_in_the_manifest_is_blamed_on_the_bundle(field: str) -> None:
    with pytest.raises(BundleError, match="is not allowed; allowed: ") as caught:
        WRONG[field](Given({}, {"shift": 2.0}, {"spacing": "wide"}))
    assert caught.value.field == field


def test_bounds_are_named_where_there_are_any() -> None:
    given = Given({"guidance": math.nan}, {}, {})
    with pytest.raises(InvalidArgument, match=r"allowed: a finite number from 0$"):
        given.number("guidance", least=0)
    with pytest.raises(InvalidArgument, match=r"NaN is not allowed; allowed: a finite number \(why\)$"):
        given.number("guidance", least=-3.4028234663852886e38, note=" (why)")
