"""One ingress's link, at the worker: chunks in, events out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable
from contextlib import aclosing
from typing import Any

import grpc

from brood.protocol.errors import BroodError, Internal, NotReady
from brood.protocol.events import Accepted, Done, Event, Failed, Preview, Progress, Sample
from brood.protocol.requests import Generation
from brood.protocol.wire import worker_pb2 as pb
from brood.remote.errors import error_message
from brood.remote.orders import generation_of
from brood.remote.outbox import Outbox
from brood.remote.runner import Runner
from brood.remote.status import WorkerStatus
from brood.remote.statuses import StatusWriter
from brood.remote.tensors import Payload, Spec, framed, specs_of
from brood.remote.window import LINK_BYTES, WINDOW, weight_of

log = logging.getLogger(__name__)
Context = grpc.aio.ServicerContext[bytes, bytes]


class _Chunk:
    """One that runs here."""

    def __init__(self) -> None:
        self.credit = WINDOW
        self.more = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self.accepted = False

    async def spend(self, event: Sample | Preview) -> None:
        """Wait until the reader has read enough of what was sent, then take a part of the window."""
        while self.credit <= 0:
            self.more.clear()
            await self.more.wait()
        self.credit -= weight_of(sum(array.nbytes for array in event.outputs.values()))


class Session:
    """See the module.

    Args:
        name: of the link, in request ids.
        backend: runs the chunks.
        draining: whether new chunks are refused from the start.
    """

    def __init__(self, name: str, backend: Runner, *, draining: bool) -> None:
        self._name, self._backend, self._draining = name, backend, draining
        self._outbox = Outbox[pb.Told]()
        self._chunks: dict[int, _Chunk] = {}
        self._seen = 0
        self._statuses = StatusWriter()
        self._status: tuple[WorkerStatus, int] | None = None  # to be told, and the last chunk that is in it
        self._layouts: dict[tuple[Spec, ...], int] = {}
        self._new_layouts: list[pb.Layout] = []
        self._aborted = asyncio.Event()

    @property
    def running(self) -> int:
        """Chunks that are unfinished, or whose last events are not sent yet."""
        return len(self._chunks) + (self._outbox.size > 0)

    async def run(self, requests: AsyncIterable[bytes], context: Context) -> None:
        """Serve the link until the ingress or this worker ends it; then end what is unfinished."""
        parts = (self._read(requests), self._write(context), self._aborted.wait())
        tasks = [asyncio.ensure_future(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            tasks += [chunk.task for chunk in self._chunks.values() if chunk.task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def tell(self, status: WorkerStatus) -> None:
        """Send the worker's status, as far as it has changed."""
        self._status = status, self._seen
        self._outbox.stir()

    async def drain(self) -> None:
        """Refuse new chunks from now on, and wait until what runs has ended and is sent."""
        self._draining = True
        while tasks := [chunk.task for chunk in self._chunks.values() if chunk.task is not None]:
            await asyncio.wait(tasks)
        await self._outbox.room(1)

    def finish(self) -> None:
        """End the link when all that waits to be sent has been sent."""
        self._outbox.close()

    def abort(self) -> None:
        """End the link at once."""
        self._aborted.set()

    async def _read(self, requests: AsyncIterable[bytes]) -> None:
        async for content in requests:
            message = pb.ToWorker.FromString(content)
            payload = Payload(message.payload)
            for order in message.orders:
                self._obey(order, payload)

    def _obey(self, order: pb.Order, payload: Payload) -> None:
        match order.WhichOneof("kind"):
            case "submit":
                self._begin(order.submit, payload)
            case "credit":
                chunk = self._chunks.get(order.credit.chunk)
                if chunk is not None:
                    chunk.credit += order.credit.weight
                    chunk.more.set()
            case "cancel":
                chunk = self._chunks.pop(order.cancel, None)
                if chunk is not None and chunk.task is not None:
                    chunk.task.cancel()

    def _begin(self, submit: pb.Submit, payload: Payload) -> None:
        number = self._seen = submit.chunk
        request_id = f"{submit.request_id}@{self._name}.{number}"
        generation = generation_of(submit, payload, request_id, self._backend.now())
        chunk = self._chunks[number] = _Chunk()
        # A task that is cancelled before its first step never begins: nothing has been submitted then.
        chunk.task = asyncio.create_task(self._run_chunk(number, chunk, generation))

    async def _run_chunk(self, number: int, chunk: _Chunk, generation: Generation) -> None:
        try:
            await self._follow(number, chunk, generation)
        except BroodError as error:
            self._fail(number, chunk, error)
        except Exception:
            request_id = generation.caller_id
            log.exception("request %s failed", request_id, extra={"request_id": request_id})
            self._fail(number, chunk, Internal("an error of the worker; its log has the details"))
        finally:
            if self._chunks.get(number) is chunk:
                del self._chunks[number]

    async def _follow(self, number: int, chunk: _Chunk, generation: Generation) -> None:
        if self._draining:
            raise NotReady("the worker is stopping")
        ended = False
        async with aclosing(self._backend.submit(generation)) as events:
            async for event in events:
                if isinstance(event, Sample | Preview):
                    await chunk.spend(event)
                    await self._outbox.room(LINK_BYTES)
                self._put(number, chunk, event)
                ended = isinstance(event, Done | Failed)
        if not ended:
            raise Internal("the generation stopped without saying how it ended")

    def _put(self, number: int, chunk: _Chunk, event: Event) -> None:
        match event:
            case Sample(index, _, outputs):
                told = pb.Told(chunk=number, sample=pb.Sample(index=index, layout=self._layout(outputs)))
                self._outbox.put(told, list(outputs.values()))
            case Accepted():
                chunk.accepted = True
                self._outbox.put(pb.Told(chunk=number, accepted=event.determinism))
            case Progress():
                self._outbox.put(pb.Told(chunk=number, progress=_progress(event)))
            case Preview(index, _, step, of, outputs):
                shown = pb.Preview(index=index, layout=self._layout(outputs), step=step, of=of)
                self._outbox.put(pb.Told(chunk=number, preview=shown), list(outputs.values()))
            case Done(usage):
                done = pb.Done(rows=usage.rows, steps=usage.steps, queue_ms=usage.queue_ms, run_ms=usage.run_ms)
                self._outbox.put(pb.Told(chunk=number, done=done))
            case Failed(error):
                self._fail(number, chunk, error)

    def _fail(self, number: int, chunk: _Chunk, error: BroodError) -> None:
        message = error_message(error)
        told = pb.Told(chunk=number, failed=message) if chunk.accepted else pb.Told(chunk=number, refused=message)
        self._outbox.put(told)

    def _layout(self, outputs: Any) -> int:
        specs = specs_of(outputs.items())
        known = self._layouts.get(specs)
        if known is None:
            known = self._layouts[specs] = len(self._layouts) + 1
            tensors = [pb.Tensor(name=name, dtype=dtype.str, shape=shape) for name, dtype, shape in specs]
            self._new_layouts.append(pb.Layout(id=known, tensors=tensors))
        return known

    async def _write(self, context: Context) -> None:
        while (items := await self._outbox.take()) is not None:
            status = None if self._status is None else self._statuses.message(*self._status)
            self._status = None
            if items or status is not None:
                message = pb.FromWorker(layouts=self._new_layouts, told=[item.part for item in items], status=status)
                self._new_layouts = []
                await context.write(framed(message, [array for item in items for array in item.arrays]))


def _progress(event: Progress) -> pb.Progress:
    return pb.Progress(steps=event.steps, of=event.of, finished=event.finished, n=event.n, eta_s=event.eta_s)
