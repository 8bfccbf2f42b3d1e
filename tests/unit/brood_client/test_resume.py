"""How parts of a generation come to one whole."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from brood_client import Accepted, BroodError, Done, Preview, Progress, Sample, Timing, Usage
from brood_client._request import Options, Request, request_of
from brood_client._resume import Resume

DONE = Done(Timing(1.0, 2.0, 3.0), Usage(2, 10))


def request(n: int, **options: object) -> Request:
    given: Options = {"n": n, "seed": 7, "index": 10}
    return request_of("tiny", "generate", cast("Options", {**given, **options}))


def accepted(n: int, version: int = 3) -> Accepted:
    return Accepted("id", "tiny", version, "generate", 7, "exact", n)


def sample(index: int) -> Sample:
    return Sample(index, 7, {})


def test_everything_is_asked_for_first() -> None:
    asked = request(3)
    assert Resume(asked).part({}) is asked


def test_runs_of_missing_neighbours_are_asked_for_one_after_the_other() -> None:
    whole = Resume(request(8))
    whole.part({})
    whole.saw(accepted(8))
    for index in (12, 13, 16):
        whole.saw(sample(index))
    parts = []
    while whole.missing:
        part = whole.part({})
        parts.append((part.index, part.n, part.seed, part.version))
        for index in range(part.index, part.index + part.n):
            assert whole.saw(sample(index)) == sample(index)
    assert parts == [(10, 2, 7, 3), (14, 2, 7, 3), (17, 1, 7, 3)]


@pytest.mark.parametrize("n", [10**15, 0, -1])
def test_any_number_is_asked_for(n: int) -> None:
    whole = Resume(request(n))
    assert whole.missing
    assert whole.part({}).n == n


def test_nothing_is_told_twice() -> None:
    whole = Resume(request(3))
    whole.part({})
    assert whole.saw(accepted(3)) == accepted(3)
    assert whole.saw(sample(12)) == sample(12)
    whole.part({})
    assert whole.saw(accepted(2)) is None
    assert whole.saw(sample(12)) is None
    assert whole.saw(Preview(12, 7, {}, 1, 5)) is None
    assert whole.saw(Preview(11, 7, {}, 1, 5)) is not None


def test_progress_is_that_of_the_whole() -> None:
    whole = Resume(request(4))
    whole.part({})
    assert whole.saw(Progress(10, 20, 1, 4, 0.5)) == Progress(10, 20, 1, 4, 0.5)
    whole.saw(sample(13))
    whole.part({})
    assert whole.saw(Progress(6, 15, 1, 3, 0.25)) == Progress(11, 20, 2, 4, 0.25)


def test_what_it_took_is_summed() -> None:
    whole = Resume(request(2))
    whole.part({})
    for index in (10, 11):
        whole.saw(sample(index))
    assert whole.saw(DONE) is None
    assert whole.done() == DONE


def test_a_server_that_finishes_too_early_is_found_out() -> None:
    whole = Resume(request(2))
    whole.part({})
    whole.saw(sample(10))
    with pytest.raises(BroodError, match="the server finished without sample 11") as caught:
        whole.saw(DONE)
    assert caught.value.index == 11


def test_inputs_go_with_their_rows() -> None:
    mask, pictures = np.eye(2, dtype=np.float32), np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    whole = Resume(request(3, inputs={"mask": mask, "image": pictures, "photo": b"\x89PNG\r\n\x1a\n"}))
    whole.part({})
    whole.saw(sample(10))
    part = whole.part({"mask": 2, "image": 2, "photo": 2})
    assert part.inputs["mask"]["b64"] == mask.tobytes()
    assert part.inputs["image"]["shape"] == [2, 2, 2]
    assert part.inputs["image"]["b64"] == pictures[1:].tobytes()
    assert part.inputs["photo"] == {"b64": b"\x89PNG\r\n\x1a\n", "format": "png"}
