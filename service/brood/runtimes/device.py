"""Which device graphs run on, as people say it: ``cpu``, ``cuda``, ``cuda:1``, ``tensorrt``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from brood.protocol.errors import BundleError

Kind = Literal["cpu", "cuda", "tensorrt"]
ALLOWED = "cpu, cuda, cuda:N, tensorrt, tensorrt:N; N counts the GPUs that this process sees, from 0"
FORM = re.compile(rf"({'|'.join(get_args(Kind))})(?::(0|[1-9][0-9]{{0,3}}))?")


@dataclass(frozen=True, slots=True)
class Device:
    """A device of this machine, and what is to run graphs on it."""

    kind: Kind
    number: int = 0  # among the GPUs that this process sees (CUDA_VISIBLE_DEVICES)

    @property
    def name(self) -> str:
        """As `parse_device` reads it."""
        return f"{self.kind}:{self.number}" if self.number else self.kind

    @property
    def is_gpu(self) -> bool:
        """Whether it has a memory of its own."""
        return self.kind != "cpu"


def parse_device(text: str) -> Device:
    """A device by its name.

    Raises:
        BundleError: there is none of that name.
    """
    found = FORM.fullmatch(text)
    if found is None or (found[1] == "cpu" and found[2] is not None):
        raise BundleError(f"device: {text!r} is not allowed; allowed: {ALLOWED}", field="device")
    kind: Kind = next(kind for kind in get_args(Kind) if kind == found[1])
    return Device(kind, int(found[2] or 0))
