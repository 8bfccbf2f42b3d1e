"""Diffusion samplers as their papers write them: what the step tables of an export are held against.

Nothing of `brood.sampling` but the noise is used here. A sampler moves x_t = α_t x_0 + σ_t ε, α² + σ² = 1, along a
`Path` of noise levels to x_0; all arithmetic around the network is in float64. Of x/α the noise level is ς = σ/α.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Prediction = Literal["epsilon", "v", "x0"]
Floats = NDArray[np.float64]
Estimate = Callable[[Floats, int], Floats]  # x, step -> x_0 as far as it is known
Draw = Callable[[int], Floats]  # step -> standard normal numbers


@dataclass(frozen=True, slots=True)
class Path:
    """Noise levels, from the first that is left to the data themselves."""

    alpha: Floats  # [steps + 1], rising to 1
    sigma: Floats  # [steps + 1], falling to 0

    @property
    def pairs(self) -> list[tuple[float, float, float, float]]:
        """(α, σ, α', σ') of every step."""
        return list(zip(self.alpha[:-1], self.sigma[:-1], self.alpha[1:], self.sigma[1:], strict=True))


def path_of(alphas_cumprod: Floats, timesteps: Sequence[int]) -> Path:
    """The path over some of the training's noise levels, α_t² = ᾱ_t, and from the last of them to the data."""
    squares = np.append(alphas_cumprod[list(timesteps)], 1.0)
    return Path(np.sqrt(squares), np.sqrt(1.0 - squares))


def trailing(train_steps: int, steps: int) -> list[int]:
    """Timesteps, evenly spaced from the last one down (Lin et al. 2024, table 2)."""
    return [round(train_steps - k * train_steps / steps) - 1 for k in range(steps)]


def data(m: Floats, x: Floats, alpha: float, sigma: float, prediction: Prediction) -> Floats:
    """x_0 of what a network has predicted: ε, v = α ε − σ x_0 (Salimans and Ho 2022), or x_0 itself."""
    if prediction == "epsilon":
        return (x - sigma * m) / alpha
    return alpha * x - sigma * m if prediction == "v" else m


def ddim(estimate: Estimate, x: Floats, path: Path, draw: Draw, eta: float = 0.0) -> Floats:
    """Song, Meng and Ermon 2021, equations 12 and 16; ε is what x holds besides x_0."""
    for k, (alpha, sigma, alpha_next, sigma_next) in enumerate(path.pairs):
        x0 = estimate(x, k)
        epsilon = (x - alpha * x0) / sigma
        spread = eta * sigma_next / sigma * math.sqrt(1.0 - (alpha / alpha_next) ** 2)
        x = alpha_next * x0 + math.sqrt(sigma_next**2 - spread**2) * epsilon + spread * draw(k)
    return x


def ddpm(estimate: Estimate, x: Floats, path: Path, draw: Draw) -> Floats:
    """Ho, Jain and Abbeel 2020, equations 6 and 7, with β of the step between the two levels."""
    for k, (alpha, sigma, alpha_next, sigma_next) in enumerate(path.pairs):
        x0 = estimate(x, k)
        beta = 1.0 - (alpha / alpha_next) ** 2
        mean = alpha_next * beta / sigma**2 * x0 + math.sqrt(1.0 - beta) * sigma_next**2 / sigma**2 * x
        x = mean + math.sqrt(beta) * sigma_next / sigma * draw(k)
    return x


def euler(estimate: Estimate, x: Floats, path: Path, draw: Draw) -> Floats:
    """Karras et al. 2022, algorithm 1 without its correction: d(x/α)/dς = (x/α − x_0)/ς."""
    for k, (alpha, sigma, alpha_next, sigma_next) in enumerate(path.pairs):
        x0 = estimate(x, k)
        level, level_next = sigma / alpha, sigma_next / alpha_next
        slope = (x / alpha - x0) / level
        x = alpha_next * (x / alpha + (level_next - level) * slope)
    return x


def euler_ancestral(estimate: Estimate, x: Floats, path: Path, draw: Draw) -> Floats:
    """Song et al. 2021 (score-based models by differential equations), ancestral sampling where variance explodes.

    y' = y + (ς² − ς'²) s + sqrt(ς'²(ς² − ς'²)/ς²) z for y = x/α, with the score s = (x_0 − y)/ς².
    """
    for k, (alpha, sigma, alpha_next, sigma_next) in enumerate(path.pairs):
        x0 = estimate(x, k)
        level, level_next = (sigma / alpha) ** 2, (sigma_next / alpha_next) ** 2
        mean = x / alpha + (level - level_next) / level * (x0 - x / alpha)
        x = alpha_next * (mean + math.sqrt(level_next * (level - level_next) / level) * draw(k))
    return x


def dpmpp_2m(estimate: Estimate, x: Floats, path: Path, draw: Draw) -> Floats:
    """Lu et al. 2022 (DPM-Solver++), algorithm 2; the step to the data, where λ' is infinite, is of first order."""
    before: tuple[Floats, float] | None = None  # x_0 and h of the step before
    for k, (alpha, sigma, alpha_next, sigma_next) in enumerate(path.pairs):
        x0 = estimate(x, k)
        if sigma_next == 0.0:
            return alpha_next * x0
        h = math.log(alpha_next / sigma_next) - math.log(alpha / sigma)
        d = x0 if before is None else x0 + (h / before[1]) / 2.0 * (x0 - before[0])
        x = sigma_next / sigma * x - alpha_next * math.expm1(-h) * d
        before = x0, h
    return x


# Their papers begin at x/α = ς·noise, so x = σ·noise; the others at x = noise, as if nothing were left of the data.
EXPLODING = (euler, euler_ancestral)
SAMPLERS: Mapping[str, Callable[[Estimate, Floats, Path, Draw], Floats]] = {
    "ddim": ddim,
    "ddpm": ddpm,
    "euler": euler,
    "euler-ancestral": euler_ancestral,
    "dpmpp-2m": dpmpp_2m,
}
