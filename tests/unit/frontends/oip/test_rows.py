from __future__ import annotations

import numpy as np
import pytest

from brood.dataplane import Limits
from brood.frontends.oip.calls import InferCall, Parameter, version_of
from brood.frontends.oip.rows import requests_of
from brood.frontends.oip.tensors import Tensor, from_values
from brood.protocol.errors import InvalidArgument
from brood.protocol.requests import GenerateRequest
from helpers.backend import IMAGE, manifest


def numbers(name: str, *values: int) -> Tensor:
    return from_values(name, "INT64", [len(values), 1], list(values))


def requests(*tensors: Tensor, **parameters: Parameter) -> tuple[GenerateRequest, ...]:
    operation = str(parameters.get("operation", "generate"))
    return requests_of(InferCall("tiny", parameters=parameters, inputs=tensors), manifest(), operation, Limits())


def rows(*tensors: Tensor, **parameters: Parameter) -> list[tuple[int, int | None, int, object]]:
    return [(r.n, r.seed, r.index, r.params.get("label")) for r in requests(*tensors, **parameters)]


def test_a_call_without_tensors_is_one_request() -> None:
    (one,) = requests(n=3, seed=7, index=2, label=4, priority=2, timeout=1000)
    assert (one.n, one.seed, one.index, one.params) == (3, 7, 2, {"label": 4})
    assert (one.priority, one.deadline_ms, one.operation) == ("bulk", 1.0, "generate")


def test_without_a_seed_all_rows_share_one_that_is_drawn() -> None:
    found = requests(numbers("label", 1, 2, 1))
    assert len({request.seed for request in found}) == 1
    assert found[0].seed is not None
    assert [request.index for request in found] == [0, 1, 2]


def test_rows_of_one_seed_and_label_that_follow_one_another_are_one_request() -> None:
    assert rows(numbers("label", 1, 1, 2, 1), seed=7) == [(2, 7, 0, 1), (1, 7, 2, 2), (1, 7, 3, 1)]


def test_a_row_with_its_own_seed_stands_alone() -> None:
    assert rows(numbers("seed", 5, 6, 6)) == [(1, 5, 0, None), (1, 6, 0, None), (1, 6, 0, None)]
    assert rows(numbers("seed", 5, 6), index=4) == [(1, 5, 4, None), (1, 6, 4, None)]
    assert rows(numbers("seed", 6)) == [(1, 6, 0, None)]


def test_one_row_holds_for_all() -> None:
    assert rows(numbers("seed", 5), n=3) == [(3, 5, 0, None)]
    assert rows(numbers("seed", 5), numbers("label", 1, 2)) == [(1, 5, 0, 1), (1, 5, 1, 2)]


def test_rows_may_have_their_own_index() -> None:
    assert rows(numbers("index", 3, 4, 9), seed=7) == [(2, 7, 3, None), (1, 7, 9, None)]
    assert rows(numbers("seed", 5, 5), numbers("index", 0, 1)) == [(2, 5, 0, None)]


def test_values_of_every_type() -> None:
    (one,) = requests(
        from_values("temperature", "FP32", [1, 1], [0.8]),
        from_values("flip", "BOOL", [1], [True]),
        from_values("style", "BYTES", [1, 1], ["bold"]),
        numbers("label", 4),
        seed=1,
    )
    assert one.params == {"temperature": 0.8, "flip": True, "style": "bold", "label": 4}
    assert requests(from_values("temperature", "INT8", [1], [1]))[0].params == {"temperature": 1}


def test_inputs_go_with_their_rows() -> None:
    pictures = np.arange(3, dtype=np.float32).repeat(np.prod(IMAGE)).reshape(3, *IMAGE)
    given = Tensor("image", "FP32", pictures)
    whole, one, two = (
        *requests(given, operation="reconstruct", seed=1),
        *requests(given, numbers("seed", 1, 2, 3), operation="reconstruct")[:2],
    )
    assert (whole.n, whole.inputs["image"].shape) == (3, (3, *IMAGE))
    assert whole.inputs["image"].b64 == pictures.tobytes()
    assert (one.inputs["image"].b64, two.inputs["image"].b64) == (pictures[0].tobytes(), pictures[1].tobytes())
    (shared,) = requests(Tensor("image", "FP32", pictures[:1]), operation="reconstruct", n=4)
    assert (shared.n, shared.inputs["image"].shape) == (4, IMAGE)


@pytest.mark.parametrize(
    ("tensors", "parameters", "field"),
    [
        ([numbers("colour", 1)], {}, "inputs.colour"),
        ([numbers("image", 1)], {}, "inputs.image"),  # of another operation
        ([numbers("seed", 1), numbers("seed", 2)], {}, "inputs.seed"),
        ([numbers("label", 1)], {"label": 2}, "inputs.label"),
        ([numbers("seed", 1)], {"seed": 2}, "inputs.seed"),
        ([numbers("seed", 1, 2), numbers("label", 1, 2, 3)], {}, "inputs.seed.shape"),
        ([numbers("seed", 1, 2)], {"n": 3}, "inputs.seed.shape"),
        ([from_values("seed", "INT64", [], 1)], {}, "inputs.seed.shape"),
        ([from_values("seed", "INT64", [0, 1], [])], {}, "inputs.seed.shape"),
        ([from_values("seed", "INT64", [1, 2], [1, 2])], {}, "inputs.seed.shape"),
        ([from_values("seed", "FP32", [1, 1], [1.0])], {}, "inputs.seed.datatype"),
        ([from_values("label", "BOOL", [1, 1], [True])], {}, "inputs.label.datatype"),
        ([from_values("temperature", "BYTES", [1, 1], ["a"])], {}, "inputs.temperature.datatype"),
        ([Tensor("style", "BYTES", np.array([[b"\xff"]], object))], {}, "inputs.style"),
        ([numbers("seed", -1)], {}, "seed"),
        ([], {"seed": "7"}, "seed"),
        ([], {"index": True}, "index"),
        ([], {"n": 0}, "n"),
        ([], {"n": True}, "n"),
        ([], {"n": 10**9}, "n"),
        ([], {"determinism": "roughly"}, "determinism"),
        ([], {"temperature": float("nan")}, "params.temperature"),
    ],
)
def test_bad_calls_are_refused(tensors: list[Tensor], parameters: dict[str, Parameter], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        requests(*tensors, **parameters)
    assert caught.value.field == field, caught.value.message


@pytest.mark.parametrize(
    ("datatype", "shape", "field"),
    [
        ("FP64", [1, *IMAGE], "inputs.image.datatype"),
        ("FP32", [*IMAGE], "inputs.image.shape"),
        ("FP32", [1, 28, 28, 1], "inputs.image.shape"),
    ],
)
def test_inputs_are_what_is_declared(datatype: str, shape: list[int], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        requests(from_values("image", datatype, shape, [0.0] * 784), operation="reconstruct")
    assert caught.value.field == field


def test_versions_are_whole_numbers() -> None:
    assert (version_of(""), version_of("12")) == (None, 12)
    for text in ("0", "-1", "1.0", "x", "9" * 19):
        with pytest.raises(InvalidArgument, match="version"):
            version_of(text)
