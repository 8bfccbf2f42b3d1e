"""The shapes of answers: what the OpenAPI document promises and `GET /v1/models` sends."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from brood.protocol.events import Determinism
from brood.protocol.manifest import DType, Input, Operation, Param, RowShape
from brood.protocol.models import ModelState, ModelStatus


class Told(BaseModel):
    """Base of all parts of answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ContentView(Told):
    """A tensor or an image."""

    format: Literal["png", "npy", "raw"] = Field(description="raw: little-endian, C order")
    dtype: DType = Field(description="of the decoded array")
    shape: tuple[int, ...] = Field(description="of the decoded array")
    b64: str = Field(description="the bytes in base64 (RFC 4648)")


class SampleView(Told):
    """One sample."""

    index: int
    seed: int
    outputs: dict[str, bool | int | float | ContentView | None] = Field(
        description="by name; scalars are numbers, and null where a number is infinite"
    )


class TimingView(Told):
    """Where the time went, in milliseconds; the parts follow one another."""

    queue_ms: float = Field(description="from admission until the first row began")
    run_ms: float = Field(description="from then until the last row ended")
    encode_ms: float = Field(description="from then until all outputs were encoded")


class UsageView(Told):
    """What the generation took."""

    rows: int
    steps: int = Field(description="graph calls, summed over rows")


class GenerationView(Told):
    """A finished generation."""

    id: str
    model: str
    version: int
    operation: str
    seed: int
    determinism: Determinism = Field(description="how equal a repetition with the same seed and index will be")
    samples: tuple[SampleView, ...] = Field(description="in order of index")
    timing: TimingView
    usage: UsageView


class ErrorDetail(Told):
    """What went wrong."""

    code: str = Field(examples=["invalid_argument"])
    message: str = Field(description="names the field, the value and what is allowed")
    field: str | None = Field(default=None, examples=["params.label"])
    index: int | None = Field(default=None, description="the sample concerned")
    request_id: str


class ErrorView(Told):
    """The body of every answer that is an error."""

    error: ErrorDetail


class OutputView(Told):
    """One output of an operation."""

    kind: Literal["image", "tensor", "scalar"]
    dtype: DType
    shape: RowShape
    description: str


class OperationView(Told):
    """One operation of a model."""

    description: str
    determinism: Determinism | None = Field(description="null until the model is ready")
    params: dict[str, Param]
    inputs: dict[str, Input]
    outputs: dict[str, OutputView]
    previews: bool = Field(description="whether unfinished samples can be seen")

    @classmethod
    def of(cls, operation: Operation, determinism: Determinism | None) -> Self:
        """As a manifest describes it, without its inside."""
        outputs = {
            name: OutputView(kind=out.kind, dtype=out.dtype, shape=out.shape, description=out.description)
            for name, out in operation.outputs.items()
        }
        return cls(
            description=operation.description,
            determinism=determinism,
            params=operation.params,
            inputs=operation.inputs,
            outputs=outputs,
            previews=operation.preview is not None,
        )


class ModelView(Told):
    """One version of one model; what its manifest would say is empty if it could not be read."""

    name: str
    version: int
    state: ModelState
    reason: str = Field(description="why it failed; else empty")
    family: str
    modality: str
    description: str
    license: str
    operations: dict[str, OperationView]
    numerics_id: str = Field(
        description="models with the same one give the same bits to exact requests; empty: none are promised"
    )
    certificate: dict[str, tuple[int, ...]] = Field(
        description="by graph: the batch sizes that give a sample the same bits"
    )
    device: str = Field(description="on which it runs")
    state_bytes: int = Field(description="memory that the state of unfinished samples may take")

    @classmethod
    def of(cls, status: ModelStatus) -> Self:
        """As the data plane knows it."""
        manifest = status.manifest
        operations = manifest.operations if manifest else {}
        return cls(
            name=status.name,
            version=status.version,
            state=status.state,
            reason=status.reason,
            family=manifest.family if manifest else "",
            modality=manifest.modality if manifest else "",
            description=manifest.description if manifest else "",
            license=manifest.license if manifest else "",
            operations={name: OperationView.of(op, status.determinism.get(name)) for name, op in operations.items()},
            numerics_id=status.numerics_id,
            certificate=dict(status.certificate),
            device=status.device,
            state_bytes=status.state_bytes,
        )


class ModelsView(Told):
    """All models."""

    models: tuple[ModelView, ...] = Field(description="in order of name and version")


class ModelReadiness(Told):
    """One model, briefly."""

    name: str
    version: int
    state: ModelState
    reason: str


class ReadyView(Told):
    """Whether the server can be sent work."""

    ready: bool
    reason: str = Field(description="why not; empty when ready")
    models: tuple[ModelReadiness, ...]


class LiveView(Told):
    """The server runs."""

    live: Literal[True] = True
