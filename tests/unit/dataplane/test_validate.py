from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from brood.dataplane.limits import Limits
from brood.dataplane.validate import Checked, check, check_previews, check_whole, decode_inputs, generation
from brood.protocol.errors import InvalidArgument
from brood.protocol.requests import GenerateRequest
from helpers.backend import IMAGE, STATUSES, TRAIN_STEPS, manifest

VALUES = int(np.prod(IMAGE)) + 1  # a sample of "generate" has: the picture and the label


def checked(limits: Limits | None = None, **fields: Any) -> Checked:
    request = GenerateRequest.model_validate({"model": "tiny", **fields})
    words = manifest()
    return check(request, words, words.operations[request.operation], limits or Limits())


@pytest.mark.parametrize(("limits", "most"), [(Limits(max_n=5), 5), (Limits(max_values=7 * VALUES), 7)])
def test_n_has_a_limit(limits: Limits, most: int) -> None:
    assert checked(limits, n=most).request.n == most
    with pytest.raises(InvalidArgument, match=f"n: {most + 1} is not allowed; allowed: 1 ≤ n ≤ {most}"):
        checked(limits, n=most + 1)


def test_one_sample_is_always_allowed() -> None:
    assert checked(Limits(max_values=1)).request.n == 1


def test_the_last_index_stays_below_its_limit() -> None:
    assert checked(index=2**53 - 4, n=4).request.index == 2**53 - 4
    with pytest.raises(InvalidArgument, match="0 ≤ index ≤ 9007199254740988"):
        checked(index=2**53 - 3, n=4)


def test_a_missing_input_is_described() -> None:
    with pytest.raises(InvalidArgument, match=r"inputs\.image: missing; .* float32 \[1, 28, 28\], a picture"):
        checked(operation="reconstruct")


def test_an_unknown_input_is_named() -> None:
    with pytest.raises(InvalidArgument, match='did you mean "image"') as caught:
        checked(operation="reconstruct", inputs={"imag": {"data": 0}})
    assert caught.value.field == "inputs.imag"


def test_input_bytes_counts_what_is_to_be_decoded() -> None:
    assert checked().input_bytes == 0
    assert checked(operation="reconstruct", inputs={"image": {"b64": b"12345"}}).input_bytes == 5
    nested = [[1, 2], [3, 4]]
    assert checked(operation="reconstruct", inputs={"image": {"data": nested}}).input_bytes == 32


PICTURE = {"image": {"b64": b""}}


def test_a_schedule_is_tried_before_any_work() -> None:
    assert checked(operation="vary", params={"steps": TRAIN_STEPS}, inputs=PICTURE).params["steps"] == TRAIN_STEPS
    with pytest.raises(InvalidArgument) as caught:
        checked(operation="vary", params={"steps": TRAIN_STEPS + 1}, inputs=PICTURE)
    assert caught.value.field == "params.steps"


def test_an_operation_without_steps_needs_no_schedule() -> None:
    assert checked(operation="complete", params={"steps": 100}, inputs={"known": {"data": 0}}).params == {"steps": 100}


def test_previews_are_refused_with_the_operations_that_have_them() -> None:
    operations = manifest().operations
    with_previews = GenerateRequest.model_validate({"model": "tiny", "preview_every": 2})
    check_previews(with_previews, operations["generate"], STATUSES)
    check_previews(GenerateRequest(model="tiny", operation="score"), operations["score"], STATUSES)
    with pytest.raises(InvalidArgument) as caught:
        check_previews(with_previews.model_copy(update={"operation": "score"}), operations["score"], STATUSES)
    assert caught.value.field == "preview_every"
    assert caught.value.message == (
        "preview_every: tiny score has no previews; these have: slow generate, tiny generate"
    )
    with pytest.raises(InvalidArgument, match="these have: none"):
        check_previews(with_previews, operations["score"], ())


@pytest.mark.parametrize("field", ["progress_every", "preview_every"])
def test_a_whole_answer_has_no_place_for_what_comes_meanwhile(field: str) -> None:
    check_whole(generation(checked(), {}, "id", arrived=0.0))
    with pytest.raises(InvalidArgument) as caught:
        check_whole(generation(checked(None, **{field: 4}), {}, "id", arrived=0.0))
    assert caught.value.field == field
    assert caught.value.message == (
        f"{field}: 4 needs an answer that streams; allowed: not given, or a stream "
        '(HTTP "stream": true, gRPC GenerateStream)'
    )


def test_inputs_are_decoded_for_every_row() -> None:
    known = [[1, 2, 3], [4, 5, 6]]
    given = checked(operation="complete", n=2, params={"steps": 1}, inputs={"known": {"data": known}})
    np.testing.assert_array_equal(decode_inputs(given)["known"], np.array([known, known], np.uint8))


def test_a_generation_is_complete() -> None:
    order = generation(checked(seed=5, index=3, n=2, deadline_ms=1500.0), {}, "id", arrived=10.0)
    assert (order.request_id, order.model, order.version, order.operation) == ("id", "tiny", 1, "generate")
    assert (order.seed, order.index, order.n, order.deadline) == (5, 3, 2, 11.5)
    assert order.params == {"label": -1, "temperature": 1.0, "flip": False, "style": "thin"}
    assert (order.priority, order.tenant, order.exact) == ("interactive", "", False)
    assert (order.progress_every, order.preview_every) == (None, None)


def test_a_generation_has_all_that_was_asked_for() -> None:
    asked = checked(priority="bulk", determinism="exact", progress_every=3, preview_every=2)
    order = generation(asked, {}, "id", arrived=0.0, tenant="studio")
    assert (order.priority, order.tenant, order.exact) == ("bulk", "studio", True)
    assert (order.progress_every, order.preview_every) == (3, 2)


def test_a_missing_seed_is_drawn() -> None:
    seeds = {generation(checked(), {}, "id", arrived=0.0).seed for _ in range(8)}
    assert len(seeds) == 8
    assert all(0 <= seed < 2**53 for seed in seeds)


def test_without_a_deadline_there_is_none() -> None:
    assert generation(checked(), {}, "id", arrived=10.0).deadline is None
