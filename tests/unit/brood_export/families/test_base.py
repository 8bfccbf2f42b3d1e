import pytest
import torch
from torch import nn

from brood.protocol.manifest import Operation, Output, Param, Stage
from brood_export.errors import Misfit
from brood_export.families.base import SHEET_ROWS, any_label, complete_params, finite, per_row, require, sheet

pytestmark = pytest.mark.export

OPERATION = Operation(
    params={
        "label": Param(type="int", default=None, description="class"),
        "scale": Param(type="float", default=0.5, description="factor"),
    },
    stages=(Stage(graph="main"),),
    outputs={"image": Output(dtype="float32", kind="image")},
)


def test_minus_one_draws_a_class_and_others_stay() -> None:
    noise = torch.tensor([2.0**-24, 0.31, 0.5, 1.0 - 2.0**-24, 0.9])
    labels = torch.tensor([-1, -1, -1, -1, 4])
    assert any_label(labels, noise, 10).tolist() == [0, 3, 5, 9, 4]


@pytest.mark.parametrize("classes", [2, 3, 7, 10, 1000])
def test_the_largest_uniform_number_draws_the_last_class(classes: int) -> None:
    assert any_label(torch.tensor([-1]), torch.tensor([1.0 - 2.0**-24]), classes).tolist() == [classes - 1]


def test_finite_looks_at_all_tensors_row_by_row() -> None:
    image, number = torch.zeros(4, 1, 2, 2), torch.zeros(4)
    image[1, 0, 1, 1] = torch.nan
    number[2] = -torch.inf
    assert finite(image).tolist() == [True, False, True, True]
    assert finite(image, number).tolist() == [True, False, False, True]


def test_per_row_numbers_broadcast_over_a_row() -> None:
    assert per_row(torch.tensor([1.0, 2.0]), torch.zeros(2, 3, 4, 4)).shape == (2, 1, 1, 1)
    assert per_row(torch.tensor([1.0, 2.0]), torch.zeros(2)).shape == (2,)


def test_require_names_the_class_and_what_is_missing() -> None:
    with pytest.raises(Misfit, match=r"Linear has no encode, decode: family 'vae' needs encode, decode, weight"):
        require(nn.Linear(1, 1), "vae", "encode", "decode", "weight")


def test_params_are_completed_with_defaults() -> None:
    assert complete_params(OPERATION, {"label": 2}) == {"label": 2, "scale": 0.5}


@pytest.mark.parametrize(("params", "field"), [({}, "params.label"), ({"label": 1, "wide": 2}, "params.wide")])
def test_missing_and_unknown_params_are_named(params: dict[str, int], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        complete_params(OPERATION, params)


def test_a_sheet_has_a_column_for_each_class_and_no_sample_twice() -> None:
    requests = sheet(3)
    assert [request.params["label"] for request in requests] == SHEET_ROWS * [0, 1, 2]
    assert len({request.index for request in requests}) == len(requests)
