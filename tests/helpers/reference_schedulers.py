"""The schedulers of diffusers, run in float64 with noise of our own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
)

from helpers.solver import Floats, Network

SCHEDULERS: dict[str, type[Any]] = {
    "ddpm": DDPMScheduler,
    "ddim": DDIMScheduler,
    "euler": EulerDiscreteScheduler,
    "euler-ancestral": EulerAncestralDiscreteScheduler,
    "dpmpp-2m": DPMSolverMultistepScheduler,
    "flow": FlowMatchEulerDiscreteScheduler,
}


class Double:
    """A module whose ``float32`` is its ``float64``."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, "float64" if name == "float32" else name)


@contextmanager
def in_double(scheduler: type[Any], noise: Floats) -> Iterator[None]:
    """Let a scheduler's module compute in float64, and take its random numbers from ``noise``, [K, ...], in order."""
    module = sys.modules[scheduler.__module__]
    fresh = iter(torch.from_numpy(noise))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "torch", Double(torch))
        patch.setattr(module, "np", Double(np))
        patch.setattr(module, "randn_tensor", lambda *_, **__: next(fresh))
        yield


@dataclass(frozen=True)
class Reference:
    """A run of a diffusers scheduler."""

    sampler: str
    steps: int
    config: dict[str, Any]
    step: dict[str, Any]  # further arguments of every step
    timesteps: dict[str, Any]  # further arguments of set_timesteps

    def run(self, network: Network, start: Floats, noise: Floats, given: Floats | None, strength: float) -> Floats:
        """x at the beginning and after every step, [K + 1, ...]; with ``given`` from that, as its pipelines do."""
        kind = SCHEDULERS[self.sampler]
        with in_double(kind, noise), torch.no_grad():
            scheduler = kind(**self.config)
            scheduler.set_timesteps(self.steps, **self.timesteps)
            first = 0 if given is None else self.steps - int(self.steps * strength)
            x = self._beginning(scheduler, torch.from_numpy(start), given, first)
            xs = [x]
            for t in scheduler.timesteps[first:]:
                scaled = scheduler.scale_model_input(x, t) if hasattr(scheduler, "scale_model_input") else x
                m = torch.from_numpy(network(scaled.numpy(), float(t)))
                x = scheduler.step(m, t, x, **self.step).prev_sample
                xs.append(x)
        return torch.stack(xs).numpy()

    def _beginning(self, scheduler: Any, start: torch.Tensor, given: Floats | None, first: int) -> torch.Tensor:
        if given is None:
            return start * float(getattr(scheduler, "init_noise_sigma", 1.0))
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(first)
        sample, t = torch.from_numpy(given), scheduler.timesteps[first : first + 1]
        flow = self.sampler == "flow"  # takes its arguments in another order
        mixed: torch.Tensor = scheduler.scale_noise(sample, t, start) if flow else scheduler.add_noise(sample, start, t)
        return mixed
