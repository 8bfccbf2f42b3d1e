"""The manifest of a bundle, format ``brood/1``: what an exporter writes and the service loads.

A bundle is a directory ``NAME/VERSION/`` with ``manifest.json`` and the files it lists. The manifest says which
graphs there are, what each of their tensors is for (its *role*), and which *operations* the graphs make up. Every
tensor's first axis is ``rows``; one row is one sample being made.

How names resolve is written once, in ``brood.program``: a graph's tensor is called by its own name unless the
stage's ``bind`` gives another name (or, for an input, a constant).
"""

from __future__ import annotations

import math
from datetime import datetime
from functools import cached_property
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

FORMAT = "brood/1"

ModelName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$")]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
# Of tensors, as graphs have them: words with separators between them, so that a name is also a relative path.
TENSOR_NAME = r"^[A-Za-z0-9_]+((::|[.:/-])[A-Za-z0-9_]+)*$"
TensorName = Annotated[str, StringConstraints(pattern=TENSOR_NAME, max_length=128)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
DType = Literal[
    "bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float16", "float32", "float64"
]
Family = Literal[
    "gan", "vae", "flow", "pixelrnn", "rbm", "boltzmann", "diffusion", "flow-matching", "energy", "autoregressive",
    "latent-diffusion", "function",
]  # fmt: skip
Dim = Annotated[int, Field(ge=1)]
RowShape = tuple[Dim, ...]  # the dimensions of one row, without the rows axis
Scalar = bool | int | float | str
FPS = (0.01, 1000.0)  # what files of video can say
Layout = Literal["CHW", "TCHW", "CT"]  # C channels, H rows, W columns; T frames, or samples of sound
FLAGS = ("ok", "done")  # roles of outputs that are one bool a row, for whoever runs the graph


def _inside(path: str) -> str:
    """A relative POSIX path that stays inside its directory."""
    pure = PurePosixPath(path)
    if not pure.parts or pure.is_absolute() or ".." in pure.parts or "\\" in path or str(pure) != path:
        raise ValueError(f"{path!r} is not a plain relative path inside the bundle")
    return path


BundlePath = Annotated[str, AfterValidator(_inside)]


class Words(BaseModel):
    """Base of all manifest parts: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Noise(Words):
    """Where a tensor's random numbers come from (see docs/seed-contract.md)."""

    distribution: Literal["normal", "uniform"]
    stream: int = Field(ge=0, lt=2**32, description="fixed for a latent, the same in every operation")
    seed: Identifier | None = Field(default=None, description="parameter in place of the request's seed")
    index: Identifier | None = Field(default=None, description="parameter in place of the sample's index")
    scale: Identifier | None = Field(
        default=None, description="schedule column that the graph multiplies it by; where that is 0, so is the noise"
    )


class GraphInput(Words):
    """One input of a graph; its full shape is ``[rows, *shape]``."""

    dtype: DType
    shape: RowShape = ()
    role: Literal["state", "noise", "schedule", "param", "input"]
    noise: Noise | None = None

    @model_validator(mode="after")
    def _noise_has_a_source(self) -> Self:
        if (self.role == "noise") != (self.noise is not None):
            raise ValueError("'noise' must be given for role 'noise', and only there")
        return self


class GraphOutput(Words):
    """One output of a graph; its full shape is ``[rows, *shape]``.

    ``ok`` (bool, no further axes) tells whether the network's output was finite before any clamp. ``done`` (the same)
    ends the stage for this row: the calls of it that are left are not made, and the next stage follows. ``append`` is
    one more slice of a state along ``axis`` (counted without the rows axis), written behind those that are there.
    """

    dtype: DType
    shape: RowShape = ()
    role: Literal["state", "output", "ok", "done", "append"]
    axis: int | None = Field(default=None, ge=0, description="of role append: along which the state grows")

    @model_validator(mode="after")
    def _append_has_an_axis(self) -> Self:
        if (self.role == "append") != (self.axis is not None) or (self.axis or 0) >= max(1, len(self.shape)):
            raise ValueError("'axis' must be given for role 'append', and only there; it is one of the row's own axes")
        return self

    @model_validator(mode="after")
    def _flags_are_one_bool_a_row(self) -> Self:
        if self.role in FLAGS and (self.dtype, self.shape) != ("bool", ()):
            raise ValueError(f"role {self.role!r} is for bool [], not {self.dtype} {list(self.shape)}")
        return self


class Graph(Words):
    """An exported function of rows."""

    file: BundlePath
    runtime: Literal["onnx", "torchscript", "pt2", "fake"]
    buckets: tuple[Dim, ...] = Field(min_length=1, description="row counts it runs at, ascending")
    inputs: dict[TensorName, GraphInput]
    outputs: dict[TensorName, GraphOutput]

    @model_validator(mode="after")
    def _buckets_ascend(self) -> Self:
        if list(self.buckets) != sorted(set(self.buckets)) or self.buckets[0] != 1:
            raise ValueError(f"buckets {list(self.buckets)} must ascend from 1")
        return self


class Param(Words):
    """A scalar a caller may set; drives validation, documents and forms."""

    type: Literal["int", "float", "bool", "str"]
    default: Scalar | None = Field(description="None: the caller must give it")
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Scalar, ...] | None = None
    unit: str | None = None
    alternatives: dict[str, str] = Field(
        default={}, description="well-known values that are not offered, and what to use instead"
    )
    description: str


