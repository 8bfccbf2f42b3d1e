"""What is to be seen in videos of moving glyphs: which digit each frame shows, and how its middle moves."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from brood_export.zoo import classifier, training

WINDOW = 0.8  # side of what is cut out of a frame, in frames: glyphs fill as much of it as of the classifier's pictures
READ = 28  # pixels of the side of what the classifier reads


def middles(videos: Tensor) -> Tensor:
    """Centre of the ink [n, frames, 2] (x, y) of videos [n, frames, 1, h, w] in 0…1, in frames from their middle."""
    ink = videos[:, :, 0].clamp(min=0.0)
    height, width = ink.shape[2:]
    x, y = ((torch.arange(size) + 0.5) / size - 0.5 for size in (width, height))
    total = ink.sum((2, 3)).clamp(min=1e-6)
    return torch.stack([(ink.sum(2) * x).sum(2), (ink.sum(3) * y).sum(2)], 2) / total[..., None]


def centred(videos: Tensor) -> Tensor:
    """Frames [n * frames, 1, 28, 28] with the ink's centre in the middle, as large as the classifier knows glyphs."""
    frames, centre = videos.flatten(0, 1), middles(videos).flatten(0, 1)
    turn = torch.zeros(len(frames), 2, 3)
    turn[:, 0, 0] = turn[:, 1, 1] = WINDOW
    turn[:, :, 2] = 2.0 * centre
    grid = functional.affine_grid(turn, [len(frames), 1, READ, READ], align_corners=False)
    return functional.grid_sample(frames, grid, align_corners=False)


@torch.no_grad()
def verdict(videos: Tensor, labels: Tensor) -> training.Figures:
    """What is seen in videos [n, frames, 1, h, w] in 0…1 that were asked for as `labels` [n].

    frame_accuracy: share of frames read as their label. steady_share: share of videos all of whose frames are read as
    one digit. speed and speed_spread: mean and deviation over the videos of how far the ink's centre moves from frame
    to frame, in frame sides. jerk: root mean square change of that movement where nothing is reflected, its median
    over the videos: 0 is an even flight. ink_spread: deviation of the ink's sum over the frames of a video, relative.
    """
    read = classifier.trained()(centred(videos)).argmax(1).view(videos.shape[:2])
    steps = middles(videos).diff(dim=1)
    speed = steps.norm(dim=2).mean(1)
    # The median over a video's frames leaves reflections out: there are few of them.
    jerk = steps.diff(dim=1).norm(dim=2).median(1).values
    ink = videos.sum((2, 3, 4))
    return {
        "frame_accuracy": float((read == labels[:, None]).float().mean()),
        "steady_share": float((read == read[:, :1]).all(1).float().mean()),
        "speed": float(speed.mean()),
        "speed_spread": float(speed.std()),
        "jerk": float(jerk.median()),
        "ink_spread": float((ink.std(1) / ink.mean(1)).mean()),
    }
