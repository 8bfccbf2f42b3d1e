"""Arcs between latents: of even length, exact at the ends, straight where there is no arc."""

import pytest
import torch

from brood_export.families.blend import slerp

pytestmark = pytest.mark.export


def test_the_ends_are_the_ends_and_what_lies_between_is_as_long() -> None:
    first = torch.nn.functional.normalize(torch.randn(5, 7), dim=1)
    second = torch.nn.functional.normalize(torch.randn(5, 7), dim=1)
    torch.testing.assert_close(slerp(first, second, torch.zeros(5)), first)
    torch.testing.assert_close(slerp(first, second, torch.ones(5)), second)
    between = slerp(first, second, torch.linspace(0.1, 0.9, 5))
    torch.testing.assert_close(between.square().sum(1), torch.ones(5))


def test_equal_angles_for_equal_weights() -> None:
    first, second = torch.tensor([[1.0, 0.0]]).repeat(3, 1), torch.tensor([[0.0, 1.0]]).repeat(3, 1)
    found = slerp(first, second, torch.tensor([0.25, 0.5, 0.75]))
    torch.testing.assert_close(torch.atan2(found[:, 1], found[:, 0]), torch.pi * torch.tensor([0.125, 0.25, 0.375]))


def test_without_an_arc_the_way_is_straight() -> None:
    first = torch.tensor([[1.0, 2.0], [0.0, 0.0], [1.0, 0.0]])
    second = torch.tensor([[2.0, 4.0], [1.0, 1.0], [-1.0, 0.0]])
    found = slerp(first, second, torch.full((3,), 0.5))
    assert bool(torch.isfinite(found).all())
    torch.testing.assert_close(found[0], torch.tensor([1.5, 3.0]))


def test_any_shape() -> None:
    assert slerp(torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4), torch.rand(2)).shape == (2, 3, 4, 4)
