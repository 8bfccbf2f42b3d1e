"""The restricted Boltzmann machine against enumeration of a small one."""

import pytest
import torch
from torch import Tensor

from brood_export.families.gibbs import clamp
from brood_export.zoo import classifier, rbm, training
from brood_export.zoo.glyphs import glyphs
from brood_export.zoo.rbm import GlyphsRbm


@pytest.fixture
def small() -> GlyphsRbm:
    torch.manual_seed(2)
    model = GlyphsRbm(pixels=4, labels=2, hidden=3)
    for values in model.parameters():
        torch.nn.init.normal_(values)
    return model.requires_grad_(False)


def every(units: int) -> Tensor:
    """All binary states [2^units, units]; unit i is bit i."""
    return ((torch.arange(2**units)[:, None] >> torch.arange(units)) & 1).float()


def histogram(v: Tensor) -> Tensor:
    numbers = (v.long() << torch.arange(v.shape[1])).sum(1)
    return torch.bincount(numbers, minlength=2 ** v.shape[1]) / len(v)


def sweeps(model: GlyphsRbm, temperature: float, mask: Tensor, known: Tensor, count: int = 40) -> Tensor:
    v = (torch.rand_like(known) < 0.5).float()
    heat = torch.full((len(v),), temperature)
    for _ in range(count):
        v, _, _ = model.sweep(v, heat, torch.rand(len(v), rbm.units(model)), mask, known)
    return v


def test_free_energy_sums_the_hidden_units_out(small: GlyphsRbm) -> None:
    v, h = every(6), every(3)
    energy = -(v @ small.weight @ h.T) - (v @ small.visible_bias)[:, None] - h @ small.hidden_bias
    torch.testing.assert_close(small.free_energy(v), -torch.logsumexp(-energy, 1))


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_block_gibbs_samples_the_boltzmann_distribution(small: GlyphsRbm, temperature: float) -> None:
    """At temperature T every parameter is divided by T."""
    cooled = GlyphsRbm(pixels=4, labels=2, hidden=3).requires_grad_(False)
    cooled.load_state_dict({key: value / temperature for key, value in small.state_dict().items()})
    exact = torch.softmax(-cooled.free_energy(every(6)), 0)
    v = sweeps(small, temperature, torch.zeros(20_000, 6), torch.zeros(20_000, 6))
    assert 0.5 * (histogram(v) - exact).abs().sum() < 0.03


def test_clamped_units_condition_the_rest(small: GlyphsRbm) -> None:
    mask, known = small.label_units(torch.ones(20_000, dtype=torch.int64))
    v = sweeps(small, 1.0, mask, known)
    assert torch.equal(v[:, 4:], known[:, 4:])
    states = every(6)
    agrees = (states[:, 4:] == torch.tensor([0.0, 1.0])).all(1)
    weight = torch.where(agrees, (-small.free_energy(states)).exp(), 0.0)
    assert 0.5 * (histogram(v) - weight / weight.sum()).abs().sum() < 0.03


def test_a_sweep_is_its_formula(small: GlyphsRbm) -> None:
    v, uniform, heat = (torch.rand(5, 6) < 0.5).float(), torch.rand(5, 9), torch.full((5,), 1.7)
    free = torch.zeros(5, 6)
    new, h, mean = small.sweep(v, heat, uniform, free, free)
    hidden = torch.sigmoid((v @ small.weight + small.hidden_bias) / 1.7)
    assert torch.equal(h, (uniform[:, 6:] < hidden).float())
    visible = torch.sigmoid((h @ small.weight.T + small.visible_bias) / 1.7)
    torch.testing.assert_close(mean, visible)
    assert torch.equal(new, (uniform[:, :6] < visible).float())


def test_rows_have_their_own_temperature(small: GlyphsRbm) -> None:
    v, uniform = torch.ones(2, 6), torch.full((2, 9), 0.5)
    free = torch.zeros(2, 6)
    _, _, mean = small.sweep(v, torch.tensor([1.0, 1e6]), uniform, free, free)
    assert (mean[0] - 0.5).abs().max() > 0.1
    torch.testing.assert_close(mean[1], torch.full((6,), 0.5), atol=1e-4, rtol=0.0)


def test_clamp_keeps_known_values() -> None:
    free, mask, known = torch.tensor([0.2, 0.3]), torch.tensor([1.0, 0.0]), torch.tensor([1.0, 1.0])
    torch.testing.assert_close(clamp(free, mask, known), torch.tensor([1.0, 0.3]))


def test_label_units_clamp_the_labels_only() -> None:
    mask, known = GlyphsRbm(pixels=2, labels=3, hidden=1).label_units(torch.tensor([2, 0]))
    assert mask.tolist() == [[0, 0, 1, 1, 1]] * 2
    assert known.tolist() == [[0, 0, 0, 0, 1], [0, 0, 1, 0, 0]]


def test_pseudo_likelihood_is_exact(small: GlyphsRbm) -> None:
    v = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
    expected = []
    for pixel in range(4):
        flipped = v.clone()
        flipped[pixel] = 1.0 - flipped[pixel]
        expected.append(-torch.softmax(-small.free_energy(torch.stack([v, flipped])), 0)[0].log())
    torch.testing.assert_close(rbm.pseudo_nats(small, v), torch.stack(expected).mean())


def test_ink_ignores_the_noise_of_the_ground() -> None:
    image = torch.tensor([0.0, 0.06, 0.5, 0.94, 1.0]).view(1, 1, 1, 5)
    torch.testing.assert_close(rbm.ink(image), torch.tensor([[0.0, 0.0, 0.5, 1.0, 1.0]]))


def test_training_learns_the_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    few = glyphs("train", 100, cache_dir=None)
    monkeypatch.setattr(rbm, "glyphs", lambda split, count: few)
    monkeypatch.setattr(rbm, "build", lambda: GlyphsRbm(hidden=16))
    trained = rbm.train(training.Recipe("test", 1, 60, 20, 1e-2, "", ""), training.quiet)
    assert isinstance(trained.model, GlyphsRbm)
    data = rbm.binary(trained.model, *(torch.from_numpy(part) for part in few))
    mixed = data[:, torch.randperm(data.shape[1])]
    with torch.no_grad():
        assert trained.model.free_energy(data).mean() < trained.model.free_energy(mixed).mean() - 50.0
    assert len(trained.curves["loss"]) == len(trained.curves["step"]) == 60


def test_a_person_would_read_the_shipped_model_s_samples() -> None:
    model = training.load(rbm.RECIPE.name)
    with training.reproducible(1):
        images = rbm.samples(model, 100)
    assert images.shape == (100, 1, 28, 28)
    seen = classifier.trained()(images).argmax(1)
    assert (seen == classifier.balanced(100)).float().mean() > 0.85


def test_the_shipped_model_completes_the_lower_half_under_a_label() -> None:
    model = training.load(rbm.RECIPE.name)
    assert isinstance(model, GlyphsRbm)
    images, labels = (torch.from_numpy(part) for part in glyphs("heldout", 100, cache_dir=None))
    half = model.pixels // 2
    units = torch.arange(model.pixels + model.labels)
    mask = ((units < half) | (units >= model.pixels)).float().expand(100, -1)

    def error(label: Tensor) -> float:
        known = rbm.binary(model, images, label)
        visible = rbm.generate(model, mask, known)
        assert torch.equal(visible[:, :half], known[:, :half])
        return float((visible[:, half : model.pixels] - rbm.ink(images)[:, half:]).square().mean())

    with training.reproducible(1):
        assert error(labels) < 0.8 * error((labels + 5) % 10)
