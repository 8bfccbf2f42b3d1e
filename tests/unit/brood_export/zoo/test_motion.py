"""Videos of moving digits: the data, what is measured in them, and what was trained."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from brood_export.zoo import motion, motion_diffusion, tracking, training

pytestmark = pytest.mark.export


def test_the_first_videos_of_a_longer_request_are_those_of_a_shorter_one(tmp_path: Path) -> None:
    few, labels = motion.motion("heldout", 12, tmp_path)
    again, _ = motion.motion("heldout", 12, tmp_path)
    many, more = motion.motion("heldout", 20, None)
    assert few.shape == (12, motion.FRAMES, 1, motion.SIDE, motion.SIDE)
    assert few.dtype == np.float32
    assert np.array_equal(few, again)
    assert np.array_equal(few, many[:12])
    assert np.array_equal(labels, more[:12])
    assert few.min() == 0.0
    assert few.max() == 1.0
    assert not np.array_equal(few, motion.motion("train", 12, None)[0])


@pytest.mark.parametrize(("split", "count", "words"), [("test", 1, "split is 'test'"), ("train", 0, "count is 0")])
def test_what_there_is_not_is_refused(split: motion.Split, count: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        motion.motion(split, count, None)


def test_a_path_is_straight_until_it_is_reflected() -> None:
    begun, velocity = np.array([[0.0, 0.15], [-0.1, 0.0]]), np.array([[0.02, 0.04], [0.0, 0.0]])
    places = motion.path(begun, velocity)
    assert places[0, :, 0] == pytest.approx(np.arange(motion.FRAMES) * 0.02)
    assert places[0, :4, 1] == pytest.approx([0.15, 0.19, 0.17, 0.13])
    assert places[1] == pytest.approx(np.tile(begun[1], (motion.FRAMES, 1)))
    fast = motion.path(np.random.default_rng(1).uniform(-0.2, 0.2, (50, 2)), np.full((50, 2), 0.31))
    assert np.abs(fast).max() <= motion.ROOM + 1e-12


def test_the_ink_s_centre_is_where_the_glyph_was_put() -> None:
    """A glyph's ink is not quite around its middle, so movements are compared, not places."""
    videos, _ = motion.motion("heldout", 40, None)
    steps = tracking.middles(torch.from_numpy(videos)).diff(dim=1).norm(dim=2)
    assert 0.02 < float(steps.mean()) < 0.12
    still = torch.zeros(1, 3, 1, 20, 20)
    still[0, 0, 0, 9:11, 9:11] = still[0, 1, 0, 9:11, 13:15] = still[0, 2, 0, 5:7, 13:15] = 1.0
    places = tracking.middles(still)[0]
    torch.testing.assert_close(places, torch.tensor([[0.0, 0.0], [0.2, 0.0], [0.2, -0.2]]), atol=1e-6, rtol=0.0)


def test_the_classifier_of_glyphs_reads_the_frames_and_the_flight_is_even() -> None:
    videos, labels = (torch.from_numpy(part) for part in motion.motion("heldout", 100, None))
    seen = tracking.verdict(videos, labels)
    assert seen["frame_accuracy"] > 0.95
    assert seen["steady_share"] > 0.95
    assert seen["jerk"] < 0.1 * seen["speed"]
    shuffled = tracking.verdict(videos[:, torch.tensor([3, 0, 6, 1, 7, 2, 5, 4])], (labels + 1) % 10)
    assert shuffled["frame_accuracy"] < 0.05
    assert shuffled["jerk"] > 0.5 * seen["speed"]
    cut = torch.cat([videos[:50, :4], videos[50:, 4:]], 1)
    assert tracking.verdict(cut, labels[:50])["steady_share"] < 0.4


def test_a_short_training_lowers_the_loss_and_repeats_itself() -> None:
    recipe = dataclasses.replace(motion_diffusion.RECIPE, steps=12, batch=4, pictures=16)
    first, second = (motion_diffusion.train(recipe, training.quiet) for _ in range(2))
    assert first.curves["loss"][-1] < first.curves["loss"][0]
    assert first.curves == second.curves
    for key, value in first.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[key])


def test_the_shipped_model_makes_steady_videos_of_readable_digits() -> None:
    model, labels = training.load(motion_diffusion.RECIPE.name), torch.arange(40) % 10
    with training.reproducible(9):
        made = motion_diffusion.draw(model, labels, motion_diffusion.STEPS, motion_diffusion.GUIDANCE)
    seen = tracking.verdict(made, labels)
    assert seen["frame_accuracy"] > 0.9
    assert seen["steady_share"] > 0.7
    assert 0.04 < seen["speed"] < 0.1
