"""What the trainings of the shipped generators share, and the one function that runs any of them.

A model of the zoo is one module with these five names (protocol `ZooModule`):

    RECIPE: Recipe                        name, seed, steps, batch, learning rate and the card's two texts
    build() -> nn.Module                  the architecture, with random weights
    train(recipe, progress) -> Trained    the whole training; `progress(step, steps, figures)` now and then
    evaluate(model) -> dict[str, float]   figures on held-out data
    samples(model, rows) -> Tensor        pictures [rows, 1, h, w] in 0..1 (or points [rows, 2]), torch's own generator

The number of steps is fixed and every random number comes from the recipe's seed, so the same recipe gives
the same weights on the same machine; time is measured, never used to stop. `run(name, out_dir)` trains, evaluates
and writes `name.safetensors` and `name.json`; `load(name)` gives the trained model back, by default the shipped one.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import importlib
import json
import math
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, cast

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

MODULES = {
    "glyphs-classifier": "brood_export.zoo.classifier",
    "glyphs-vae": "brood_export.zoo.vae",
    "glyphs-gan": "brood_export.zoo.gan",
    "glyphs-flow": "brood_export.zoo.flow",
    "glyphs-pixelrnn": "brood_export.zoo.pixelrnn",
    "glyphs-rbm": "brood_export.zoo.rbm",
    "glyphs-boltzmann": "brood_export.zoo.boltzmann",
    "glyphs-diffusion": "brood_export.zoo.diffusion",
    "points-diffusion": "brood_export.zoo.points",
    "glyphs-flowmatch": "brood_export.zoo.flowmatch",
    "glyphs-ar": "brood_export.zoo.autoregressive",
    "motion-diffusion": "brood_export.zoo.motion_diffusion",
    "tones-classifier": "brood_export.zoo.tones_classifier",
    "tones-vae": "brood_export.zoo.tones_vae",
}
CHECKPOINTS = pathlib.Path(__file__).parent / "checkpoints"
CURVE_POINTS = 60

Figures = dict[str, float]
Progress = Callable[[int, int, Figures], None]  # (steps done, steps in all, latest figures)
Batch = tuple[Tensor, Tensor]  # images [batch, 1, h, w] float32 in 0..1, labels [batch] int64


@dataclasses.dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides a training's result; two equal recipes give equal weights."""

    name: str
    seed: int
    steps: int  # optimiser steps; a GAN's step updates both networks
    batch: int  # rows in one step
    learning_rate: float  # the highest one: it rises linearly, then falls along a cosine
    architecture: str  # one sentence for the card
    data: str  # one sentence for the card
    pictures: int = 60_000  # of the training data


@dataclasses.dataclass(frozen=True, slots=True)
class Trained:
    """A finished training."""

    model: nn.Module  # in evaluation mode
    curves: dict[str, list[float]]  # equally long lists; "step" is the abscissa
    seconds: float  # wall clock


class ZooModule(Protocol):
    """The names a module of the zoo has."""

    RECIPE: Recipe

    def build(self) -> nn.Module: ...
    def train(self, recipe: Recipe, progress: Progress) -> Trained: ...
    def evaluate(self, model: nn.Module) -> Figures: ...
    def samples(self, model: nn.Module, rows: int) -> Tensor: ...


def quiet(step: int, steps: int, figures: Figures) -> None:
    """The progress callback that shows nothing."""


def module(name: str) -> ZooModule:
    """The module that trains `name`, imported on first use. Raises KeyError naming the known models."""
    if name not in MODULES:
        raise KeyError(f"no zoo model is named {name!r}; there are {', '.join(MODULES)}")
    return cast(ZooModule, importlib.import_module(MODULES[name]))


def run(name: str, out_dir: pathlib.Path = CHECKPOINTS, progress: Progress = quiet) -> Figures:
    """Train `name`, write `name.safetensors` and `name.json`, and return the held-out figures."""
    zoo = module(name)
    started = time.process_time()
    trained = zoo.train(zoo.RECIPE, progress)
    processor_seconds = time.process_time() - started
    with reproducible(zoo.RECIPE.seed):
        figures = zoo.evaluate(trained.model)
    save(out_dir, zoo.RECIPE, trained, figures, processor_seconds)
    return figures


