"""Many workers behind one backend: requests are cut over them, and survive the death of any."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence

from brood.protocol.errors import Cancelled, Internal, NotReady
from brood.protocol.events import Event
from brood.protocol.models import ModelStatus
from brood.protocol.requests import Generation
from brood.remote.fleet import WorkerView
from brood.remote.options import RemoteOptions
from brood.remote.placing import Placing
from brood.remote.tally import Tally
from brood.remote.waiting import Held

Change = Callable[[str, int | None], Awaitable[None]]  # name of a model, one version of it or None


class RemoteBackend:
    """Implements `brood.dataplane.backend.Backend` over links to workers.

    Owned by the event loop on which `set_workers` is first called; every method is called on that loop.

    Args:
        token: shown to every worker.
        options: bounds and patience.
        load, unload, reload: what these verbs do; whoever owns the wanted state of models gives them.
        wake: called with a model's name when a request for it begins to wait because no worker has it ready, and
            again every second while any waits. Must be quick.
        problems: what is wrong, though single models may serve; workers without a link are added.
    """

    def __init__(
        self,
        token: str,
        options: RemoteOptions,
        *,
        load: Change,
        unload: Change,
        reload: Change,
        wake: Callable[[str], None] = lambda model: None,
        problems: Callable[[], Sequence[str]] = lambda: (),
    ) -> None:
        self._placing = Placing(token, options, self.now, wake)
        self._load, self._unload, self._reload, self._problems = load, unload, reload, problems
        self._stopping = False

    async def set_workers(self, workers: Mapping[str, str]) -> None:
        """From now on there are these workers: id → ``HOST:PORT``.

        Returns at once; links are made in the background and made again when they break. A worker that is no longer
        named gets nothing new; its link is closed when what runs there has ended. May be called at any time.
        """
        if not self._stopping:
            self._placing.fleet.set_workers(workers)

    def expect(self, models: Iterable[ModelStatus]) -> None:
        """These models are to be had, though perhaps no worker has them ready right now.

        Requests for them wait. A status whose manifest is None is completed by what workers have said of that model
        before; while nothing is known, the model shows as loading (and requests are refused with NotReady).
        """
        self._placing.fleet.expect(models)

    def workers(self) -> Mapping[str, WorkerView]:
        """All workers, by id."""
        return self._placing.fleet.views()

    def held(self) -> Mapping[str, Held]:
        """What waits for models that no worker has ready: name of the model → how much."""
        return self._placing.held()

    @property
    def tally(self) -> Tally:
        """What has happened since the start."""
        return self._placing.tally

    async def stop(self) -> None:
        """Close all links; what is unfinished ends with NotReady."""
        self._stopping = True
        await self._placing.stop()

    def models(self) -> Sequence[ModelStatus]:
        """All models of all workers and all that are expected, in order of name and version.

        A model is ready if one worker has it ready; ``reason`` then tells of those on which it failed.
        """
        return self._placing.fleet.models()

    def now(self) -> float:
        """A monotonic clock of this process, in seconds."""
        return time.monotonic()

    def submit(self, generation: Generation) -> AsyncGenerator[Event, None]:
        """Send a generation to workers and tell what happens to it, as one stream.

        `Accepted` comes when all workers have taken their part. A refusal of one is tried at others; what is lost with
        a worker is made again by others: the same samples, each once.

        Raises:
            Overloaded: every worker that has the model has too much to do, or too much waits here for it.
            NotReady, ModelUnavailable: no worker has it ready, and none is expected.
            BroodError: what the workers refuse it with; comes in place of the first event.
        """
        if self._stopping:
            raise NotReady("the server is stopping")
        if generation.request_id in self._placing.jobs:
            raise Internal(f"a request of the id {generation.request_id!r} is running")
        return self._placing.begin(generation).stream

    def cancel(self, request_id: str) -> bool:
        """End a generation; False if there is none of that id."""
        job = self._placing.jobs.get(request_id)
        if job is not None:
            job.end(Cancelled("the request was cancelled"))
        return job is not None

    async def load(self, name: str, version: int | None = None) -> None:
        """Load a model, or one version of it, wherever it is to be loaded.

        Raises:
            ModelNotFound: there is none of that name, or not that version.
        """
        await self._load(name, version)

    async def unload(self, name: str, version: int | None = None) -> None:
        """Let go of a model, or one version of it, on all workers.

        Raises:
            ModelNotFound: there is none of that name, or not that version.
        """
        await self._unload(name, version)

    async def reload(self, name: str, version: int | None = None) -> None:
        """As `load`; and where the store has other bytes than those that serve, they take their place once ready.

        Raises:
            ModelNotFound: there is none of that name, or not that version.
        """
        await self._reload(name, version)

    def problems(self) -> Sequence[str]:
        """What is wrong, though single models may serve: workers that are not linked, and whatever else is known."""
        lost = [f"worker {worker_id}: {view.reason}" for worker_id, view in self.workers().items() if view.reason]
        return [*self._problems(), *lost]
