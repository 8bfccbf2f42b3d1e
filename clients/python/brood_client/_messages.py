"""Between the messages of gRPC and the client's own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

from brood.protocol.wire import generator_pb2 as pb
from brood.protocol.wire.convert import plain_of, request_message
from brood_client._content import Content, Scalar
from brood_client._errors import error_of
from brood_client._events import Accepted, Done, Event, Preview, Progress, Sample, Timing, Usage
from brood_client._generation import Generation
from brood_client._models import Input, Medium, Model, Operation, Output, Param
from brood_client._request import Request


def message_of(request: Request, left_s: float | None) -> pb.GenerateRequest:
    """A request.

    Raises:
        InvalidArgument: a value is of a type or size that the message cannot carry.
    """
    try:
        return request_message(request.fields(left_s))
    except ValueError as error:
        raise error_of("invalid_argument", str(error), field=str(error).partition(":")[0]) from error


def generation_of(answer: pb.GenerateResponse) -> Generation:
    """A whole answer."""
    samples = tuple(Sample(**_shown(each)) for each in answer.samples)
    return Generation(**_head(answer), samples=samples, timing=_timing(answer.timing), usage=_usage(answer.usage))


def event_of(message: pb.GenerateEvent) -> Event | None:
    """One event of a stream; None for one of a kind that this client does not know."""
    match message.WhichOneof("event"):
        case "accepted":
            return Accepted(**_head(message.accepted), n=message.accepted.n)
        case "progress":
            told = message.progress
            return Progress(told.steps, told.of, told.finished, told.n, told.eta_s)
        case "preview":
            return Preview(**_shown(message.preview), step=message.preview.step, of=message.preview.of)
        case "sample":
            return Sample(**_shown(message.sample))
        case "done":
            return Done(_timing(message.done.timing), _usage(message.done.usage))
        case _:
            return None


def model_of(model: pb.Model) -> Model:
    """One model."""
    return Model(
        name=model.name,
        version=model.version,
        state=cast("Literal['loading', 'ready', 'failed', 'unloaded']", model.state),
        reason=model.reason,
        operations={name: _operation(model.operations[name]) for name in sorted(model.operations)},
        family=model.family,
        modality=model.modality,
        description=model.description,
        license=model.license,
        numerics_id=model.numerics_id,
        certificate={graph: tuple(model.certificate[graph].rows) for graph in sorted(model.certificate)},
        device=model.device,
        provider=model.provider,
        precision=model.precision,
        fallback={graph: dict(model.fallback[graph].by_operator) for graph in sorted(model.fallback)},
        state_bytes=model.state_bytes,
        sample=_medium(model.sample) if model.HasField("sample") else None,
    )


def _medium(told: pb.SampleSpec) -> Medium:
    return Medium(
        told.layout,
        (told.range[0], told.range[1]),
        told.sample_rate_hz if told.HasField("sample_rate_hz") else None,
        told.fps if told.HasField("fps") else None,
    )


def _head(told: pb.GenerateResponse | pb.Accepted) -> dict[str, Any]:
    return {name: getattr(told, name) for name in ("id", "model", "version", "operation", "seed", "determinism")}


def _shown(told: pb.Sample | pb.Preview) -> dict[str, Any]:
    contents = {name: _content(value) for name, value in told.outputs.items()}
    return {"index": told.index, "seed": told.seed, "contents": contents}


def _content(output: pb.Output) -> Content | Scalar:
    if not output.HasField("tensor"):
        return cast("Scalar", plain_of(output.scalar))
    tensor = output.tensor
    shown = (tensor.range[0], tensor.range[1]) if tensor.range else None
    rate_hz = tensor.sample_rate_hz if tensor.HasField("sample_rate_hz") else None
    fps = tensor.fps if tensor.HasField("fps") else None
    return Content(tensor.content, tensor.format, tensor.dtype, tuple(tensor.shape), shown, rate_hz, fps)


def _timing(told: pb.Timing) -> Timing:
    return Timing(told.queue_ms, told.run_ms, told.encode_ms)


def _usage(told: pb.Usage) -> Usage:
    return Usage(told.rows, told.steps)


def _operation(told: pb.Operation) -> Operation:
    return Operation(
        description=told.description,
        determinism=told.determinism,
        params={name: _param(param) for name, param in told.params.items()},
        inputs={name: _input(each) for name, each in told.inputs.items()},
        outputs={name: _output(each) for name, each in told.outputs.items()},
        previews=told.previews,
    )


def _param(told: pb.ParamSpec) -> Param:
    choices = tuple(cast("Scalar", plain_of(choice)) for choice in told.choices)
    default = plain_of(told.default) if told.HasField("default") else None
    return Param(
        told.type,
        default,
        **_bounds(told),
        choices=choices,
        unit=told.unit,
        description=told.description,
        alternatives=dict(told.alternatives),
    )


def _input(told: pb.InputSpec) -> Input:
    return Input(
        told.kind,
        told.dtype,
        tuple(told.shape),
        **_bounds(told),
        description=told.description,
        formats=tuple(told.formats),
        default=told.default if told.HasField("default") else None,
    )


def _output(told: pb.OutputSpec) -> Output:
    return Output(told.kind, told.dtype, tuple(told.shape), told.description, tuple(told.formats))


def _bounds(told: pb.ParamSpec | pb.InputSpec) -> Mapping[str, Any]:
    return {
        "minimum": told.minimum if told.HasField("minimum") else None,
        "maximum": told.maximum if told.HasField("maximum") else None,
    }