LAYOUTS: dict[str, Layout] = {"audio": "CT", "video": "TCHW"}  # of a sample, for kinds that need theirs


def _check_kind(kind: str, dtype: DType, shape: RowShape) -> None:
    """Sound and video can be written only of certain shapes; a picture of another shape is a tensor to look at."""
    layout = LAYOUTS.get(kind)
    if layout is not None and len(shape) != len(layout):
        raise ValueError(f"shape {list(shape)} of kind '{kind}' must have {len(layout)} dimensions: {layout}")
    if kind == "audio" and dtype != "float32":
        raise ValueError(f"dtype '{dtype}' of kind 'audio' must be float32")


class Input(Words):
    """A tensor a caller may give: of shape ``shape`` for all samples, or ``[n, *shape]``, one for each.

    A ``text`` is one for all samples. Graphs read its tokens, whole numbers ``[length]``, filled up with ``pad``: the
    length is the model's, so that a sample does not depend on what else is in its batch.
    """

    kind: Literal["tensor", "image", "audio", "video", "text"]
    dtype: DType
    shape: RowShape = Field(default=(), description="of a text: [length], the most tokens there may be")
    minimum: float | None = None
    maximum: float | None = None
    tokenizer: BundlePath | None = Field(default=None, description="of a text: a file of the library tokenizers")
    pad: int = Field(default=0, ge=0, description="of a text: the token behind the last one")
    mask: TensorName | None = Field(default=None, description="of a text: graphs' input that is 1 where it has tokens")
    default: str | None = Field(default=None, description="of a text; None: the caller must give it")
    description: str

    @model_validator(mode="after")
    def _shape_fits_the_kind(self) -> Self:
        _check_kind(self.kind, self.dtype, self.shape)
        return self

    @model_validator(mode="after")
    def _text_has_a_tokenizer(self) -> Self:
        text = self.kind == "text"
        if text != (self.tokenizer is not None):
            raise ValueError("'tokenizer' must be given for kind 'text', and only there")
        if text and (len(self.shape) != 1 or self.dtype not in ("int32", "int64")):
            raise ValueError(f"a text is int32 or int64 [length], not {self.dtype} {list(self.shape)}")
        if not text and (self.pad or self.mask is not None or self.default is not None):
            raise ValueError("'pad', 'mask' and 'default' are for kind 'text' only")
        return self


