"""The shapes of answers: what the OpenAPI document promises and `GET /v1/models` sends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from brood.frontends.http.json_schema import operation_schema
from brood.media.formats import input_formats, output_formats
from brood.protocol.events import Determinism
from brood.protocol.manifest import DType, Input, Operation, Param, RowShape, Sample
from brood.protocol.models import ModelState, ModelStatus
from brood.protocol.requests import InputFormat, OutputFormat


class Told(BaseModel):
    """Base of all parts of answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ContentView(Told):
    """A tensor, a picture, sound or a video."""

    format: OutputFormat = Field(description="raw: little-endian, C order")
    dtype: DType = Field(description="of the decoded array")
    shape: tuple[int, ...] = Field(description="of the decoded array; of wav and flac [samples, channels]")
    range: tuple[float, float] | None = Field(
        default=None, description="as npy or raw: the values that are black and white, or of sound full scale"
    )
    sample_rate_hz: int | None = Field(default=None, description="of sound")
    fps: float | None = Field(default=None, description="of a video: frames a second")
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


class AcceptedView(Told):
    """The event ``accepted``: the request is valid and queued."""

    id: str = Field(description="for DELETE /v1/generations/{id}")
    model: str
    version: int
    operation: str
    seed: int
    determinism: Determinism
    n: int


class ProgressView(Told):
    """The event ``progress``."""

    steps: int = Field(description="graph calls made, summed over rows")
    of: int = Field(description="graph calls that all rows take together")
    finished: int = Field(description="samples")
    n: int
    eta_s: float = Field(description="predicted seconds until the last sample is finished")


class PreviewView(SampleView):
    """The event ``preview``: what an unfinished sample looks like."""

    step: int = Field(description="how many steps it has behind it")
    of: int = Field(description="how many it takes")


class DoneView(Told):
    """The event ``done``, the last of a good generation."""

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


class ListingErrorDetail(ErrorDetail):
    """What went wrong, for OpenAI's clients as well."""

    type: str = Field(examples=["invalid_request_error"])
    param: str | None = Field(description="field again")


class ListingErrorView(Told):
    """The body of an error about models."""

    error: ListingErrorDetail


class InputView(Told):
    """One input of an operation."""

    kind: Literal["tensor", "image", "audio", "video", "text"]
    dtype: DType
    shape: RowShape = Field(description="of a text: [length], the most tokens there may be")
    minimum: float | None
    maximum: float | None
    default: str | None = Field(description="of a text; null: it must be given")
    description: str
    formats: tuple[InputFormat, ...] = Field(description="in which its bytes may be sent")

    @classmethod
    def of(cls, given: Input) -> Self:
        """As a manifest describes it, without its inside."""
        return cls(**given.model_dump(include=set(cls.model_fields)), formats=input_formats(given))


class OutputView(Told):
    """One output of an operation."""

    kind: Literal["image", "audio", "video", "tensor", "scalar"]
    dtype: DType
    shape: RowShape
    description: str
    formats: tuple[OutputFormat, ...] = Field(description="for output.format; the first is the default. Scalars: none")


class OperationView(Told):
    """One operation of a model."""

    description: str
    determinism: Determinism | None = Field(description="null until the model is ready")
    params: dict[str, Param]
    inputs: dict[str, InputView]
    outputs: dict[str, OutputView]
    previews: bool = Field(description="whether unfinished samples can be seen")
    json_schema: dict[str, Any] = Field(
        alias="schema", description="JSON Schema 2020-12 of the fields params and inputs of a request"
    )

    @classmethod
    def of(cls, operation: Operation, determinism: Determinism | None) -> Self:
        """As a manifest describes it, without its inside."""
        outputs = {
            name: OutputView(
                kind=out.kind,
                dtype=out.dtype,
                shape=out.shape,
                description=out.description,
                formats=output_formats(out),
            )
            for name, out in operation.outputs.items()
        }
        return cls(
            description=operation.description,
            determinism=determinism,
            params=operation.params,
            inputs={name: InputView.of(given) for name, given in operation.inputs.items()},
            outputs=outputs,
            previews=operation.preview is not None,
            schema=operation_schema(operation),
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
    sample: Sample | None = Field(description="how what it makes is to be seen or heard; null if it is neither")
    operations: dict[str, OperationView]
    numerics_id: str = Field(
        description="models with the same one give the same bits to exact requests; empty: none are promised"
    )
    certificate: dict[str, tuple[int, ...]] = Field(
        description="by graph: the batch sizes that give a sample the same bits"
    )
    device: str = Field(description="on which it runs")
    provider: str = Field(description="what runs its graphs there, such as CPUExecutionProvider")
    precision: str = Field(description="of the floating-point numbers that it computes with")
    fallback: dict[str, dict[str, int]] = Field(
        description="by graph and operator: how many nodes the provider has left to another one"
    )
    state_bytes: int = Field(description="memory that the state of unfinished samples may take")
    id: str = Field(description="name again, for OpenAI's clients, as are the three that follow")
    object: Literal["model"] = "model"
    created: int = Field(description="when the bundle was made, in seconds since 1970; 0: unknown")
    owned_by: Literal["brood"] = "brood"

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
            sample=manifest.sample if manifest else None,
            operations={name: OperationView.of(op, status.determinism.get(name)) for name, op in operations.items()},
            numerics_id=status.numerics_id,
            certificate=dict(status.certificate),
            device=status.device,
            provider=status.provider,
            precision=status.precision,
            fallback={graph: dict(nodes) for graph, nodes in status.fallback.items()},
            state_bytes=status.state_bytes,
            id=status.name,
            created=int(manifest.created.timestamp()) if manifest else 0,
        )


class ListedView(Told):
    """A model as OpenAI's clients list it."""

    id: str = Field(description="its name")
    object: Literal["model"] = "model"
    created: int = Field(description="when the bundle was made, in seconds since 1970")
    owned_by: Literal["brood"] = "brood"


class ModelsView(Told):
    """All models."""

    models: tuple[ModelView, ...] = Field(description="in order of name and version")
    object: Literal["list"] = "list"
    data: tuple[ListedView, ...] = Field(description="each name once that is ready, for OpenAI's clients")

    @classmethod
    def of(cls, statuses: Sequence[ModelStatus]) -> Self:
        """As the data plane knows them."""
        models = tuple(ModelView.of(status) for status in statuses)
        ready = {model.name: model for model in models if model.state == "ready"}  # the newest of each name
        listed = tuple(ListedView(id=model.id, created=model.created) for model in ready.values())
        return cls(models=models, data=listed)


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
    problems: tuple[str, ...] = Field(description="what is wrong beside single models, ready or not")
    models: tuple[ModelReadiness, ...]


class LiveView(Told):
    """The server runs."""

    live: Literal[True] = True
