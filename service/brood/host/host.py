"""The models of a store, loaded and ready, behind one engine: the data plane's backend in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from brood.engine.loop import Engine, EngineObserver, EngineOptions
from brood.host.certificates import Certificates
from brood.host.examples import Example, golden_example
from brood.host.loader import Loader
from brood.host.loading import STATE_BYTES, ReadyModel, load_model
from brood.host.pace import Busy, Pace
from brood.host.shelf import RELOAD_FAILED, Shelf
from brood.host.texts import tokenised
from brood.protocol.errors import DeterminismUnavailable, ModelNotFound, ModelUnavailable, NotReady, show
from brood.protocol.events import Determinism, Event
from brood.protocol.models import ModelStatus
from brood.protocol.requests import Generation, Priority
from brood.runtimes.base import RuntimeOptions
from brood.store.source import StoreUnreachable, open_store
from brood.store.store import Bundle
from brood.store.wanted import Change, Wanted

RETRY_S = 5.0  # after so long it may be worth while to ask again for what the store did not give


@dataclass(frozen=True, slots=True)
class HostOptions:
    """What to load, and how to run it."""

    models: Path | str | None = None  # a directory of bundles, or a URL of one; None: the shipped ones
    wanted: Wanted = field(default_factory=Wanted)  # which of them, until `Host.reconcile`
    poll_s: float = 0.0  # between two looks for what has changed there; 0: only when something is wanted anew
    threads: int = 1  # within one graph call
    device: str = "cpu"  # that graphs run on, as `brood.runtimes.device` reads it
    provider_options: Mapping[str, str] = field(default_factory=dict)  # of ONNX Runtime's provider on a GPU
    device_memory_bytes: int | None = None  # of a GPU, for all models together; None: its part of it
    gpu_share: float = 1.0  # the part of a GPU that this process has
    allow_native: bool = False  # TorchScript bundles outside the shipped ones may run their native code
    cache_dir: Path | None = None  # for certificates, and bundles of a URL, from one start to the next; None: nowhere
    max_state_bytes: int = STATE_BYTES  # memory for the state of unfinished rows, of each model
    engine: EngineOptions = field(default_factory=EngineOptions)

    @property
    def runtime(self) -> RuntimeOptions:
        """How graphs run here."""
        return RuntimeOptions(
            self.threads,
            self.device,
            self.provider_options,
            memory_bytes=self.device_memory_bytes,
            gpu_share=self.gpu_share,
            cache_dir=self.cache_dir,
        )


class Host:
    """Implements `brood.dataplane.backend.Backend`.

    Owned by the event loop that calls `start`.

    Attributes:
        now: the engine's clock, in seconds.
    """

    def __init__(
        self,
        options: HostOptions,
        observer: EngineObserver,
        on_model: Callable[[ModelStatus], None] = lambda status: None,
    ) -> None:
        self._options = options
        busy = Busy(observer)
        self._engine = Engine(busy, options.engine)
        self.now = self._engine.now
        self._pace = Pace(lambda: busy.busy)
        self._certificates = Certificates(options.cache_dir)
        self._shelf = Shelf(on_model, lambda ready: self._engine.forget(ready.engine))
        self._loader: Loader | None = None
        self._loading: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        """Whether the engine works."""
        return self._engine.alive

    @property
    def wanted(self) -> Wanted:
        """What shall be served."""
        return self._options.wanted if self._loader is None else self._loader.wanted

    async def start(self) -> None:
        """Load what is wanted; a model that fails says why and harms no other.

        A store that cannot be read is waited for, and `problems` says why. From then on changes are followed in the
        background.

        Raises:
            BundleError: the store can never be read: a URL, and no cache directory.
        """
        self._engine.start()
        options = self._options
        store = open_store(options.models, options.cache_dir)
        self._loader = Loader(
            store,
            self._shelf,
            options.wanted,
            self._load,
            allow_native=options.allow_native,
            poll_s=options.poll_s,
        )
        self._loading = asyncio.create_task(self._loader.run(), name="brood-loader")
        await self._loader.loaded()

    def reconcile(self, wanted: Wanted) -> None:
        """From now on this shall be served, unless it is older than what is known; returns at once.

        What was unloaded by hand goes at once, too; the rest follows in the background.

        Raises:
            NotReady: the host has not been started.
        """
        self._started.reconcile(wanted)

    async def settled(self, revision: int) -> None:
        """Wait until all was done that can be done for this revision; the statuses and `problems` tell the rest."""
        await self._started.settled(revision)

    def problems(self) -> Sequence[str]:
        """What is wrong beside single models: that the store cannot be read."""
        return () if self._loader is None else self._loader.problems

    async def load(self, name: str, version: int | None = None) -> None:
        """Load what is not ready of a model: one version, or those that its policy says.

        Raises:
            ModelNotFound: the store has none of that name, or not that version.
            NotReady: the store cannot be read.
        """
        await self._check_store(name, version)
        await self._change("load", name, version)

    async def unload(self, name: str, version: int | None = None) -> None:
        """Let go of a version of a model, or of all; what runs goes on to its end.

        Raises:
            ModelNotFound: there is none of that name, or not that version.
        """
        known = [status for status in self.models() if status.name == name]
        _check(name, version, {status.version for status in known}, "here")
        await self._change("unload", name, version, wait=False)

    async def reload(self, name: str, version: int | None = None) -> None:
        """Load anew what has other bytes in the store than those that serve, and what is not ready.

        Raises:
            ModelNotFound, NotReady: as `load` raises.
            ModelUnavailable: the other bytes are no working model; those that were loaded before serve on.
        """
        await self._check_store(name, version)
        await self._change("reload", name, version)
        for status in self.models():
            if status.name == name and version in (None, status.version) and status.reason.startswith(RELOAD_FAILED):
                raise ModelUnavailable(f"model: {name} {status.version}: {status.reason}", field="model")

    async def stop(self) -> None:
        """Let the graph call in flight end and fail what is left."""
        self._pace.stop()
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.wait([self._loading])
        if self._loader is not None:
            await self._loader.ended()
        await self._engine.stop()

    def models(self) -> Sequence[ModelStatus]:
        """All models, in order of name and version."""
        return self._shelf.statuses

    def ready_model(self, name: str, version: int) -> ReadyModel | None:
        """What serves a version; None: it is not ready."""
        return self._shelf.ready((name, version))

    @property
    def backlog_s(self) -> Mapping[Priority, float]:
        """Class → predicted device seconds of all that is accepted and not yet made."""
        return self._engine.backlog_s

    def submit(self, generation: Generation) -> AsyncGenerator[Event, None]:
        """Queue a generation of a ready model.

        Raises:
            ModelUnavailable: the model is not ready.
            InvalidArgument: a text has too many tokens.
            DeterminismUnavailable: the samples shall be exact, and that cannot be promised here.
            BroodError: the engine refuses it (see `brood.engine.loop.Engine.submit`).
        """
        ready = self._shelf.ready((generation.model, generation.version))
        if ready is None:
            raise ModelUnavailable(
                f"model: {generation.model!r} version {generation.version} is not ready", field="model"
            )
        operation = ready.engine.programs[generation.operation].operation
        order = tokenised(generation, operation, ready.tokenizers)
        return self._engine.submit(order, ready.engine, _promised(ready, generation))

    def examples(self, name: str, version: int) -> list[Example]:
        """The golden samples of a version, to be made again; none unless it is ready."""
        ready = self._shelf.ready((name, version))
        programs = {} if ready is None else ready.engine.programs
        golden = () if ready is None else ready.golden
        return [golden_example(programs[run.words.operation], run) for run in golden]

    def cancel(self, request_id: str) -> bool:
        """End a generation; False if there is none of that id."""
        return self._engine.cancel(request_id)

    @property
    def _started(self) -> Loader:
        if self._loader is None:
            raise NotReady("the host has not been started")
        return self._loader

    async def _change(self, change: Change, name: str, version: int | None, *, wait: bool = True) -> None:
        wanted = self._started.wanted.after(change, name, version)
        self.reconcile(wanted)
        if wait:
            await self.settled(wanted.revision)

    async def _check_store(self, name: str, version: int | None) -> None:
        try:
            found = await self._started.look()
        except StoreUnreachable as error:
            raise NotReady(f"the store cannot be read: {error}", retry_after_s=RETRY_S) from error
        _check(name, version, {each.version for each in found if each.name == name}, "in the store")

    def _load(self, bundle: Bundle) -> ReadyModel:
        """On the loading thread."""
        options = self._options
        return load_model(
            bundle,
            options.runtime,
            self._certificates,
            max_state_bytes=options.max_state_bytes,
            pace=self._pace,
            lanes=options.engine.lanes,
        )


def _check(name: str, version: int | None, there: Collection[int], where: str) -> None:
    """Raises ModelNotFound if there is no such model, or no such version of it."""
    if not there:
        raise ModelNotFound(f"model: there is no {show(name)} {where}", field="model")
    if version is not None and version not in there:
        offered = ", ".join(map(str, sorted(there)))
        raise ModelNotFound(f"version: {name} has no version {version} {where}; there are: {offered}", field="version")


def _promised(ready: ReadyModel, generation: Generation) -> Determinism:
    """What the samples of a generation are promised to be.

    Raises:
        DeterminismUnavailable: they shall be exact, and that cannot be promised here.
    """
    found = ready.guarantees[generation.operation]
    if not generation.exact:
        return found.usual
    if found.lacking:
        raise DeterminismUnavailable(
            f'determinism: "exact" cannot be promised for {generation.model} {generation.operation} here, because '
            f'{found.lacking}; allowed: "any", which gives determinism "{found.usual}" here',
            field="determinism",
        )
    return "exact"
