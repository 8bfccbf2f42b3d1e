"""A generation as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import asdict
from typing import NamedTuple, Protocol

from pydantic_core import to_json
from starlette.types import Receive, Scope, Send

from brood.dataplane.plane import DataPlane
from brood.dataplane.result import EncodedSample, Timing
from brood.frontends.http.accept import MEDIA_TYPES
from brood.frontends.http.border import known
from brood.frontends.http.disconnect import until_disconnect
from brood.frontends.http.errors import error_words
from brood.frontends.http.render import PER_BYTE_S, Words, end_words, head_words, sample_words
from brood.media.encode import Encoded
from brood.protocol.errors import BroodError, Cancelled, Internal, NotReady
from brood.protocol.events import Accepted, Done, Event, Failed, Preview, Progress, Sample
from brood.protocol.requests import OutputChoice

PING = b": ping\n\n"
PING_EVERY_S = 15.0  # proxies take a connection that is silent for longer, often 60 s, for dead
HEADERS = (
    (b"content-type", MEDIA_TYPES["events"].encode()),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # what some proxies need to be told to pass events on as they come
)


class Told(NamedTuple):
    """An event as it is sent."""

    name: str
    words: Words
    size: int = 0  # bytes of content among them


class Teller(Protocol):
    """Puts the events of one generation into words, in order."""

    async def of(self, event: Event) -> Told | None:
        """What is sent of an event; None: nothing.

        Raises:
            BroodError: the generation ended with it.
        """
        ...

    def failed(self, error: BroodError) -> tuple[str, Words]:
        """Name and words of the event that tells of an error."""
        ...


class EventAnswer:
    """The answer to a request that streams. An ASGI application.

    Args:
        plane: whose generation it is.
        first: its first event, which has come already: what is wrong with a request is told with a status.
        events: the others.
        teller: puts them into words.
        ping_every_s: between comments that keep proxies awake.
    """

    def __init__(
        self,
        plane: DataPlane,
        first: Event,
        events: AsyncGenerator[Event, None],
        teller: Teller,
        ping_every_s: float = PING_EVERY_S,
    ) -> None:
        self._plane, self._first, self._events, self._teller = plane, first, events, teller
        self._ping_every_s = ping_every_s
        self._id = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all events; the generation ends when the caller leaves."""
        async with aclosing(self._events):
            await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})
            pings = asyncio.ensure_future(self._ping(send))
            try:
                with suppress(Cancelled), until_disconnect(receive, after_s=0.0, gone=self._cancel):
                    await self._send_all(scope, send)
            except asyncio.CancelledError:
                # The server cancels what outlives its grace when it stops; nothing but the border stands outside.
                await self._fail(send, NotReady("the server stopped before this was finished"))
            finally:
                pings.cancel()
        await send({"type": "http.response.body", "body": b""})

    async def _send_all(self, scope: Scope, send: Send) -> None:
        try:
            await self._send_event(send, self._first)
            async for event in self._events:
                await self._send_event(send, event)
        except Exception as error:
            await self._fail(send, known(error, scope, scope["state"]["request_id"]))

    def _cancel(self) -> None:
        """At once: until this task hears of it, an engine of small steps would make two more."""
        if isinstance(self._first, Accepted):
            self._plane.cancel(self._first.request_id)

    async def _send_event(self, send: Send, event: Event) -> None:
        told = await self._teller.of(event)
        if told is not None:
            content = await self._plane.offload.run(PER_BYTE_S * told.size, to_json, told.words, inf_nan_mode="null")
            await self._send(send, told.name, content)

    async def _fail(self, send: Send, error: BroodError) -> None:
        name, words = self._teller.failed(error)
        await self._send(send, name, to_json(words))

    async def _send(self, send: Send, name: str, content: bytes) -> None:
        chunk = b"event: %b\nid: %d\ndata: %b\n\n" % (name.encode(), self._id, content)
        self._id += 1
        await send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def _ping(self, send: Send) -> None:
        while True:
            await asyncio.sleep(self._ping_every_s)
            await send({"type": "http.response.body", "body": PING, "more_body": True})


class EventWords:
    """A `Teller` of one generation in the service's own words.

    Args:
        plane: whose generation it is.
        choice: how outputs are encoded.
        request_id: for the words of errors.
    """

    def __init__(self, plane: DataPlane, choice: OutputChoice, request_id: str) -> None:
        self._plane, self._choice, self._request_id = plane, choice, request_id
        self._accepted: Accepted | None = None
        self._encode_s = 0.0

    async def of(self, event: Event) -> Told:
        """See `Teller.of`: every event is told."""
        match event:
            case Accepted():
                self._accepted = event
                return Told("accepted", head_words(event) | {"n": event.n})
            case Progress():
                return Told("progress", asdict(event))
            case Preview():
                shown = await self._encoded(event)
                words = sample_words(shown)
                outputs = words.pop("outputs")
                return Told("preview", {**words, "step": event.step, "of": event.of, "outputs": outputs}, _size(shown))
            case Sample():
                sample = await self._encoded(event)
                return Told("sample", sample_words(sample), _size(sample))
            case Done(usage):
                timing = Timing(usage.queue_ms, usage.run_ms, self._encode_s * 1000)
                return Told("done", end_words(timing, usage))
            case Failed(error):
                raise error

    def failed(self, error: BroodError) -> tuple[str, Words]:
        """See `Teller.failed`."""
        return "failed", error_words(error, self._request_id)

    async def _encoded(self, sample: Sample | Preview) -> EncodedSample:
        if self._accepted is None:
            raise Internal("a sample came before its generation was accepted")
        start = time.perf_counter()
        encoded = await self._plane.encode(self._accepted, sample, self._choice)
        self._encode_s += time.perf_counter() - start
        return encoded


def _size(sample: EncodedSample) -> int:
    return sum(len(content.content) for content in sample.outputs.values() if isinstance(content, Encoded))
