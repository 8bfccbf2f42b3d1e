"""Sounds: the instruments, what is measured in them, harmonics in both directions, and what was trained."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from brood_export.zoo import hearing, tones, tones_classifier, tones_vae, training
from brood_export.zoo.couplings import normal_log_density
from brood_export.zoo.harmonics import FRAMES, HARMONICS, Harmonics, between
from brood_export.zoo.tones import CLASSES, NOTES, RATE, SAMPLES, TIMBRES

pytestmark = pytest.mark.export


def sine(hertz: float, level: float = 0.5) -> np.ndarray:
    return level * np.sin(2.0 * np.pi * hertz * np.arange(SAMPLES) / RATE)


def test_the_first_sounds_of_a_longer_request_are_those_of_a_shorter_one() -> None:
    few, labels = tones.tones("heldout", 6)
    many, more = tones.tones("heldout", 300)
    assert few.shape == (6, 1, SAMPLES)
    assert few.dtype == np.float32
    assert np.array_equal(few, many[:6])
    assert np.array_equal(labels, more[:6])
    assert np.abs(many).max() < 0.5
    assert set(np.unique(more)) <= set(range(CLASSES))
    assert SAMPLES / RATE >= 0.5
    assert not np.array_equal(few, tones.tones("train", 6)[0])


@pytest.mark.parametrize(("split", "count", "words"), [("test", 1, "split is 'test'"), ("train", 0, "count is 0")])
def test_what_there_is_not_is_refused(split: tones.Split, count: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        tones.tones(split, count)


def test_notes_are_semitones_around_440_hz() -> None:
    assert float(tones.frequency(21)) == pytest.approx(440.0)
    assert float(tones.frequency(0)) == pytest.approx(130.8128, abs=1e-3)


def test_pitch_is_that_of_the_fundamental_even_where_it_is_weak() -> None:
    rich = sum(sine(146.0 * k, 0.2) for k in range(1, 6))
    weak = sine(200.0, 0.02) + sine(400.0, 0.3) + sine(600.0, 0.3)
    found = hearing.pitch(np.stack([sine(440.0), sine(131.3), rich, weak]), RATE)
    assert np.abs(hearing.cents(found, np.array([440.0, 131.3, 146.0, 200.0]))).max() < 5.0
    assert hearing.cents(np.array([440.0]), np.array([220.0]))[0] == pytest.approx(1200.0)


def test_every_instrument_sounds_its_note() -> None:
    sounds, labels = tones.tones("heldout", 250)
    found = hearing.pitch(sounds[:, 0], RATE)
    assert np.abs(hearing.cents(found, tones.frequency(labels // len(TIMBRES)))).max() < 50.0


def test_spectra_know_levels_and_their_distance_is_in_decibels() -> None:
    tone = sine(1000.0)[None]
    assert hearing.spectra(tone).max() == pytest.approx(0.5, rel=0.02)
    loud = hearing.partials(tone, RATE, np.array([500.0]), 3)[0, 10]
    assert loud[1] == pytest.approx(0.5, rel=0.02)
    assert max(loud[0], loud[2]) < 1e-3
    noise = np.random.default_rng(1).normal(0.0, 0.3, (1, SAMPLES))
    assert hearing.log_spectral_distance(noise, noise)[0] == 0.0
    assert hearing.log_spectral_distance(noise, 0.5 * noise)[0] == pytest.approx(6.02, abs=0.1)


def test_harmonics_are_found_where_they_were_made() -> None:
    harmonics, note = Harmonics(), torch.tensor([0, 9, 23])
    with training.reproducible(1):
        loudness = (torch.rand(3, HARMONICS, 1) / harmonics.number[:, None]).expand(-1, -1, FRAMES) * 0.3
    drift = torch.full((3, FRAMES), 0.001)
    sound = harmonics.synthesise(loudness, drift, note)
    assert sound.shape == (3, 1, SAMPLES)
    again, moved = harmonics.analyse(sound, note)
    inside = slice(3, FRAMES - 3)
    expected = (loudness * harmonics.audible(note)[:, :, None])[..., inside]
    torch.testing.assert_close(again[..., inside], expected, atol=4e-3, rtol=0.0)
    torch.testing.assert_close(moved[:, inside], drift[:, inside], atol=4e-4, rtol=0.0)
    hertz = hearing.pitch(sound[:, 0].numpy(), RATE)
    assert np.abs(hearing.cents(hertz, tones.frequency(note.numpy()) * 1.001)).max() < 5.0


def test_what_lies_above_half_the_sample_rate_is_silent() -> None:
    audible = Harmonics().audible(torch.tensor([0, NOTES - 1]))
    assert audible[0].sum() == HARMONICS
    assert audible[1].sum() == int(7600.0 / float(tones.frequency(NOTES - 1)))


def test_between_frames_values_lie_on_straight_lines() -> None:
    values = torch.arange(FRAMES, dtype=torch.float32)[None, None]
    lines = between(values)[0, 0]
    assert lines.shape == (SAMPLES,)
    middle = lines[64:-64]
    torch.testing.assert_close(middle.diff(), torch.full((SAMPLES - 129,), 1.0 / 128.0), atol=1e-5, rtol=0.0)
    assert float(lines[0]) == 0.0
    assert float(lines[-1]) == FRAMES - 1.0


def test_the_shipped_classifier_knows_the_instruments() -> None:
    sounds, labels = (torch.from_numpy(part) for part in tones.tones("heldout", 250))
    heard = tones_classifier.verdict(sounds, labels)
    assert heard["timbre_accuracy"] > 0.98
    assert heard["pitch_accuracy"] == 1.0
    wrong = tones_classifier.verdict(sounds, (labels + 1) % CLASSES)
    assert wrong["timbre_accuracy"] < 0.1


def test_the_bound_is_that_of_the_curves_and_a_short_training_repeats_itself() -> None:
    recipe = dataclasses.replace(tones_vae.RECIPE, steps=12, batch=16, pictures=64)
    first, second = (tones_vae.train(recipe, training.quiet) for _ in range(2))
    assert first.curves["loss"][-1] < first.curves["loss"][0]
    assert first.curves == second.curves
    for key, value in first.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[key])


def slope(model: tones_vae.TonesVae, noise: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """d z / d noise [latent, latent] of one row, row by row of z."""
    given = noise.clone().requires_grad_()
    z = model.from_noise(given, label)[0]
    return torch.stack([torch.autograd.grad(one, given, retain_graph=True)[0][0] for one in z])


def test_the_prior_and_its_density_are_one_map() -> None:
    with training.reproducible(2):
        model = tones_vae.build().requires_grad_(False)
        for part in model.prior.parameters():
            part.normal_(0.0, 0.2)
        noise, label = torch.randn(5, tones_vae.LATENT), torch.tensor([0, 1, 2, 3, 95])
    z = model.from_noise(noise, label)
    jacobians = [slope(model, noise[row : row + 1], label[row : row + 1]) for row in range(len(noise))]
    volume = torch.stack([torch.linalg.slogdet(jacobian)[1] for jacobian in jacobians])
    expected = normal_log_density(noise) - volume
    torch.testing.assert_close(model.log_prior(z, label), expected, atol=1e-3, rtol=0.0)


def test_the_shipped_model_plays_the_note_on_the_instrument_and_encodes_sounds() -> None:
    model = training.load(tones_vae.RECIPE.name)
    assert isinstance(model, tones_vae.TonesVae)
    with training.reproducible(9):
        made = tones_vae.samples(model, CLASSES)
    heard = tones_classifier.verdict(made, torch.arange(CLASSES))
    assert heard["pitch_accuracy"] > 0.97
    assert heard["timbre_accuracy"] > 0.93
    assert float(made.abs().max()) < 1.0
    sounds, labels = (torch.from_numpy(part) for part in tones.tones("heldout", 40))
    with torch.no_grad():
        again = model.decode(model.encode(sounds, labels)[0], labels)
    near = hearing.log_spectral_distance(again[:, 0].numpy(), sounds[:, 0].numpy()).mean()
    far = hearing.log_spectral_distance(again[:, 0].numpy(), sounds[:, 0].numpy()[::-1]).mean()
    assert near < 3.0 < far
