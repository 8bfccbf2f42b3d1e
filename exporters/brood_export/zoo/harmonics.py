"""Sounds of one known note as harmonics whose loudness changes: analysis, and synthesis in the other direction.

    x(t) = sum_k a_k(t) sin(2 pi k phi(t) + theta_k),   d phi / dt = f (1 + d(t))

with the note's frequency f, loudnesses a_k and the deviation d, both given once a frame of 128 samples. Analysis
multiplies windowed frames with complex oscillations at the harmonics, a heterodyne filter (Moorer 1977, "Signal
processing aspects of computer music"); d is how fast the phases run away, those of loud harmonics counting most.
Synthesis is a bank of oscillators (Engel et al. 2020, "DDSP"). The phases theta_k are not kept: nobody hears them. They
are fixed so that few peaks add up (Schroeder 1970).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from brood_export.zoo.tones import NOTES, RATE, SAMPLES, frequency

HARMONICS = 24
HOP = 128
FRAMES = SAMPLES // HOP
WINDOW = 3 * HOP  # 24 ms: three periods of the lowest note
HIGHEST = 7600.0  # Hz; a harmonic above is silent
QUIET = 1e-3  # loudness that counts as none


class Harmonics(nn.Module):
    """Analysis and synthesis; nothing is learned."""

    cycles: Tensor
    places: Tensor
    shape: Tensor
    number: Tensor
    theta: Tensor

    def __init__(self) -> None:
        super().__init__()
        constants = {
            "cycles": torch.from_numpy(frequency(range(NOTES))) / RATE,  # of each note a sample, float64
            "places": torch.arange(SAMPLES, dtype=torch.float64),
            "shape": torch.hann_window(WINDOW) * (2.0 / torch.hann_window(WINDOW).sum()),
            "number": torch.arange(1.0, HARMONICS + 1),
            "theta": torch.arange(HARMONICS) * torch.arange(1, HARMONICS + 1) / (2.0 * HARMONICS),  # turns
        }
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)

    def turns(self, note: Tensor) -> Tensor:
        """Where the note's own oscillation [n, SAMPLES] is, in 0…1, of notes [n].

        In float64 up to here: after half a second float32 would be a hundredth of a turn off at the last harmonic.
        """
        passed = self.cycles[note][:, None] * self.places
        return (passed - passed.floor()).to(torch.float32)

    def audible(self, note: Tensor) -> Tensor:
        """1 for harmonics [n, HARMONICS] that are sounded, else 0."""
        cycles = self.cycles[note].to(torch.float32)
        return (cycles[:, None] * self.number < HIGHEST / RATE).to(torch.float32)

    def analyse(self, sound: Tensor, note: Tensor) -> tuple[Tensor, Tensor]:
        """Loudness [n, HARMONICS, FRAMES] and deviation [n, FRAMES] of sounds [n, 1, SAMPLES] on notes [n]."""
        beyond = torch.zeros_like(sound[:, 0, :HOP])
        hops = torch.cat([beyond, sound[:, 0], beyond], 1).reshape(-1, FRAMES + 2, HOP)
        frames = torch.cat([hops[:, :-2], hops[:, 1:-1], hops[:, 2:]], 2) * self.shape
        begun = self.turns(note)[:, ::HOP]  # the middle hop's first sample; the frame begins a hop before
        away = torch.arange(WINDOW, device=sound.device) - HOP
        inside = self.cycles[note].to(torch.float32)[:, None] * away
        angle = 2.0 * math.pi * self.number[:, None] * inside[:, None]  # [n, HARMONICS, WINDOW]
        real = torch.cos(angle) @ frames.transpose(1, 2)
        imaginary = torch.sin(angle) @ frames.transpose(1, 2)
        loudness = (real.square() + imaginary.square()).sqrt() * self.audible(note)[:, :, None]
        phase = torch.atan2(-imaginary, real) / (2.0 * math.pi) - begun[:, None] * self.number[:, None]
        moved = phase.diff(dim=2)
        moved = torch.cat([moved[:, :, :1], moved], 2)
        run = (moved - torch.round(moved)) / self.number[:, None]  # turns of the fundamental, as each harmonic tells
        energy = loudness.square() + QUIET**4
        ahead = summed(run * energy) / summed(energy)
        return loudness, ahead / (self.cycles[note].to(torch.float32)[:, None] * HOP)

    def synthesise(self, loudness: Tensor, deviation: Tensor, note: Tensor) -> Tensor:
        """Sounds [n, 1, SAMPLES] of loudnesses [n, HARMONICS, FRAMES] and deviations [n, FRAMES] on notes [n]."""
        cycles = self.cycles[note].to(torch.float32)[:, None]
        run = torch.cumsum(deviation * cycles * HOP, 1)  # turns that the phase is ahead
        phase = self.turns(note) + between(run[:, None])[:, 0]
        turns = self.number[:, None] * phase[:, None] + self.theta[:, None]
        waves = torch.sin((turns - turns.floor()) * (2.0 * math.pi))
        heard = between(loudness * self.audible(note)[:, :, None])
        return summed(heard * waves)[:, None]


def summed(x: Tensor) -> Tensor:
    """[n, m] of x [n, k, m]. As a product: a sum over the middle axis is taken in another order for a single row."""
    one = torch.ones(1, x.shape[1], dtype=x.dtype, device=x.device)
    total: Tensor = (one @ x)[:, 0]
    return total


def between(values: Tensor) -> Tensor:
    """Values [n, m, SAMPLES] on straight lines between those of the frames' middles [n, m, FRAMES]."""
    ends = torch.cat([values[..., :1], values, values[..., -1:]], -1)
    share = (torch.arange(HOP, device=values.device) + 0.5) / HOP
    lines = ends[..., :-1, None] * (1.0 - share) + ends[..., 1:, None] * share
    return lines.flatten(-2)[..., HOP // 2 : -(HOP // 2)]