class State(Words):
    """A tensor that a row carries from one graph call to the next.

    ``mix`` begins with i0·input + i1·noise (without an input: i1·noise), where (i0, i1) is what the row's schedule
    says (`brood.sampling.schedules.Schedule.init`). ``frame`` is one number, index / (frames − 1): where on its way
    from 0 to 1 a sample stands that is one of as many as the parameter ``frames`` says.
    """

    dtype: DType
    shape: RowShape = ()
    init: Literal["noise", "zeros", "input", "mix", "frame"]
    noise: Noise | None = None
    input: TensorName | None = None

    @model_validator(mode="after")
    def _init_has_its_source(self) -> Self:
        noise, given = self.noise is not None, self.input is not None
        if noise != (self.init in ("noise", "mix")) or (given != (self.init == "input") and self.init != "mix"):
            raise ValueError(f"init {self.init!r} needs exactly its own source ('noise' or 'input')")
        return self


class Variant(Words):
    """Another graph for the steps whose schedule number is not ``unless``; both write the same states."""

    graph: Identifier
    column: Identifier = Field(description="of the schedule: one number a step")
    unless: float


class Stage(Words):
    """One graph of a program: called once, or once for every step of the schedule.

    ``per_request`` is once for all samples of a request, which share the states that it makes (`brood.program.shared`).
    """

    graph: Identifier
    repeat: Literal["once", "schedule", "per_request"] = "once"
    bind: dict[TensorName, TensorName | float] = {}
    variant: Variant | None = None

    @model_validator(mode="after")
    def _variants_are_of_steps(self) -> Self:
        if self.variant is not None and self.repeat != "schedule":
            raise ValueError("'variant' needs repeat 'schedule'")
        return self


class Preview(Words):
    """A graph that makes outputs of a row that is not finished yet, from its state; run for rows that asked."""

    graph: Identifier
    bind: dict[TensorName, TensorName | float] = {}


class Output(Words):
    """What a caller gets: the value called ``value`` (by default the output's own name) of a finished row.

    ``image`` is [C, H, W]; ``audio`` float32 [channels, samples]; ``video`` [frames, C, H, W]. `Sample` says how
    they are to be seen or heard.
    """

    dtype: DType
    shape: RowShape = ()
    kind: Literal["image", "audio", "video", "tensor", "scalar"]
    value: TensorName | None = None
    description: str = ""

    @model_validator(mode="after")
    def _shape_fits_the_kind(self) -> Self:
        _check_kind(self.kind, self.dtype, self.shape)
        return self


class Operation(Words):
    """Something a model can do: inputs and parameters in, outputs out, stages between."""

    description: str = ""
    inputs: dict[TensorName, Input] = {}
    params: dict[Identifier, Param] = {}
    state: dict[Identifier, State] = {}
    stages: tuple[Stage, ...] = Field(min_length=1)
    preview: Preview | None = None
    outputs: dict[TensorName, Output] = Field(min_length=1)

    @cached_property
    def values(self) -> int:
        """Numbers that one sample comes to."""
        return sum(math.prod(output.shape) for output in self.outputs.values())

    @model_validator(mode="after")
    def _masks_have_names_of_their_own(self) -> Self:
        masks = [spec.mask for spec in self.inputs.values() if spec.mask is not None]
        if taken := [name for name in masks if name in self.inputs or masks.count(name) > 1]:
            raise ValueError(f"mask {taken[0]!r}: another input is called so")
        return self


class Schedule(Words):
    """Which schedule function makes the per-step numbers, and what is fixed of it (``brood.sampling.schedules``)."""

    kind: Identifier
    numbers: dict[Identifier, float] = {}
    words: dict[Identifier, str] = {}


class Sample(Words):
    """How media encoders read ``image``, ``audio`` and ``video`` outputs, and what they make of such inputs."""

    layout: Layout = "CHW"
    range: tuple[float, float] = Field(
        description="values shown as black and white; of sound, those that are full scale, -1 and 1"
    )
    sample_rate_hz: int | None = Field(default=None, ge=1, description="of layout CT: samples of sound a second")
    fps: float | None = Field(default=None, ge=FPS[0], le=FPS[1], description="of layout TCHW: frames a second")

    @model_validator(mode="after")
    def _range_has_width(self) -> Self:
        if not self.range[0] < self.range[1]:
            raise ValueError(f"range {list(self.range)} must ascend")
        return self

    @model_validator(mode="after")
    def _time_has_a_rate(self) -> Self:
        if (self.layout == "CT") != (self.sample_rate_hz is not None):
            raise ValueError(f"'sample_rate_hz' must be given for layout CT, and only there; layout: {self.layout}")
        if (self.layout == "TCHW") != (self.fps is not None):
            raise ValueError(f"'fps' must be given for layout TCHW, and only there; layout: {self.layout}")
        return self


