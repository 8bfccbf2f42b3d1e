"""All links of an ingress, and what the workers behind them can run."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from brood.protocol.models import ModelStatus
from brood.protocol.requests import Generation
from brood.remote.catalogue import Sighting, catalogue
from brood.remote.link import Chunk, Link
from brood.remote.offers import Kin, kin_of
from brood.remote.options import RemoteOptions
from brood.remote.status import ModelKey, WorkerStatus
from brood.sampling.schedules import make_schedule


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker as this ingress sees it."""

    worker_id: str
    address: str  # HOST:PORT of its link
    status: WorkerStatus | None  # the last one while the link is up; None: there is no link
    reason: str  # why there is no link; empty while there is one
    chunks: int  # of this ingress's requests that are unfinished there
    backlog_s: float  # predicted device seconds of its work, this ingress's latest included


class Fleet:
    """Implements `brood.remote.link.Owner`.

    Args:
        token: shown to every worker.
        options: bounds and patience.
        on_change: called when workers may take other work than before.
        on_loss: called when a link broke, with its unfinished chunks.
    """

    def __init__(
        self,
        token: str,
        options: RemoteOptions,
        on_change: Callable[[], None],
        on_loss: Callable[[Link, list[Chunk]], None],
    ) -> None:
        self._metadata = (token, uuid.uuid4().hex)
        self._options, self._on_change, self._on_loss = options, on_change, on_loss
        self._links: dict[str, Link] = {}
        self._leaving: set[Link] = set()
        self._expected: dict[ModelKey, ModelStatus] = {}
        self._seen: dict[ModelKey, ModelStatus] = {}
        self._models: list[ModelStatus] | None = None  # None: to be made anew, as the next two
        self._by_key: dict[ModelKey, ModelStatus] = {}
        self._kin: dict[tuple[str, int, str, bool], list[Kin]] = {}

    def set_workers(self, workers: Mapping[str, str]) -> None:
        """From now on there are these: id → address."""
        for worker_id, link in list(self._links.items()):
            if workers.get(worker_id) != link.address:
                del self._links[worker_id]
                self._leaving = {each for each in self._leaving if not each.closed} | {link}
                link.leave()
        for worker_id, address in workers.items():
            if worker_id not in self._links:
                self._links[worker_id] = Link(worker_id, address, self._metadata, self._options, self)
        self._renew()

    def expect(self, models: Iterable[ModelStatus]) -> None:
        """These are to be had."""
        self._expected = {(status.name, status.version): status for status in models}
        self._renew()

    def views(self) -> Mapping[str, WorkerView]:
        """All workers, by id."""
        return {
            worker_id: WorkerView(
                worker_id, link.address, link.status, link.reason, len(link.chunks), link.load.ahead_s(True)
            )
            for worker_id, link in self._links.items()
        }

    async def close(self) -> None:
        """End all links."""
        links = [*self._links.values(), *self._leaving]
        self._links.clear()
        self._leaving.clear()
        await asyncio.gather(*(link.close() for link in links))

    def models(self) -> Sequence[ModelStatus]:
        """All models, each once."""
        if self._models is None:
            sightings = [
                Sighting(link.worker_id, status, link.open_for_work)
                for link in self._links.values()
                if link.known is not None
                for status in link.known.models
            ]
            self._models = catalogue(sightings, self._expected, self._seen)
            self._by_key = {(status.name, status.version): status for status in self._models}
        return self._models

    def status_of(self, generation: Generation) -> ModelStatus | None:
        """The generation's model; None if there is no such."""
        self.models()
        return self._by_key.get((generation.model, generation.version))

    def steps_of(self, generation: Generation) -> int:
        """Steps of the schedule that each row takes."""
        status = self.status_of(generation)
        if status is None or status.manifest is None:
            return 0
        operation = status.manifest.operations.get(generation.operation)
        if operation is None or all(stage.repeat != "schedule" for stage in operation.stages):
            return 0
        return make_schedule(status.manifest.schedule, generation.params).steps

    def kin_of(self, generation: Generation) -> list[Kin]:
        """The links that have the generation's model ready, in groups of those that give the same."""
        key = (generation.model, generation.version, generation.operation, generation.exact)
        if key not in self._kin:
            self._kin[key] = kin_of(self._links.values(), generation)
        return self._kin[key]

    def changed(self, link: Link) -> None:
        """A worker can be sent other work than before."""
        if link.status is not None:
            ready = (status for status in link.status.models if status.state == "ready")
            self._seen.update({(status.name, status.version): status for status in ready})
        self._renew()

    def lost(self, link: Link, chunks: list[Chunk]) -> None:
        """A link is broken."""
        self._on_loss(link, chunks)

    def _renew(self) -> None:
        self._models = None
        self._kin.clear()
        self._on_change()
