"""How both ends of a link are set up: its name, its credentials, and what gRPC is told of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from brood.protocol.wire import worker_pb2 as pb

SERVICE: str = pb.DESCRIPTOR.services_by_name["Worker"].full_name
METHOD = "Link"
TOKEN, INGRESS = "brood-token", "brood-ingress"  # keys of metadata
MESSAGE_BYTES = 2**31 - 1  # protobuf and gRPC know no larger messages; by default gRPC takes 4 MiB

Options = list[tuple[str, Any]]


def both_ends(keepalive_s: float, silence_s: float) -> Options:
    """What client and server are told alike.

    Args:
        keepalive_s: a silent link is asked for a sign of life so often; a machine that is gone closes no connection.
        silence_s: it is broken if there is none for so long.
    """
    return [
        ("grpc.max_receive_message_length", MESSAGE_BYTES),
        ("grpc.max_send_message_length", MESSAGE_BYTES),
        ("grpc.keepalive_time_ms", round(keepalive_s * 1000)),
        ("grpc.keepalive_timeout_ms", round(silence_s * 1000)),
        ("grpc.http2.ping_timeout_ms", round(silence_s * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]


def client_end(keepalive_s: float, silence_s: float) -> Options:
    """What the ingress's channel is told."""
    # A channel of its own for every try: shared ones wait longer and longer before they connect anew.
    return [*both_ends(keepalive_s, silence_s), ("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]


def server_end(keepalive_s: float, silence_s: float) -> Options:
    """What the worker's server is told."""
    return [
        *both_ends(keepalive_s, silence_s),
        ("grpc.so_reuseport", 0),  # a busy port is an error, not shared
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 100),  # else pings are taken for an attack
        ("grpc.http2.max_ping_strikes", 0),
    ]


def metadata_value(metadata: Iterable[tuple[str, str | bytes]] | None, key: str) -> str:
    """A value of a call's metadata; empty if there is none."""
    return next((str(value) for name, value in metadata or () if name == key), "")
