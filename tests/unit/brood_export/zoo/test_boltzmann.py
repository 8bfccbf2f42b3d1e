"""The fully connected machine against enumeration of small ones."""

import pytest
import torch
from torch import Tensor

from brood_export.families.gibbs import bars
from brood_export.zoo import boltzmann, classifier, training
from brood_export.zoo.boltzmann import GlyphsBoltzmann, enumerate_states, total_variation
from brood_export.zoo.glyphs import glyphs

CHAINS = 20_000


def random_machine(pixels: int = 8, labels: int = 0, hidden: int = 0, scale: float = 1.5) -> GlyphsBoltzmann:
    torch.manual_seed(4)
    model = GlyphsBoltzmann(pixels, labels, hidden)
    torch.nn.init.normal_(model.weight, std=scale)
    torch.nn.init.normal_(model.bias, std=0.5)
    return model.requires_grad_(False)


def settle(model: GlyphsBoltzmann, temperature: float, mask: Tensor, known: Tensor) -> Tensor:
    """States after 60 sequential sweeps at one temperature."""
    return boltzmann.anneal(model, [temperature] * 60, mask, known)[0]


def floor(exact: Tensor) -> float:
    """The distance of independent exact draws."""
    numbers = torch.multinomial(exact, CHAINS, replacement=True)
    units = len(exact).bit_length() - 1
    return total_variation(exact, (numbers[:, None] >> torch.arange(units)) & 1)


@pytest.mark.parametrize("units", [2, 8, 12])
def test_sequential_sweeps_sample_the_exact_distribution(units: int) -> None:
    model = random_machine(units)
    exact, free = enumerate_states(model), torch.zeros(CHAINS, units)
    assert total_variation(exact, settle(model, 1.0, free, free)) < 1.3 * floor(exact) + 0.005


def test_updating_all_units_at_once_samples_another_distribution() -> None:
    model = random_machine()
    exact, free = enumerate_states(model), torch.zeros(CHAINS, 8)
    x = (torch.rand_like(free) < 0.5).float()
    for _ in range(60):
        x = (torch.rand_like(x) < torch.sigmoid(model.field(x))).float()
    at_once, in_turn = total_variation(exact, x), total_variation(exact, settle(model, 1.0, free, free))
    assert at_once > 0.15
    assert at_once > 5.0 * in_turn


def test_temperature_divides_the_energy() -> None:
    model, hot = random_machine(), random_machine()
    for values in hot.parameters():
        values.div_(3.0)
    free = torch.zeros(CHAINS, 8)
    assert total_variation(enumerate_states(hot), settle(model, 3.0, free, free)) < 0.05


def test_clamped_units_condition_the_rest() -> None:
    model = random_machine(pixels=5, labels=2, hidden=1)
    mask, known = model.label_units(torch.ones(CHAINS, dtype=torch.int64))
    x = settle(model, 1.0, mask, known)
    assert torch.equal(x[:, 5:7], known[:, 5:7])
    exact = enumerate_states(model).view(2, 2, 2, 32)  # bits from the highest: hidden, label 1, label 0, pixels
    wanted = torch.zeros_like(exact)
    wanted[:, 1, 0] = exact[:, 1, 0] / exact[:, 1, 0].sum()
    assert total_variation(wanted.flatten(), x) < 0.05


def test_a_sweep_is_its_definition() -> None:
    """Unit after unit: u < sigmoid(f / T) with the field of the state as it then is."""
    model = random_machine()
    x, uniform, free = (torch.rand(3, 8) < 0.5).float(), torch.rand(3, 8), torch.zeros(3, 8)
    heat = torch.tensor([0.5, 1.0, 4.0])
    new, field = model.sweep(x, model.field(x), heat, uniform, free, free)
    expected = x.clone()
    for unit in range(8):
        chance = torch.sigmoid(model.field(expected)[:, unit] / heat)
        expected[:, unit] = (uniform[:, unit] < chance).float()
    assert torch.equal(new, expected)
    torch.testing.assert_close(field, model.field(expected))


def test_the_field_stays_true_over_many_sweeps() -> None:
    model = random_machine(pixels=40)
    free = torch.zeros(10, 40)
    x, field = boltzmann.anneal(model, [1.0] * 100, free, free)
    torch.testing.assert_close(field, model.field(x), atol=1e-4, rtol=0.0)


