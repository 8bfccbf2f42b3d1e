"""How the generators of a split server are laid out: the part of the settings that is a list."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from brood.protocol.errors import BundleError
from brood.runtimes.device import parse_device


class Words(BaseModel):
    """Base: unknown keys are errors, and nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Autoscaling(Words):
    """How many workers a generator has: by the predicted time that their work takes, not by counts of requests."""

    min: int = Field(default=1, ge=0, description="workers; 0: none while there is nothing to do")
    max: int = Field(ge=1, description="workers")
    target_backlog_s: float = Field(default=2.0, gt=0, description="predicted seconds of work for each worker")
    target_load: float = Field(default=0.7, gt=0, le=1, description="part of its capacity that a worker is to use")
    up_delay_s: float = Field(default=5.0, ge=0, description="so long more must be needed before workers are added")
    down_delay_s: float = Field(default=120.0, ge=0, description="so long fewer must do before workers are ended")
    idle_delay_s: float = Field(default=300.0, ge=0, description="so long all must be idle before the last is ended")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is more than max {self.max}")
        return self


class GeneratorSettings(Words):
    """One group of equal workers: each a process with one engine on one device, and a set of models."""

    name: str = Field(pattern="^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", description="of the group")
    models: tuple[str, ...] = Field(default=(), description="models to load; none: all of the store")
    replicas: int = Field(default=1, ge=1, le=10_000, description="workers, where their number is fixed")
    autoscaling: Autoscaling | None = Field(default=None, description="instead of replicas")
    num_gpus: float = Field(default=0.0, ge=0, description="of each worker; a part of one is shared with others")
    num_cpus: float = Field(default=0.0, ge=0, description="of each worker, for placement alone")
    resources: dict[str, float] = Field(default={}, description="Ray's custom resources of each worker")
    device: str | None = Field(default=None, description="cpu, cuda or tensorrt; none: that of the server")
    provider_options: dict[str, str] = Field(default={}, description="of ONNX Runtime's provider on a GPU")
    device_memory_bytes: int | None = Field(default=None, ge=2**20, description="of a GPU; none: that of the server")
    threads: int | None = Field(default=None, ge=1, description="within one graph call; none: that of the server")
    lanes: int | None = Field(
        default=None, ge=1, le=64, description="graph calls at once on the CPU; none: those of the server"
    )
    max_state_bytes: int | None = Field(default=None, ge=2**20, description="of each model; none: that of the server")
    max_backlog_s: float | None = Field(default=None, gt=0, description="none: that of the server")
    surge_percent: int | None = Field(
        default=None,
        ge=0,
        le=100,
        description="workers that an upgrade starts before it ends old ones; none: 100, and 0 with GPUs",
    )

    @field_validator("device")
    @classmethod
    def _is_device(cls, device: str | None) -> str | None:
        if device is not None:
            check_device(device)
        return device

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.autoscaling is not None and "replicas" in self.model_fields_set:
            raise ValueError("replicas and autoscaling exclude each other; give one of them")
        if (self.lanes or 1) > 1 and self.device not in (None, "cpu"):
            raise ValueError(f"lanes {self.lanes} is not allowed with device {self.device}; allowed: 1, a GPU's own")
        return self

    @property
    def least(self) -> int:
        """Workers that there always are."""
        return self.replicas if self.autoscaling is None else self.autoscaling.min

    @property
    def surge(self) -> int:
        """Percentage of workers that an upgrade starts before it ends old ones: GPUs are rarely there twice."""
        if self.surge_percent is not None:
            return self.surge_percent
        return 0 if self.num_gpus else 100


def check_device(device: str) -> str:
    """The device, if there is one of that name.

    Raises:
        ValueError: there is none.
    """
    try:
        parse_device(device)
    except BundleError as error:
        raise ValueError(error.message) from error
    return device


def check_names(generators: Iterable[GeneratorSettings]) -> tuple[GeneratorSettings, ...]:
    """The same, if each has a name of its own.

    Raises:
        ValueError: two have the same.
    """
    seen: set[str] = set()
    for generator in generators:
        if generator.name in seen:
            raise ValueError(f"two generators are named {generator.name!r}; each needs a name of its own")
        seen.add(generator.name)
    return tuple(generators)


def _parsed(value: object) -> Any:
    """In the environment and on the command line, the list is JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise ValueError(f"JSON is expected: {error}") from error


Json = BeforeValidator(_parsed)
Generators = Annotated[tuple[GeneratorSettings, ...], Json]
