"""The way over gRPC: one channel, calls side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import grpc

from brood.loadgen.orders import Order
from brood.loadgen.outcome import UNREACHABLE, Answer, Failed

OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_retries", 0),  # every call counts
    # A server that is down is asked again at once, not after a wait that grows.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 100),
)
CODE = "brood-error-code"


class Call(Protocol):
    """One protocol on top of gRPC."""

    async def __call__(self, order: Order, seed: int) -> Answer:
        """Make a call.

        Raises:
            Failed: the answer is not what was asked for.
            grpc.RpcError: it failed.
        """
        ...


class GrpcWay:
    """See `brood.loadgen.ways.Way`.

    Args:
        channel: to the server.
        call: the protocol.
    """

    def __init__(self, channel: grpc.aio.Channel, call: Call) -> None:
        self._channel, self._call = channel, call

    async def send(self, order: Order, seed: int) -> Answer:
        """See `Way`."""
        try:
            return await self._call(order, seed)
        except grpc.aio.AioRpcError as error:
            raise _failed(error) from error

    async def aclose(self) -> None:
        """See `Way`."""
        await self._channel.close(None)


def _failed(error: grpc.aio.AioRpcError) -> Failed:
    """The server's code; its status where it has none."""
    metadata: Any = error.trailing_metadata() or ()
    codes = [str(value) for name, value in metadata if name == CODE]
    status = error.code()
    if codes:
        return Failed(codes[0], error.details() or "")
    code = UNREACHABLE if status is grpc.StatusCode.UNAVAILABLE else f"grpc_{status.name.lower()}"
    return Failed(code, error.details() or "")


Clock = Callable[[], float]
Metadata = tuple[tuple[str, str], ...]
