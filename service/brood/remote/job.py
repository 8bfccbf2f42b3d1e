"""One request of an ingress: its chunks at workers, and the one stream that its reader sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from brood.protocol.errors import BroodError, Internal
from brood.protocol.events import Accepted, Determinism, Done, Preview, Progress, Sample, Usage
from brood.protocol.requests import Generation
from brood.remote.link import Chunk
from brood.remote.merge import Merge
from brood.remote.stream import RemoteStream
from brood.remote.tally import Tally


class Placer(Protocol):
    """Who finds workers for a job."""

    tally: Tally

    def refused(self, job: RemoteJob, chunk: Chunk, error: BroodError) -> None:
        """A worker has not taken a chunk."""
        ...

    def failed(self, job: RemoteJob, chunk: Chunk, error: BroodError) -> None:
        """A chunk that was taken has ended early."""
        ...

    def ended(self, job: RemoteJob) -> None:
        """Nothing is left to do."""
        ...


class RemoteJob:
    """See the module.

    Attributes:
        generation: what was asked for.
        merge: how far it is.
        stream: what the reader has.
        chunks: those that are unfinished.
        waiting: pieces that have no worker yet.
        steps: of the schedule, that each row takes.
        kin: what all workers that have a part must have in common; None: no part was given away yet.
        refusal: why the last worker refused a part.
        patient: whether it waits for workers rather than being refused.
        over: whether it has ended.
        began: when it was submitted, seconds on the backend's clock.
    """

    def __init__(self, generation: Generation, placer: Placer, began: float) -> None:
        self.generation, self.began = generation, began
        self.merge = Merge(generation)
        self.stream = RemoteStream(self._left)
        self.chunks: set[Chunk] = set()
        self.waiting = 0
        self.steps = 0
        self.kin: str | None = None
        self.refusal: BroodError | None = None
        self.patient = self.over = False
        self._placer = placer
        self._determinism: Determinism | None = None

    @property
    def open(self) -> bool:
        """Whether all first parts were taken, so that the reader knows that it is accepted."""
        return self._determinism is not None

    def accepted(self, chunk: Chunk, determinism: Determinism) -> None:
        """Tell the reader, when all workers have taken their parts."""
        if self.open or self.waiting or not all(each.accepted for each in self.chunks):
            return
        self._determinism, self.patient = determinism, True
        asked = self.generation
        self.stream.accept(
            Accepted(asked.request_id, asked.model, asked.version, asked.operation, asked.seed, asked.n, determinism)
        )

    def sample(self, chunk: Chunk, index: int, outputs: Mapping[str, np.ndarray], weight: int) -> None:
        """Hand a sample on, unless it came before."""
        if self.merge.sample(chunk.part, index):
            self.stream.put(Sample(index, self.generation.seed, outputs), chunk, weight)
        else:
            self._placer.tally.duplicates += 1
            chunk.read(weight)

    def preview(self, chunk: Chunk, preview: Preview, weight: int) -> None:
        """Hand a preview on, if it is news and the reader keeps up."""
        if self.merge.preview(preview) and not self.stream.lags:
            self.stream.put(preview, chunk, weight)
        else:
            chunk.read(weight)

    def progress(self, chunk: Chunk, progress: Progress) -> None:
        """Tell how far all is, if that is due and the reader keeps up."""
        told = self.merge.progress(chunk.part, progress, [each.part for each in self.chunks])
        if told is not None and not self.stream.lags:
            self.stream.put(told)

    def done(self, chunk: Chunk, usage: Usage) -> None:
        """A part is over."""
        self.chunks.discard(chunk)
        self.merge.done(chunk.part, usage)
        if self.merge.left and self.merge.missing(chunk.errand.piece):
            self.end(Internal(f"worker {chunk.link.worker_id} has left out samples"))
        else:
            self.finish()

    def refused(self, chunk: Chunk, error: BroodError) -> None:
        """Find another worker."""
        self.chunks.discard(chunk)
        self._placer.refused(self, chunk, error)

    def failed(self, chunk: Chunk, error: BroodError) -> None:
        """End, or find another worker."""
        self.chunks.discard(chunk)
        self._placer.failed(self, chunk, error)

    def finish(self) -> None:
        """Tell the end, if all has come."""
        if not self.merge.left and not self.chunks and not self.over:
            self._over()
            self.stream.put(Done(self.merge.usage()))

    def end(self, error: BroodError) -> None:
        """End early."""
        if not self.over:
            self._over()
            self.stream.fail(error)

    def _left(self) -> None:
        """The reader has gone, or has read the last event."""
        if not self.over:
            self._over()

    def _over(self) -> None:
        self.over = True
        for chunk in list(self.chunks):
            chunk.link.drop(chunk)
        self.chunks.clear()
        self._placer.ended(self)
