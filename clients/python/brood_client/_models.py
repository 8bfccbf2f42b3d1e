"""What a server tells about its models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from brood_client._content import Scalar


@dataclass(frozen=True, slots=True)
class Param:
    """A scalar that a caller may set."""

    type: str  # "int", "float", "bool" or "str"
    default: Scalar | None = None  # None: it must be given
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Scalar, ...] = ()  # empty: any
    unit: str = ""
    description: str = ""
    alternatives: Mapping[str, str] = field(default_factory=dict)  # well-known values not offered → what to use instead


@dataclass(frozen=True, slots=True)
class Input:
    """A tensor that a caller gives: of ``shape`` for all samples, or ``[n, *shape]``, one for each; or a text."""

    kind: str  # "tensor", "image", "audio", "video" or "text"
    dtype: str
    shape: tuple[int, ...]  # of a text: the most tokens there may be
    minimum: float | None = None
    maximum: float | None = None
    description: str = ""
    formats: tuple[str, ...] = ()  # in which it may be sent
    default: str | None = None  # of a text; None: it must be given


@dataclass(frozen=True, slots=True)
class Output:
    """A part of a sample."""

    kind: str  # "image", "audio", "video", "tensor" or "scalar"
    dtype: str
    shape: tuple[int, ...]
    description: str = ""
    formats: tuple[str, ...] = ()  # in which it is to be had; the first is what ``format=None`` gives


@dataclass(frozen=True, slots=True)
class Operation:
    """Something a model can do."""

    description: str = ""
    determinism: str = ""  # "exact", "tolerance" or "none"; empty until the model is ready
    params: Mapping[str, Param] = field(default_factory=dict)
    inputs: Mapping[str, Input] = field(default_factory=dict)
    outputs: Mapping[str, Output] = field(default_factory=dict)
    previews: bool = False  # whether `preview_every` is to be had


@dataclass(frozen=True, slots=True)
class Medium:
    """How samples are to be seen or heard."""

    layout: str  # axes of one: "CHW", a picture; "TCHW", a video; "CT", sound
    range: tuple[float, float]  # values that are black and white, or full scale
    sample_rate_hz: int | None = None  # of sound
    fps: float | None = None  # of a video: frames a second


Change = Literal["load", "unload", "reload"]


@dataclass(frozen=True, slots=True, repr=False)
class Model:
    """One version of one model on the server."""

    name: str
    version: int
    state: Literal["loading", "ready", "failed", "unloaded"]
    reason: str = ""  # why it failed
    operations: Mapping[str, Operation] = field(default_factory=dict)  # by name, in order of name
    family: str = ""
    modality: str = ""
    description: str = ""
    license: str = ""
    numerics_id: str = ""  # models with the same one give the same bits to exact requests
    certificate: Mapping[str, tuple[int, ...]] = field(
        default_factory=dict
    )  # graph → batch sizes that give a sample the same bits
    device: str = ""
    provider: str = ""  # what runs its graphs on the device
    precision: str = ""  # of the floating-point numbers that it computes with
    fallback: Mapping[str, Mapping[str, int]] = field(
        default_factory=dict
    )  # graph → operator → nodes it leaves to others
    state_bytes: int = 0  # memory that the state of unfinished samples may take
    sample: Medium | None = None  # None: samples are numbers only

    def __repr__(self) -> str:
        more = self.reason if self.state == "failed" else ", ".join(self.operations)
        return f"<Model {self.name} {self.version}: {self.state}{'; ' if more else ''}{more}>"
