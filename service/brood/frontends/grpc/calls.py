"""Around every method: read the request, name it, run the method, and end the call with a status if it fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from brood.dataplane.ids import request_id_of
from brood.frontends.grpc.errors import details_of, status_of, trailers_of
from brood.observe.trace import begin, trace_of
from brood.protocol.errors import BroodError, Cancelled, Internal, InvalidArgument, PayloadTooLarge
from brood.protocol.wire.fields import fields

logger = logging.getLogger(__name__)

STALL_S = 60.0  # who takes no message for so long is gone: finished samples wait for it in memory

# Reading a message holds up everybody else: of a large one, the parts are counted first, as those of JSON are.
LARGE_BYTES, MOST_PARTS = 2**16, 2**18

_HEADS: ContextVar[Mapping[str, str]] = ContextVar("brood-heads", default=MappingProxyType({}))

Context = grpc.aio.ServicerContext[bytes, Any]
Asked = TypeVar("Asked")
Kind = TypeVar("Kind", bound=Message)
Method = Callable[[Asked, Context, str], Awaitable[Any]]  # request, context, request id


def guarded(read: Callable[[bytes], Asked], method: Method[Asked]) -> Callable[[bytes, Context], Awaitable[Any]]:
    """A handler of raw bytes: ``read`` makes the request of them, ``method`` answers it; both may raise.

    gRPC is not given ``read`` as its deserializer: it would answer what cannot be read with UNKNOWN and a traceback in
    the log.
    """

    async def handler(content: bytes, context: Context) -> Any:
        request_id = request_id_of_call()
        given = heads().get("traceparent")
        begin(request_id, None if given is None else trace_of(given))
        try:
            return await method(read(content), context, request_id)
        except BroodError as error:
            await refuse(context, error, request_id)
        except Exception:
            logger.exception("request %s failed", request_id)
            await refuse(context, Internal("an error of the server; its log has the details"), request_id)

    return handler


def parsed(kind: type[Kind], content: bytes) -> Kind:
    """The message in some bytes.

    Raises:
        InvalidArgument: they are not such a message.
        PayloadTooLarge: it has too many parts.
    """
    try:
        if len(content) > LARGE_BYTES:
            check_parts(kind, content)
        return kind.FromString(content)
    except (DecodeError, ValueError) as error:
        raise InvalidArgument(f"the request is not a {kind.DESCRIPTOR.full_name} message") from error


def check_parts(kind: type[Message], content: bytes) -> None:
    """Refuse a message that would take long to read.

    Raises:
        PayloadTooLarge: it has too many fields, entries, or elements that are not packed.
        ValueError: it is no message.
    """
    waiting: list[tuple[Any, memoryview]] = [(kind.DESCRIPTOR, memoryview(content))]
    count = 0
    while waiting:
        holder, message = waiting.pop()
        for number, value in fields(message):
            count += 1
            if count > MOST_PARTS:
                text = f"the message has too many parts: at most {MOST_PARTS} fields, entries and elements"
                raise PayloadTooLarge(f"{text}; send arrays as bytes")
            field = holder.fields_by_number.get(number)
            if field is not None and field.message_type is not None and isinstance(value, memoryview):
                waiting.append((field.message_type, value))


async def send(context: Context, message: Any) -> None:
    """Send one message of a stream, and wait until there is room for the next.

    Raises:
        Cancelled: the caller keeps the connection and takes nothing any more.
    """
    try:
        async with asyncio.timeout(STALL_S):
            await context.write(message)
    except TimeoutError as error:
        raise Cancelled(f"the caller took nothing for {STALL_S:g} s") from error


def read_heads(metadata: Iterable[tuple[str, str | bytes]] | None) -> None:
    """Keep what a call's metadata says for `heads`, in the task that this call runs in."""
    _HEADS.set({name: value for name, value in reversed(tuple(metadata or ())) if isinstance(value, str)})


def heads() -> Mapping[str, str]:
    """What this call's metadata says first under each name, which is in lower case."""
    return _HEADS.get()


def request_id_of_call() -> str:
    """The caller's own id of this call, or a new one."""
    return request_id_of(heads().get("x-request-id"))


async def refuse(context: Context, error: BroodError, request_id: str) -> NoReturn:
    """End a call with the status of an error."""
    await context.abort(status_of(error), details_of(error), trailers_of(error, request_id))
