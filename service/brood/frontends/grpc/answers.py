"""What the data plane gives, as messages."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from brood.dataplane.result import Answer, EncodedSample, Timing
from brood.media.encode import Encoded
from brood.protocol.events import Accepted, Preview, Progress, Usage
from brood.protocol.wire import generator_pb2 as pb
from brood.protocol.wire.convert import value_of

# Building and serializing, measured on one core of a 2-core x86 machine; a factor of two either way does no harm.
SAMPLE_S = 10e-6
BYTE_S = 2e-9


def response_s(answer: Answer) -> float:
    """Predicted seconds of `response_message` and its serialization."""
    return SAMPLE_S * len(answer.samples) + BYTE_S * answer.size


def response_message(answer: Answer) -> pb.GenerateResponse:
    """A whole generation."""
    message = pb.GenerateResponse(**_head(answer.accepted))
    for sample in answer.samples:
        _tell(sample, message.samples.add())
    _end(answer.timing, answer.usage, message)
    return message


def accepted_message(accepted: Accepted) -> pb.Accepted:
    """The first event."""
    return pb.Accepted(**_head(accepted), n=accepted.n)


def progress_message(progress: Progress) -> pb.Progress:
    """How far it is."""
    return pb.Progress(**asdict(progress))


def preview_message(preview: Preview, shown: EncodedSample) -> pb.Preview:
    """One unfinished sample."""
    message = pb.Preview(step=preview.step, of=preview.of)
    _tell(shown, message)
    return message


def sample_message(sample: EncodedSample) -> pb.Sample:
    """One sample."""
    message = pb.Sample()
    _tell(sample, message)
    return message


def done_message(usage: Usage, encode_ms: float) -> pb.Done:
    """The last event."""
    message = pb.Done()
    _end(Timing(usage.queue_ms, usage.run_ms, encode_ms), usage, message)
    return message


def _head(accepted: Accepted) -> dict[str, Any]:
    return {
        "id": accepted.request_id,
        "model": accepted.model,
        "version": accepted.version,
        "operation": accepted.operation,
        "seed": accepted.seed,
        "determinism": accepted.determinism,
    }


def _tell(sample: EncodedSample, message: pb.Sample | pb.Preview) -> None:
    """Messages are filled where they are: to make the inner ones by themselves and copy them takes twice as long."""
    message.index, message.seed = sample.index, sample.seed
    for name, content in sample.outputs.items():
        output = message.outputs[name]
        if isinstance(content, Encoded):
            _describe(content, output.tensor)
        else:
            output.scalar.CopyFrom(value_of(content))


def _describe(content: Encoded, tensor: pb.Tensor) -> None:
    tensor.content, tensor.format, tensor.dtype = bytes(content.content), content.format, content.dtype
    tensor.shape.extend(content.shape)
    tensor.range.extend(content.range or ())
    if content.sample_rate_hz is not None:
        tensor.sample_rate_hz = content.sample_rate_hz
    if content.fps is not None:
        tensor.fps = content.fps


def _end(timing: Timing, usage: Usage, message: pb.GenerateResponse | pb.Done) -> None:
    told = message.timing
    told.queue_ms, told.run_ms, told.encode_ms = timing.queue_ms, timing.run_ms, timing.encode_ms
    message.usage.rows, message.usage.steps = usage.rows, usage.steps
