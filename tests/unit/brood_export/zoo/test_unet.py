"""The U-Net of pictures and videos: rows, time, labels and frames, and what they do to each other."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from brood_export.zoo import flowmatch, motion_diffusion, training, unet

pytestmark = pytest.mark.export


def shaken(frames: int) -> unet.UNet:
    """A small network none of whose blocks is the identity."""
    with training.reproducible(1):
        model = unet.UNet(1, 3, 8, 16, 16, frames).eval().requires_grad_(False)
        for part in model.modules():
            if isinstance(part, unet.Block):
                nn.init.normal_(part.second.weight, 0.0, 0.1)
            if isinstance(part, unet.Across):
                nn.init.normal_(part.mix.weight, 0.0, 0.1)
    return model


@pytest.mark.parametrize(("frames", "shape"), [(1, (1, 8, 12)), (5, (5, 1, 8, 12))])
def test_rows_do_not_see_each_other_and_time_and_labels_matter(frames: int, shape: tuple[int, ...]) -> None:
    model = shaken(frames)
    x, t, label = torch.randn(4, *shape), torch.tensor([0.0, 10.0, 500.0, 999.0]), torch.arange(4)
    together = model(x, t, label)
    alone = torch.cat([model(x[i : i + 1], t[i : i + 1], label[i : i + 1]) for i in range(4)])
    assert together.shape == x.shape
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0.0)
    said = model(x[:1].expand_as(x), t[:1].expand(4), label).flatten(1)
    assert float(torch.cdist(said, said).add(torch.eye(4)).min()) > 1e-3
    later = model(x[:1].expand_as(x), t, label[:1].expand(4)).flatten(1)
    assert float(torch.cdist(later, later).add(torch.eye(4)).min()) > 1e-3


def test_frames_see_each_other_and_their_order() -> None:
    model, x = shaken(5), torch.randn(1, 5, 1, 8, 8)
    said = torch.tensor([10.0]), torch.tensor([1])
    before, changed = model(x, *said), x.clone()
    changed[:, 0] += 1.0
    moved = (model(changed, *said) - before).flatten(2).norm(dim=2)[0]
    assert bool((moved > 1e-3).all())
    backwards = model(x.flip(1), *said).flip(1)
    assert float((backwards - before).abs().max()) > 1e-3


def test_an_untrained_network_treats_frames_as_pictures() -> None:
    with training.reproducible(1):
        video = unet.UNet(1, 3, 8, 16, 16, 4).eval()
        picture = unet.UNet(1, 3, 8, 16, 16).eval()
    picture.load_state_dict({key: value for key, value in video.state_dict().items() if "across" not in key})
    x, t, label = torch.randn(2, 4, 1, 8, 8), torch.tensor([3.0, 900.0]), torch.tensor([0, 2])
    for part in video.across:
        nn.init.zeros_(part.mix.bias)  # type: ignore[union-attr, arg-type]
    apart = torch.stack([picture(x[:, k], t, label) for k in range(4)], 1)
    torch.testing.assert_close(video(x, t, label), apart, atol=1e-6, rtol=0.0)


def test_sizes_of_those_that_ship() -> None:
    assert training.parameters(flowmatch.build()) <= 230_000
    assert training.parameters(motion_diffusion.build()) <= 230_000