def save(out_dir: pathlib.Path, recipe: Recipe, trained: Trained, figures: Figures, processor_seconds: float) -> None:
    """Write the weights as safetensors and the recipe, times, curves (thinned) and figures as JSON.

    The wall clock also counts waiting for other processes; the processor's seconds do not.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    weights = {key: value.detach().contiguous() for key, value in trained.model.state_dict().items()}
    path = out_dir / f"{recipe.name}.safetensors"
    save_file(weights, path)
    path.chmod(0o644)  # the library writes files that only their owner may read
    facts = dataclasses.asdict(recipe) | {
        "parameters": parameters(trained.model),
        "seconds": round(trained.seconds, 1),
        "processor_seconds": round(processor_seconds, 1),
        "torch": torch.__version__,
        "heldout": {key: significant(value) for key, value in figures.items()},
        "curves": {key: [significant(v) for v in thin(values)] for key, values in trained.curves.items()},
    }
    (out_dir / f"{recipe.name}.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def load(name: str, directory: pathlib.Path = CHECKPOINTS) -> nn.Module:
    """The trained model, in evaluation mode. Raises FileNotFoundError when it has not been trained."""
    path = directory / f"{name}.safetensors"
    if not path.exists():
        raise FileNotFoundError(f"{path.name} is not in {directory}: train {name} first")
    model = module(name).build()
    model.load_state_dict(load_file(path))
    return model.eval()


def report(name: str, directory: pathlib.Path = CHECKPOINTS) -> dict[str, object]:
    """What `run` wrote about the training: recipe, seconds, curves, held-out figures."""
    return cast(dict[str, object], json.loads((directory / f"{name}.json").read_text(encoding="utf-8")))


@contextlib.contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Seed torch and use one thread inside the block; outside, generator and threads stay as they were."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.set_num_threads(1)  # sums split over threads round differently
        try:
            yield
        finally:
            torch.set_num_threads(threads)


@contextlib.contextmanager
def without_denormals() -> Iterator[None]:
    """Numbers below the normal range count as zero inside the block, and nowhere else.

    A logistic density's gradients vanish so far that most of them are denormal after some hundred steps; the
    processor then takes three times as long for a step, measured on glyphs-vae.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def batches(images: np.ndarray, labels: np.ndarray, batch: int, steps: int, seed: int) -> Iterator[Batch]:
    """`steps` minibatches: the data in a new order each pass; what is left of a pass is dropped.

    Raises ValueError when the data are fewer than one batch.
    """
    if len(images) < batch:
        raise ValueError(f"batch is {batch}; allowed is at most the {len(images)} pictures there are")
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    place = 0
    for _ in range(steps):
        if place + batch > len(x):
            order, place = torch.randperm(len(x), generator=generator), 0
        chosen = order[place : place + batch]
        place += batch
        yield x[chosen], y[chosen]


def rate(step: int, steps: int) -> float:
    """Factor on the learning rate: linear from 0 to 1 over at most 100 steps, then half a cosine down to 1 %."""
    rising = min(1.0, (step + 1) / min(100.0, 0.1 * steps))
    return rising * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * min(1.0, step / steps))))


class Ema:
    """A copy of a model whose weights are an exponential moving average of its weights."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self._decay = decay
        self._updates = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights after one optimiser step; the average is short at first."""
        self._updates += 1
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        for mean, new in zip(self.model.state_dict().values(), model.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(new, 1.0 - decay)
            else:
                mean.copy_(new)


class Recorder:
    """Turns the figures of every step into curves of block means and reports each block as progress."""

    def __init__(self, steps: int, progress: Progress) -> None:
        self.curves: dict[str, list[float]] = {"step": []}
        self._steps = steps
        self._block = max(1, steps // CURVE_POINTS)
        self._progress = progress
        self._sums: Figures = {}
        self._count = 0

    def add(self, step: int, figures: dict[str, Tensor]) -> None:
        """Take in the figures (scalar tensors) of the step numbered `step`, from 0."""
        for key, value in figures.items():
            self._sums[key] = self._sums.get(key, 0.0) + float(value.detach())
        self._count += 1
        if (step + 1) % self._block == 0 or step + 1 == self._steps:
            self._close(step + 1)

    def _close(self, done: int) -> None:
        means = {key: total / self._count for key, total in self._sums.items()}
        self.curves["step"].append(float(done))
        for key, value in means.items():
            self.curves.setdefault(key, []).append(value)
        self._sums, self._count = {}, 0
        self._progress(done, self._steps, means)


def fit(
    model: nn.Module,
    loss: Callable[[Tensor, Tensor, int], dict[str, Tensor]],
    data: Iterator[Batch],
    recipe: Recipe,
    progress: Progress,
    *,
    decay: float = 0.999,
    weight_decay: float = 0.0,
) -> Trained:
    """Minimise `loss(images, labels, step)["loss"]` by AdamW; returns the average of the weights.

    Call it inside `reproducible(recipe.seed)`. The gradient's norm is clipped at 5: one bad batch must not undo
    many good ones.
    """
    started = time.monotonic()
    channels_last(model)
    optimiser = torch.optim.AdamW(model.parameters(), recipe.learning_rate, (0.9, 0.99), weight_decay=weight_decay)
    ema, recorder = Ema(model, decay), Recorder(recipe.steps, progress)
    for step, (images, labels) in enumerate(data):
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * rate(step, recipe.steps)
        figures = loss(images, labels, step)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(figures["loss"])
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        ema.update(model)
        recorder.add(step, figures)
    return Trained(ema.model, recorder.curves, time.monotonic() - started)


def channels_last(model: nn.Module) -> None:
    """Keep the weights of convolutions channels-last: a third faster on processors, equal otherwise."""
    for parameter in model.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def parameters(model: nn.Module) -> int:
    """Number of learned scalars."""
    return sum(p.numel() for p in model.parameters())


def thin(values: Sequence[float], points: int = CURVE_POINTS) -> list[float]:
    """At most `points` of the values, evenly spread, always with the last."""
    stride = -(-len(values) // points)
    return list(values[::-1][::stride][::-1]) if stride > 1 else list(values)


def significant(value: float) -> float:
    """The value rounded to six significant digits, for reports."""
    return float(f"{value:.6g}")
