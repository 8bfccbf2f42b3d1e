"""How far an export may be from the original."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Of continuous values; whole numbers must be equal, whatever computes them."""

    max_abs: float  # largest difference, in units of the range that the original's values have
    psnr_db: float  # at least


FLOAT32 = Limits(1e-4, 50.0)
FLOAT16 = Limits(2e-2, 35.0)
