"""The ingress's side of one link: chunks out, events in; made again when it breaks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, cast

import grpc
import numpy as np

from brood.protocol.errors import BroodError
from brood.protocol.events import Determinism, Preview, Progress, Usage
from brood.protocol.requests import Generation
from brood.protocol.wire import worker_pb2 as pb
from brood.remote.errors import error_of
from brood.remote.load import Load
from brood.remote.merge import Part
from brood.remote.options import RemoteOptions
from brood.remote.orders import Piece, submit_message
from brood.remote.outbox import Outbox
from brood.remote.status import WorkerStatus
from brood.remote.statuses import StatusReader
from brood.remote.tensors import Payload, Spec, framed
from brood.remote.window import CREDIT, weight_of
from brood.remote.wire import INGRESS, METHOD, SERVICE, TOKEN, client_end

log = logging.getLogger(__name__)
FIRST_RETRY_S = 0.02
Call = grpc.aio.StreamStreamCall[bytes, bytes]


class Errand(NamedTuple):
    """Rows of a request that are to be made somewhere."""

    piece: Piece
    deaths: int = 0  # workers that were lost while they had it
    avoid: frozenset[str] = frozenset()  # workers that have refused it, or failed with it


class Job(Protocol):
    """The request that a chunk belongs to; told what happens to the chunk."""

    generation: Generation

    def accepted(self, chunk: Chunk, determinism: Determinism) -> None:
        """The worker has taken it."""
        ...

    def sample(self, chunk: Chunk, index: int, outputs: Mapping[str, np.ndarray], weight: int) -> None:
        """A row is finished; ``weight`` is to be read from the chunk."""
        ...

    def preview(self, chunk: Chunk, preview: Preview, weight: int) -> None:
        """An unfinished row; ``weight`` is to be read from the chunk."""
        ...

    def progress(self, chunk: Chunk, progress: Progress) -> None:
        """How far the chunk is."""
        ...

    def done(self, chunk: Chunk, usage: Usage) -> None:
        """The chunk is over, to its end."""
        ...

    def refused(self, chunk: Chunk, error: BroodError) -> None:
        """The worker has not taken it."""
        ...

    def failed(self, chunk: Chunk, error: BroodError) -> None:
        """The chunk is over before its end."""
        ...


class Owner(Protocol):
    """Who has the links."""

    def changed(self, link: Link) -> None:
        """The worker can be sent other work than before: it is there, or gone, or has other models."""
        ...

    def lost(self, link: Link, chunks: list[Chunk]) -> None:
        """The link is broken; these chunks were unfinished."""
        ...


class Chunk:
    """Consecutive rows of one request at one worker.

    Attributes:
        number: on its link.
        job: the request.
        errand: what it was sent for.
        part: what has come of it.
        left: rows whose samples have not come back.
        row_s: predicted device seconds of a row there.
        bulk: whether its class is bulk.
        accepted: whether the worker has taken it.
        link: where it is.
        running: whether it is there still.
    """

    __slots__ = ("_read", "accepted", "bulk", "errand", "job", "left", "link", "number", "part", "row_s", "running")

    def __init__(self, number: int, job: Job, errand: Errand, part: Part, row_s: float, link: Link) -> None:
        self.number, self.job, self.errand, self.part, self.row_s, self.link = number, job, errand, part, row_s, link
        self.left = part.piece.rows
        self.bulk = job.generation.priority == "bulk"
        self.accepted = False
        self.running = True
        self._read = 0

    @property
    def left_s(self) -> float:
        """Predicted device seconds of what is left."""
        return self.left * self.row_s

    def read(self, weight: int) -> None:
        """So much of what came has been read, or dropped: the worker may send as much again."""
        self._read += weight
        if self._read >= CREDIT and self.running:
            self.link.credit(self.number, self._read)
            self._read = 0


class Link:
    """See the module.

    Args:
        worker_id, address: of the worker; ``HOST:PORT``.
        metadata: credentials.
        options: patience.
        owner: told of changes and losses.

    Attributes:
        status: the last one while the link is up; None: there is no link.
        models: all that was last known of the worker; kept when the link breaks.
        reason: why there is no link; empty while there is one.
        chunks: unfinished ones, by number.
        load: what the worker has to do.
        suspect: the chunk there that was already lost with other workers.
        leaving: whether it gets nothing new, and is closed when what runs there has ended.
    """

    def __init__(
        self, worker_id: str, address: str, metadata: tuple[str, str], options: RemoteOptions, owner: Owner
    ) -> None:
        self.worker_id, self.address = worker_id, address
        self.status: WorkerStatus | None = None
        self.known: WorkerStatus | None = None
        self.reason = "not connected yet"
        self.chunks: dict[int, Chunk] = {}
        self.load = Load()
        self.suspect: Chunk | None = None
        self.leaving = False
        self._metadata = tuple(zip((TOKEN, INGRESS), metadata, strict=True))
        self._options, self._owner = options, owner
        self._outbox = Outbox[pb.Order]()
        self._number = self._written = 0
        self._statuses = StatusReader()
        self._layouts: dict[int, tuple[Spec, ...]] = {}
        self._task = asyncio.create_task(self._run(), name=f"brood-link-{worker_id}")

    @property
    def closed(self) -> bool:
        """Whether it has ended for good."""
        return self._task.done()

    @property
    def unsent_bytes(self) -> int:
        """Roughly, what waits for the link to take it."""
        return self._outbox.size

    @property
    def open_for_work(self) -> bool:
        """Whether the worker takes anything new."""
        return self.status is not None and not self.status.draining and not self.leaving

    def send(self, job: Job, errand: Errand, part: Part, row_s: float, left_s: float | None) -> Chunk:
        """Give the worker rows to make.

        Raises:
            InvalidArgument: the request has a word that cannot be sent.
        """
        order, arrays = submit_message(self._number + 1, job.generation, errand.piece, left_s)
        self._number += 1
        chunk = self.chunks[self._number] = Chunk(self._number, job, errand, part, row_s, self)
        self.load.add(chunk.bulk, chunk.left_s)
        self._outbox.put(order, arrays)
        return chunk

    def credit(self, number: int, weight: int) -> None:
        """Let the worker send as much more of a chunk."""
        self._outbox.put(pb.Order(credit=pb.Credit(chunk=number, weight=weight)))

    def drop(self, chunk: Chunk) -> None:
        """End a chunk whose samples nobody wants any more."""
        if chunk.running:
            self.forget(chunk)
            self._outbox.put(pb.Order(cancel=chunk.number))

    def forget(self, chunk: Chunk) -> None:
        """A chunk has ended there."""
        chunk.running = False
        if self.chunks.pop(chunk.number, None) is None:
            return
        self.load.add(chunk.bulk, -chunk.left_s)
        if self.suspect is chunk:
            self.suspect = None
            self._owner.changed(self)
        self._leave_if_idle()

    def leave(self) -> None:
        """Nothing new from now on; the link is closed when what runs there has ended."""
        self.leaving = True
        self._leave_if_idle()

    async def close(self) -> None:
        """End the link; what is unfinished is lost."""
        self.leaving = True
        self._task.cancel()
        await asyncio.wait([self._task])

    def _leave_if_idle(self) -> None:
        if self.leaving and not self.chunks:
            self._outbox.close()  # after the last cancellations
            if self.status is None:
                self._task.cancel()

    async def _run(self) -> None:
        wait_s = FIRST_RETRY_S
        while not self.leaving:
            reason = "the worker has ended the link"
            try:
                await self._serve()
            except asyncio.CancelledError:
                # gRPC raises it for a call that the other end has cancelled, too.
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise
            except grpc.aio.AioRpcError as error:
                reason = f"{error.code().name}: {error.details()}"
            except TimeoutError:
                reason = f"no answer within {self._options.connect_s:g} s"
            except Exception as error:
                log.exception("the link to worker %s failed", self.worker_id)
                reason = f"{type(error).__name__}: {error}"
            finally:
                wait_s = FIRST_RETRY_S if self.status is not None else min(2 * wait_s, self._options.reconnect_s)
                self._break()
            self.reason = reason
            await asyncio.sleep(wait_s)

    def _break(self) -> None:
        """The link is down: what was unfinished on it is lost."""
        chunks, was_up = list(self.chunks.values()), self.status is not None
        self.status, self.suspect, self.load = None, None, Load()
        self.chunks.clear()
        for chunk in chunks:
            chunk.running = False
        if was_up:
            self._owner.changed(self)
            self._owner.lost(self, chunks)

    def was_sent(self, chunk: Chunk) -> bool:
        """Whether the worker can have seen a chunk."""
        return chunk.number <= self._written

    async def _serve(self) -> None:
        """One connection, until it ends."""
        self._outbox, self._statuses, self._layouts = Outbox[pb.Order](), StatusReader(), {}
        options = client_end(self._options.keepalive_s, self._options.silence_s)
        async with grpc.aio.insecure_channel(self.address, options=options) as channel:
            method: Any = channel.stream_stream(f"/{SERVICE}/{METHOD}", None, None)
            call: Call = method(metadata=self._metadata)
            writer = asyncio.create_task(self._write(call))
            try:
                async with asyncio.timeout(self._options.connect_s) as patience:
                    async for content in call:
                        patience.reschedule(None)
                        self._take(content)
            finally:
                writer.cancel()
                await asyncio.gather(writer, return_exceptions=True)

    async def _write(self, call: Call) -> None:
        try:
            while (items := await self._outbox.take()) is not None:
                if items:
                    message = pb.ToWorker(orders=[item.part for item in items])
                    last = max((item.part.submit.chunk for item in items), default=0)
                    await call.write(framed(message, [array for item in items for array in item.arrays]))
                    self._written = max(self._written, last)
            await call.done_writing()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            pass  # the reader is told the same
        except Exception:
            log.exception("what should go to worker %s cannot be sent", self.worker_id)
            call.cancel()

    def _take(self, content: bytes) -> None:
        message = pb.FromWorker.FromString(content)
        payload = Payload(message.payload)
        for layout in message.layouts:
            self._layouts[layout.id] = tuple(
                Spec(tensor.name, np.dtype(tensor.dtype), tuple(tensor.shape)) for tensor in layout.tensors
            )
        for told in message.told:
            self._told(told, payload)
        if message.HasField("status"):
            self._report(message.status)

    def _told(self, told: pb.Told, payload: Payload) -> None:
        chunk = self.chunks.get(told.chunk)
        what = told.WhichOneof("what")
        if chunk is None:  # it was cancelled, or is made elsewhere
            if what in ("sample", "preview"):
                payload.skip(self._layouts[getattr(told, what).layout])
            return
        match what:
            case "sample":
                self._sample(chunk, told.sample, payload)
            case "accepted":
                chunk.accepted = True
                chunk.job.accepted(chunk, cast("Determinism", told.accepted))
            case "progress":
                p = told.progress
                chunk.job.progress(chunk, Progress(p.steps, p.of, p.finished, p.n, p.eta_s))
            case "preview":
                self._preview(chunk, told.preview, payload)
            case _:
                self._end(chunk, told)

    def _sample(self, chunk: Chunk, sample: pb.Sample, payload: Payload) -> None:
        outputs = payload.named(self._layouts[sample.layout])
        chunk.left -= 1
        self.load.add(chunk.bulk, -chunk.row_s)
        chunk.job.sample(chunk, sample.index, outputs, _weight(outputs))

    def _preview(self, chunk: Chunk, preview: pb.Preview, payload: Payload) -> None:
        outputs = payload.named(self._layouts[preview.layout])
        shown = Preview(preview.index, chunk.job.generation.seed, preview.step, preview.of, outputs)
        chunk.job.preview(chunk, shown, _weight(outputs))

    def _end(self, chunk: Chunk, told: pb.Told) -> None:
        self.forget(chunk)
        if told.HasField("done"):
            done = told.done
            chunk.job.done(chunk, Usage(done.rows, done.steps, done.queue_ms, done.run_ms))
        elif told.HasField("refused"):
            chunk.job.refused(chunk, error_of(told.refused))
        else:
            chunk.job.failed(chunk, error_of(told.failed))

    def _report(self, message: pb.Status) -> None:
        before, status = self.status, self._statuses.status(message)
        self.status = self.known = status
        self.reason = ""
        chunks = self.chunks.values()
        self.load.report(status, [(chunk.bulk, chunk.left_s, chunk.number <= message.seen) for chunk in chunks])
        if before is None or _offers(before) != _offers(status):
            self._owner.changed(self)


def _offers(status: WorkerStatus) -> tuple[int, int, bool]:
    """Equal for statuses of a link that offer the same: what has not changed is the same object."""
    return id(status.models), id(status.costs), status.draining


def _weight(outputs: Mapping[str, np.ndarray]) -> int:
    return weight_of(sum(array.nbytes for array in outputs.values()))
