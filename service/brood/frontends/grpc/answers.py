"""What the data plane gives, as messages."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from brood.dataplane.result import Answer, Content, EncodedSample, Timing
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
    return pb.GenerateResponse(
        **_head(answer.accepted),
        samples=[sample_message(sample) for sample in answer.samples],
        timing=_timing(answer.timing),
        usage=_usage(answer.usage),
    )


def accepted_message(accepted: Accepted) -> pb.Accepted:
    """The first event."""
    return pb.Accepted(**_head(accepted), n=accepted.n)


def progress_message(progress: Progress) -> pb.Progress:
    """How far it is."""
    return pb.Progress(**asdict(progress))


def preview_message(preview: Preview, shown: EncodedSample) -> pb.Preview:
    """One unfinished sample."""
    return pb.Preview(**_parts(shown), step=preview.step, of=preview.of)


def sample_message(sample: EncodedSample) -> pb.Sample:
    """One sample."""
    return pb.Sample(**_parts(sample))


def done_message(usage: Usage, encode_ms: float) -> pb.Done:
    """The last event."""
    return pb.Done(timing=_timing(Timing(usage.queue_ms, usage.run_ms, encode_ms)), usage=_usage(usage))


def _head(accepted: Accepted) -> dict[str, Any]:
    return {
        "id": accepted.request_id,
        "model": accepted.model,
        "version": accepted.version,
        "operation": accepted.operation,
        "seed": accepted.seed,
        "determinism": accepted.determinism,
    }


def _parts(sample: EncodedSample) -> dict[str, Any]:
    outputs = {name: _output(content) for name, content in sample.outputs.items()}
    return {"index": sample.index, "seed": sample.seed, "outputs": outputs}


def _output(content: Content) -> pb.Output:
    if not isinstance(content, Encoded):
        return pb.Output(scalar=value_of(content))
    tensor = pb.Tensor(content=bytes(content.content), format=content.format, dtype=content.dtype, shape=content.shape)
    tensor.range.extend(content.range or ())
    if content.sample_rate_hz is not None:
        tensor.sample_rate_hz = content.sample_rate_hz
    if content.fps is not None:
        tensor.fps = content.fps
    return pb.Output(tensor=tensor)


def _timing(timing: Timing) -> pb.Timing:
    return pb.Timing(queue_ms=timing.queue_ms, run_ms=timing.run_ms, encode_ms=timing.encode_ms)


def _usage(usage: Usage) -> pb.Usage:
    return pb.Usage(rows=usage.rows, steps=usage.steps)
