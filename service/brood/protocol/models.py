"""What is known about a model from outside: its manifest, whether it is ready, and what it guarantees here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from brood.protocol.events import Determinism
from brood.protocol.manifest import Manifest

ModelState = Literal["loading", "ready", "failed", "unloaded"]


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One version of one model, as the listing shows it."""

    name: str
    version: int
    state: ModelState
    reason: str = ""  # why it failed
    manifest: Manifest | None = None  # None: it could not be read
    determinism: Mapping[str, Determinism] = field(default_factory=dict)  # operation → guarantee here
    numerics_id: str = ""  # models with the same one give the same bits to exact requests; empty: to none
    certificate: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # graph → buckets that give the same bits
    device: str = ""  # on which its graphs run
    provider: str = ""  # what runs them there, such as "CUDAExecutionProvider"
    precision: str = ""  # of the floating-point numbers that the device computes with, such as "float32"
    # graph → operator → how many of its nodes the provider has left to another one; graphs without such are left out
    fallback: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    state_bytes: int = 0  # memory that the state of unfinished samples may take