def test_bars_let_only_the_known_value_of_a_clamped_unit_through() -> None:
    uniform, mask = torch.tensor([[0.5, 0.9, 0.1]]), torch.tensor([[0.0, 1.0, 1.0]])
    bar = bars(torch.ones(1), uniform, mask, torch.tensor([[0.0, 1.0, 0.0]]))
    assert bar.tolist() == [[0.0, -torch.inf, torch.inf]]


def test_couplings_are_symmetric_without_a_diagonal_and_give_the_energy_s_differences() -> None:
    model = random_machine()
    couplings = model.couplings()
    assert torch.equal(couplings, couplings.T)
    assert couplings.diagonal().abs().max() == 0.0
    x = (torch.rand(1, 8) < 0.5).float()
    on, off = x.clone(), x.clone()
    on[:, 3], off[:, 3] = 1.0, 0.0
    torch.testing.assert_close(model.energy(off) - model.energy(on), model.field(x)[:, 3])


def test_machines_too_large_to_enumerate_are_refused() -> None:
    with pytest.raises(ValueError, match="the machine has 13 units; allowed are at most 12"):
        enumerate_states(GlyphsBoltzmann(13, 0, 0))


def test_hidden_units_are_drawn_given_the_data() -> None:
    model = random_machine(pixels=4, labels=2, hidden=3)
    images = torch.tensor([1.0, 0.0, 1.0, 1.0]).expand(CHAINS, 1, 1, 4)
    x = boltzmann.explain(model, images, torch.zeros(CHAINS, dtype=torch.int64))
    assert torch.equal(x[0, :6], torch.tensor([1.0, 0.0, 1.0, 1.0, 1.0, 0.0]))
    seen = enumerate_states(model).view(8, 64)[:, 0b011101]
    assert total_variation(seen / seen.sum(), x[:, 6:]) < 0.05


def test_pseudo_likelihood_sums_the_hidden_units_out() -> None:
    model = random_machine(pixels=4, labels=0, hidden=3, scale=1.0)
    v = torch.tensor([1.0, 0.0, 1.0, 1.0])
    visible = enumerate_states(model).view(8, 16).sum(0)
    number = 0b1101
    exact = torch.stack([-(visible[number] / (visible[number] + visible[number ^ 1 << i])).log() for i in range(4)])
    states = torch.cat([v, torch.zeros(3)]).expand(4000, 7)
    assert boltzmann.pseudo_nats(model, states) == pytest.approx(float(exact.mean()), abs=0.05)


def test_binary_pictures_keep_thin_strokes() -> None:
    grey, _ = glyphs("heldout", 50, boltzmann.SIDE, cache_dir=None)
    images = boltzmann.binary(grey)
    assert images.shape == (50, 1, 11, 11)
    assert set(images.flatten().tolist()) == {0.0, 1.0}
    assert images.sum((1, 2, 3)).min() >= 8


def test_training_learns_the_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    grey, labels = glyphs("train", 100, boltzmann.SIDE, cache_dir=None)
    few = boltzmann.binary(grey), labels
    monkeypatch.setattr(boltzmann, "pictures", lambda split, count: few)
    monkeypatch.setattr(boltzmann, "build", lambda: GlyphsBoltzmann(hidden=4))
    trained = boltzmann.train(training.Recipe("test", 1, 60, 20, 2e-2, "", ""), training.quiet)
    assert isinstance(trained.model, GlyphsBoltzmann)
    data = boltzmann.explain(trained.model, *(torch.from_numpy(part) for part in few))
    mixed = data[:, torch.randperm(data.shape[1])]
    with torch.no_grad():
        assert trained.model.energy(data).mean() < trained.model.energy(mixed).mean() - 5.0


def test_a_person_would_read_the_shipped_model_s_samples() -> None:
    model = training.load(boltzmann.RECIPE.name)
    with training.reproducible(1):
        images = boltzmann.samples(model, 100)
    assert images.shape == (100, 1, 11, 11)
    enlarged = torch.nn.functional.interpolate(images, size=(28, 28), mode="bilinear")
    seen = classifier.trained()(enlarged).argmax(1)
    assert (seen == classifier.balanced(100)).float().mean() > 0.85
