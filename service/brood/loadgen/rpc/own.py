"""``brood.v1.Generator``."""

from __future__ import annotations

from collections.abc import Sequence

import grpc

from brood.loadgen.checks import check_indices, check_tensor
from brood.loadgen.orders import Order
from brood.loadgen.outcome import BROKEN_OFF, Answer, Content, Failed
from brood.loadgen.rpc.way import Clock, Metadata
from brood.protocol.wire import generator_pb2 as pb
from brood.protocol.wire.convert import request_message

SERVICE = "/brood.v1.Generator"


class OwnGrpc:
    """A `Call`: a whole answer.

    Args:
        channel: to the server.
        metadata: of every call.
    """

    def __init__(self, channel: grpc.aio.Channel, metadata: Metadata) -> None:
        self._metadata = metadata
        self._generate = channel.unary_unary(
            f"{SERVICE}/Generate",
            request_serializer=pb.GenerateRequest.SerializeToString,
            response_deserializer=pb.GenerateResponse.FromString,
        )

    async def __call__(self, order: Order, seed: int) -> Answer:
        """See `Call`."""
        answer = await self._generate(message_of(order, seed), metadata=self._metadata)
        return Answer(_contents(order, answer.samples), answer.ByteSize())


class OwnGrpcStream:
    """A `Call`: events.

    Args:
        channel: to the server.
        metadata: of every call.
        now: the clock.
    """

    def __init__(self, channel: grpc.aio.Channel, metadata: Metadata, now: Clock) -> None:
        self._metadata, self._now = metadata, now
        self._generate = channel.unary_stream(
            f"{SERVICE}/GenerateStream",
            request_serializer=pb.GenerateRequest.SerializeToString,
            response_deserializer=pb.GenerateEvent.FromString,
        )

    async def __call__(self, order: Order, seed: int) -> Answer:
        """See `Call`."""
        samples: list[pb.Sample] = []
        first_at: float | None = None
        preview_at: float | None = None
        kind, size = None, 0
        call = self._generate(message_of(order, seed), metadata=self._metadata)
        try:
            async for event in call:
                kind, size = event.WhichOneof("event"), size + event.ByteSize()
                if kind == "sample":
                    first_at = first_at or self._now()
                    samples.append(event.sample)
                elif kind == "preview":
                    preview_at = preview_at or self._now()
        finally:
            call.cancel()
        if kind != "done":
            raise Failed(BROKEN_OFF, f"the last event was {kind} instead of done")
        return Answer(_contents(order, samples), size, first_at, preview_at)


def message_of(order: Order, seed: int) -> pb.GenerateRequest:
    """The request."""
    inputs = {
        name: {"b64": array.tobytes(), "format": "raw", "dtype": str(array.dtype), "shape": array.shape}
        for name, array in order.inputs.items()
    }
    fields = {
        "model": order.model,
        "operation": order.operation,
        "n": order.n,
        "seed": seed,
        **order.common,
        "params": order.params,
        "inputs": inputs,
        "output": {"format": order.format},
    }
    return request_message(fields)


def _contents(order: Order, samples: Sequence[pb.Sample]) -> Sequence[Content]:
    """The bytes of all outputs of all samples, in order of index, checked."""
    check_indices([sample.index for sample in samples], order.n)
    ordered = sorted(samples, key=lambda sample: sample.index)
    return [_content(name, sample.outputs[name]) for sample in ordered for name in sorted(sample.outputs)]


def _content(name: str, output: pb.Output) -> bytes:
    if output.WhichOneof("kind") == "scalar":
        return output.scalar.SerializeToString()
    tensor = output.tensor
    check_tensor(name, tensor.format, tensor.dtype, tensor.shape, tensor.content)
    return tensor.content
