"""Whole runs of a denoiser as its papers would make them: the network, a textbook sampler, and the seed's noise.

No step table takes part, so a golden run that was made here is a proof of the tables as well as of the graphs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from brood.sampling.noise import Distribution, noise
from brood_export.families.base import LABEL_STREAM, LATENT_STREAM, STEP_STREAM, Request
from brood_export.families.denoiser import Space
from brood_export.families.textbook import EXPLODING, SAMPLERS, Floats, Path, Prediction, data, ddim, path_of, trailing


@dataclass(frozen=True, slots=True)
class Denoiser:
    """A trained denoising network, and how it was trained."""

    model: nn.Module
    space: Space
    prediction: Prediction
    alphas_cumprod: Floats  # [train_steps], ᾱ_t of the training

    def original(self, request: Request) -> Mapping[str, NDArray[np.generic]]:
        """The sample of a request that has all its parameters: every output, without the rows axis."""
        label = wanted_label(request, self.space.classes)
        timesteps = remaining(trailing(len(self.alphas_cumprod), int(request.params["steps"])), request)
        path = path_of(self.alphas_cumprod, timesteps)
        guidance = guidances(len(timesteps), request)

        def estimate(x: Floats, k: int) -> Floats:
            m = self.predicted(x, timesteps[k], label, guidance[k])
            x0 = data(m, x, float(path.alpha[k]), float(path.sigma[k]), self.prediction)
            return completed(x0.clip(*self.space.range), request)

        def draw(k: int) -> Floats:
            return drawn("normal", request, STEP_STREAM, k, self.space.shape)

        sampler = SAMPLERS[str(request.params["sampler"])]
        x = self.beginning(request, path, whole=sampler not in EXPLODING)
        if sampler is ddim:
            sampler = partial(ddim, eta=float(request.params.get("eta", 0.0)))
        made = sampler(estimate, x, path, draw)
        return {self.space.output: made.astype(np.float32), "label": np.asarray(label, np.int64)}

    def beginning(self, request: Request, path: Path, *, whole: bool) -> Floats:
        """The first x: noise (`whole`: of variance 1, else of the first level's), or the given sample with noise."""
        latent = first_noise(request, self.space.shape)
        if "strength" in request.params:
            given = request.inputs[self.space.output].astype(np.float64)
            return float(path.alpha[0]) * given + float(path.sigma[0]) * latent
        return latent if whole else float(path.sigma[0]) * latent

    @torch.no_grad()
    def predicted(self, x: Floats, timestep: float, label: int, guidance: float) -> Floats:
        """Classifier-free guidance (Ho and Salimans 2022): u + g (c − u); the network computes in float32."""

        def network(of: int) -> Floats:
            rows = torch.from_numpy(x[None]).float(), torch.full((1,), float(timestep)), torch.full((1,), of)
            found: Floats = self.model(*rows)[0].double().numpy()
            return found

        c = network(label)
        if guidance == 1.0:
            return c
        u = network(self.space.classes)
        return u + guidance * (c - u)


def drawn(distribution: Distribution, request: Request, stream: int, step: int, shape: tuple[int, ...]) -> Floats:
    """The noise of the request's one row."""
    values = noise(distribution, seed=request.seed, stream=stream, index=request.index, step=step, shape=shape)
    return values.astype(np.float64)


def first_noise(request: Request, shape: tuple[int, ...]) -> Floats:
    """The noise that a run begins with; between two samples, that on the arc between theirs (Shoemake 1985)."""
    if "frames" not in request.params:
        return drawn("normal", request, LATENT_STREAM, 0, shape)
    end = replace(request, seed=int(request.params["seed_to"]), index=int(request.params["index_to"]))
    a, b = (drawn("normal", one, LATENT_STREAM, 0, shape) for one in (beginning_of(request), end))
    weight = request.index / (int(request.params["frames"]) - 1)
    angle = math.acos(float(np.vdot(a, b)) / float(np.linalg.norm(a) * np.linalg.norm(b)))
    between: Floats = (math.sin((1.0 - weight) * angle) * a + math.sin(weight * angle) * b) / math.sin(angle)
    return between


def beginning_of(request: Request) -> Request:
    """The sample at the beginning, of a request for one between two; else the request."""
    return replace(request, index=int(request.params.get("index_from", request.index)))


def wanted_label(request: Request, classes: int) -> int:
    """The class to make; of -1, one drawn."""
    label = int(request.params["label"])
    uniform = float(drawn("uniform", beginning_of(request), LABEL_STREAM, 0, ()))
    return min(int(uniform * classes), classes - 1) if label < 0 else label


def remaining(timesteps: list[int], request: Request) -> list[int]:
    """Those a run takes: image-to-image of strength s leaves out the first (1 − s) of them (Meng et al. 2022)."""
    kept = math.floor(float(request.params.get("strength", 1.0)) * len(timesteps))
    return timesteps[len(timesteps) - max(1, kept) :]


def guidances(steps: int, request: Request) -> list[float]:
    """The guidance of every step: 1 where not all of it lies in the interval (Kynkäänniemi et al. 2024)."""
    g, start, stop = (float(request.params[name]) for name in ("guidance", "guidance_start", "guidance_stop"))
    return [g if start <= k / steps and (k + 1) / steps <= stop else 1.0 for k in range(steps)]


def completed(x0: Floats, request: Request) -> Floats:
    """x_0 with what is known put in its place."""
    if "mask" not in request.inputs:
        return x0
    mask, known = (request.inputs[name].astype(np.float64) for name in ("mask", "image"))
    return (1.0 - mask) * x0 + mask * known