class Parity(Words):
    """How far the exported model was from the original, measured at export in a fresh process."""

    rows: tuple[Dim, ...]
    max_abs: float = Field(ge=0, description="largest absolute difference, in units of the value range")
    psnr_db: float | None = Field(description="None: no difference at all")


class Golden(Words):
    """One recorded run of the *original* model; arrays lie in ``golden.npz`` as ``ID/inputs/…``, ``ID/outputs/…``."""

    id: Identifier
    operation: Identifier
    seed: int = Field(ge=0, lt=2**63)
    index: int = Field(ge=0, default=0)
    params: dict[Identifier, Scalar] = {}
    inputs: tuple[TensorName, ...] = ()
    tolerance: float = Field(ge=0, description="allowed largest absolute difference; 0 means equal")
    parity: Parity


class Manifest(Words):
    """A whole bundle in words."""

    format: Literal["brood/1"]
    name: ModelName
    version: int = Field(ge=1)
    family: Family
    modality: Literal["image", "audio", "video", "tensor"]
    domain: Literal["continuous", "discrete"]
    description: str
    license: str
    created: datetime
    provenance: dict[str, str]
    files: dict[BundlePath, Sha256]
    graphs: dict[Identifier, Graph] = Field(min_length=1)
    operations: dict[Identifier, Operation] = Field(min_length=1)
    schedule: Schedule | None = None
    sample: Sample | None = None
    golden: tuple[Golden, ...] = ()

    @model_validator(mode="after")
    def _refers_to_what_exists(self) -> Self:
        for name, graph in self.graphs.items():
            if graph.file not in self.files:
                raise ValueError(f"graphs.{name}.file: {graph.file!r} is not listed in 'files'")
        for name, operation in self.operations.items():
            for number, stage in enumerate(operation.stages):
                if stage.graph not in self.graphs:
                    raise ValueError(f"operations.{name}.stages.{number}.graph: no graph {stage.graph!r}")
                if stage.variant is not None and stage.variant.graph not in self.graphs:
                    raise ValueError(f"operations.{name}.stages.{number}.variant: no graph {stage.variant.graph!r}")
                if stage.repeat == "schedule" and self.schedule is None:
                    raise ValueError(f"operations.{name}.stages.{number}.repeat: the manifest has no schedule")
            for key, given in operation.inputs.items():
                if given.tokenizer is not None and given.tokenizer not in self.files:
                    where = f"operations.{name}.inputs.{key}.tokenizer"
                    raise ValueError(f"{where}: {given.tokenizer!r} is not listed in 'files'")
            if operation.preview is not None and operation.preview.graph not in self.graphs:
                raise ValueError(f"operations.{name}.preview.graph: no graph {operation.preview.graph!r}")
        for golden in self.golden:
            if golden.operation not in self.operations:
                raise ValueError(f"golden.{golden.id}.operation: no operation {golden.operation!r}")
        return self

    @model_validator(mode="after")
    def _sound_and_video_have_a_sample(self) -> Self:
        layout = self.sample.layout if self.sample else None
        for name, operation in self.operations.items():
            for part, declared in (("inputs", operation.inputs), ("outputs", operation.outputs)):
                for tensor, spec in declared.items():
                    if LAYOUTS.get(spec.kind, layout) != layout:
                        field = f"operations.{name}.{part}.{tensor}.kind"
                        raise ValueError(f"{field}: {spec.kind!r} needs a sample of layout {LAYOUTS[spec.kind]}")
        return self
