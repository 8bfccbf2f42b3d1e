"""Channels of gRPC, in both ways: its two interfaces differ where channels begin and end."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import grpc

from brood_client._endpoint import Endpoint, Tls

OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A channel waits on its own account before it connects again, up to minutes; how long is the client's affair.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
Metadata = tuple[tuple[str, str], ...]
Asked = TypeVar("Asked")
Told = TypeVar("Told")
if TYPE_CHECKING:  # only the stubs know their type variables
    Method = grpc.UnaryUnaryMultiCallable[Asked, Told]
    AsyncMethod = grpc.aio.UnaryUnaryMultiCallable[Asked, Told]


def open_channel(endpoint: Endpoint) -> grpc.Channel:
    """A channel; it connects with its first call.

    Raises:
        OSError: a file for TLS cannot be read.
    """
    if endpoint.tls is not None:
        return grpc.secure_channel(endpoint.target, _credentials(endpoint.tls), options=OPTIONS)
    return grpc.insecure_channel(endpoint.target, options=OPTIONS)


def aopen_channel(endpoint: Endpoint) -> grpc.aio.Channel:
    """The same, for the event loop that runs.

    Raises:
        OSError: a file for TLS cannot be read.
    """
    if endpoint.tls is not None:
        return grpc.aio.secure_channel(endpoint.target, _credentials(endpoint.tls), options=OPTIONS)
    return grpc.aio.insecure_channel(endpoint.target, options=OPTIONS)


def close_channel(channel: grpc.Channel) -> None:
    """Close it, and end what runs."""
    channel.close()


async def aclose_channel(channel: grpc.aio.Channel) -> None:
    """Close it, and end what runs."""
    await channel.close(None)


def answered(
    method: Method[Asked, Told], message: Asked, timeout_s: float | None, metadata: Metadata
) -> tuple[Told, frozenset[str]]:
    """A call's answer, and the names in its trailing metadata.

    Raises:
        grpc.RpcError: it failed.
    """
    answer, call = method.with_call(message, timeout=timeout_s, metadata=metadata)
    return answer, frozenset(name for name, _ in call.trailing_metadata() or ())


async def aanswered(
    method: AsyncMethod[Asked, Told], message: Asked, timeout_s: float | None, metadata: Metadata
) -> tuple[Told, frozenset[str]]:
    """The same.

    Raises:
        grpc.RpcError: it failed.
    """
    call = method(message, timeout=timeout_s, metadata=metadata)
    answer = await call
    return answer, frozenset(name for name, _ in await call.trailing_metadata() or ())


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(*tls.contents())
