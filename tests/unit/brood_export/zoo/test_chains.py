"""Annealed chains: schedule, ages, restarts and clamping, with walks that leave a trace."""

import pytest
import torch
from torch import Tensor

from brood_export.zoo.chains import Chains, temperatures


def test_temperatures_fall_geometrically_and_then_stay_at_one() -> None:
    assert temperatures(sweeps=6, hottest=4.0, falling=1 / 3) == pytest.approx([4.0, 2.0, 1.0, 1.0, 1.0, 1.0])


def test_without_heat_every_temperature_is_one() -> None:
    assert temperatures(sweeps=3, hottest=1.0, falling=0.5) == [1.0, 1.0, 1.0]


def test_sweeps_per_step_must_divide_the_schedule() -> None:
    with pytest.raises(ValueError, match="sweeps_per_step is 4; allowed are the divisors of 6"):
        Chains(torch.zeros(2, 3), torch.zeros(2, 3), [1.0] * 6, 4)


def test_a_chain_is_walked_through_the_whole_schedule_and_restarts() -> None:
    schedule = temperatures(sweeps=6, hottest=8.0, falling=0.5)
    chains = Chains(torch.zeros(3, 1), torch.zeros(3, 1), schedule, 2)
    seen: list[Tensor] = []

    def walk(x: Tensor, heat: Tensor) -> Tensor:
        seen.append(heat)
        return x

    for _ in range(3):
        chains.advance(walk)
    for chain in range(3):  # a third of the schedule each time, from a place of its own
        parts = [tuple(heat[:, chain].tolist()) for heat in seen]
        assert sorted(parts, reverse=True) == [(8.0, 4.0), (2.0, 1.0), (1.0, 1.0)]
    assert {tuple(sorted(heat[0].tolist())) for heat in seen} == {(1.0, 2.0, 8.0)}


def test_only_chains_at_temperature_one_are_returned() -> None:
    chains = Chains(torch.zeros(8, 2), torch.zeros(8, 2), [3.0, 2.0, 1.0, 1.0], 1)
    assert [len(chains.advance(lambda x, heat: x)) for _ in range(5)] == [4] * 5


def test_chains_live_on_between_steps_and_start_from_noise_again() -> None:
    chains = Chains(torch.zeros(1, 64), torch.zeros(1, 64), [1.0, 1.0, 1.0], 1)
    seen = []

    def count(x: Tensor, heat: Tensor) -> Tensor:
        seen.append(x.clone())
        return x + 10.0

    for _ in range(4):
        chains.advance(count)
    assert torch.equal(seen[1], seen[0] + 10.0)
    assert torch.equal(seen[2], seen[0] + 20.0)
    assert set(seen[3].flatten().tolist()) == {0.0, 1.0}


def test_clamped_units_start_at_their_known_values() -> None:
    mask = torch.tensor([[1.0, 1.0, 0.0, 0.0]]).repeat(50, 1)
    known = torch.tensor([[1.0, 0.0, 1.0, 1.0]]).repeat(50, 1)
    x = Chains(mask, known, [1.0], 1).advance(lambda x, heat: x)
    assert x[:, :2].tolist() == [[1.0, 0.0]] * 50
    assert 0 < x[:, 2:].sum() < 100
