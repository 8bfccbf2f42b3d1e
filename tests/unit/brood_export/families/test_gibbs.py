"""Machines that are nothing but weights: the same as with methods of their own; weights that do not fit are refused."""

import pytest
import torch
from torch import nn

from brood_export.errors import Misfit
from brood_export.families import FAMILIES
from brood_export.families.boltzmann import full
from brood_export.families.rbm import restricted
from brood_export.zoo.rbm import GlyphsRbm
from helpers.own_models import DcGan, OwnMachine, OwnRbm

pytestmark = pytest.mark.export


@torch.no_grad()
def test_weights_may_lie_either_way() -> None:
    own = OwnRbm()
    machine = restricted(own)
    v = torch.bernoulli(torch.full((5, 9), 0.5))
    expected = torch.sigmoid(v @ own.weight.T + own.hidden_bias)
    torch.testing.assert_close(machine.hidden_mean(v, 1.0), expected)  # type: ignore[operator]


@torch.no_grad()
def test_couplings_are_symmetric_and_no_unit_sees_itself() -> None:
    own = OwnMachine()
    couplings = full(own).couplings()  # type: ignore[operator]
    torch.testing.assert_close(couplings, couplings.T)
    assert couplings.diagonal().abs().max() == 0.0


def test_a_machine_with_methods_is_taken_as_it_is() -> None:
    model = GlyphsRbm(16, 3, 6)
    assert restricted(model) is model


class Odd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(5, 7))
        self.visible_bias, self.hidden_bias = nn.Parameter(torch.zeros(9)), nn.Parameter(torch.zeros(4))
        self.bias = nn.Parameter(torch.zeros(9))


@pytest.mark.parametrize(
    ("family", "model", "words"),
    [
        ("rbm", Odd(), r"Odd.weight is \[5, 7\]; allowed: \[9, 4\]"),
        ("boltzmann", Odd(), r"Odd: weight and bias are not tensors \[N, N\] and \[N\]"),
        ("rbm", OwnRbm(), r"OwnRbm|RestrictedMachine has 9 visible units, image \[1, 4, 4\] has 16 pixels"),
        ("boltzmann", OwnMachine(), r"has 12 units; allowed: at least 16"),
        ("boltzmann", DcGan(), "DcGan has no weight, bias"),
    ],
)
def test_weights_that_do_not_fit_are_refused(family: str, model: nn.Module, words: str) -> None:
    with pytest.raises(Misfit, match=words):
        FAMILIES[family](model, image=(1, 4, 4))
