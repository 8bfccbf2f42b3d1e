"""All models of a directory, loaded and ready, behind one engine: the data plane's backend in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from brood.engine.loop import Engine, EngineObserver, EngineOptions
from brood.host.certificates import Certificates
from brood.host.loading import STATE_BYTES, ReadyModel, load_model
from brood.protocol.errors import BroodError, DeterminismUnavailable, ModelNotFound, ModelUnavailable, show
from brood.protocol.events import Determinism, Event
from brood.protocol.manifest import Manifest
from brood.protocol.models import ModelStatus
from brood.protocol.requests import Generation
from brood.runtimes.base import RuntimeOptions
from brood.store.store import BundleRef, find_bundles, read_bundle, zoo_root


@dataclass(frozen=True, slots=True)
class HostOptions:
    """What to load, and how to run it."""

    models: Path | None = None  # a directory of bundles; None: the shipped ones
    names: tuple[str, ...] = ()  # only these; empty: all
    threads: int = 1  # within one graph call
    allow_native: bool = False  # TorchScript bundles outside the shipped ones may run their native code
    cache_dir: Path | None = None  # where certificates are kept from one start to the next; None: nowhere
    max_state_bytes: int = STATE_BYTES  # memory for the state of unfinished rows, of each model
    engine: EngineOptions = field(default_factory=EngineOptions)


class Host:
    """Implements `brood.dataplane.backend.Backend`.

    Owned by the event loop that calls `start`.
    """

    def __init__(
        self,
        options: HostOptions,
        observer: EngineObserver,
        on_model: Callable[[ModelStatus], None] = lambda status: None,
    ) -> None:
        self._options = options
        self._on_model = on_model
        self._engine = Engine(observer, options.engine)
        self._certificates = Certificates(options.cache_dir)
        self._statuses: dict[tuple[str, int], ModelStatus] = {}
        self._ready: dict[tuple[str, int], ReadyModel] = {}
        self._one_load = asyncio.Lock()

    @property
    def alive(self) -> bool:
        """Whether the engine works."""
        return self._engine.alive

    async def start(self) -> None:
        """Load every model; one that fails says why and harms no other.

        Raises:
            BundleError: the directory of bundles itself cannot be read.
        """
        self._engine.start()
        wanted = self._find()
        with ThreadPoolExecutor(1, thread_name_prefix="brood-load") as pool:
            for found in wanted:
                self._tell(ModelStatus(found.name, found.version, "loading"))
            for found in wanted:
                self._tell(await asyncio.get_running_loop().run_in_executor(pool, self._load, found))

    async def load(self, name: str) -> None:
        """Load the versions of a model that are not ready, also new ones.

        Raises:
            ModelNotFound: the directory has none of that name.
            BundleError: the directory cannot be read.
        """
        wanted = [ref for ref in find_bundles(self._options.models or zoo_root()) if ref.name == name]
        if not wanted:
            raise ModelNotFound(f"model: there is no bundle {show(name)}", field="model")
        async with self._one_load:
            for found in wanted:
                if (found.name, found.version) not in self._ready:
                    self._tell(await asyncio.to_thread(self._load, found))

    async def unload(self, name: str) -> None:
        """Let go of all versions of a model; what runs goes on to its end.

        Raises:
            ModelNotFound: there is none of that name.
        """
        known = [status for key, status in self._statuses.items() if key[0] == name]
        if not known:
            raise ModelNotFound(f"model: there is no {show(name)} here", field="model")
        for status in known:
            self._ready.pop((name, status.version), None)
            self._tell(ModelStatus(name, status.version, "unloaded", manifest=status.manifest))

    async def stop(self) -> None:
        """Let the graph call in flight end and fail what is left."""
        await self._engine.stop()

    def models(self) -> Sequence[ModelStatus]:
        """All models, in order of name and version."""
        return [self._statuses[key] for key in sorted(self._statuses)]

    def now(self) -> float:
        """The engine's clock, in seconds."""
        return self._engine.now()

    def submit(self, generation: Generation) -> AsyncGenerator[Event, None]:
        """Queue a generation of a ready model.

        Raises:
            ModelUnavailable: the model is not ready.
            DeterminismUnavailable: the samples shall be exact, and that cannot be promised here.
            BroodError: the engine refuses it (see `brood.engine.loop.Engine.submit`).
        """
        ready = self._ready.get((generation.model, generation.version))
        if ready is None:
            raise ModelUnavailable(
                f"model: {generation.model!r} version {generation.version} is not ready", field="model"
            )
        return self._engine.submit(generation, ready.engine, _promised(ready, generation))

    def cancel(self, request_id: str) -> bool:
        """End a generation; False if there is none of that id."""
        return self._engine.cancel(request_id)

    def _find(self) -> list[BundleRef]:
        found = find_bundles(self._options.models or zoo_root())
        if not self._options.names:
            return found
        for name in set(self._options.names) - {ref.name for ref in found}:
            known = ", ".join(sorted({ref.name for ref in found})) or "none"
            self._tell(ModelStatus(name, 0, "failed", str(ModelNotFound(f"no such bundle; there are: {known}"))))
        return [ref for ref in found if ref.name in self._options.names]

    def _load(self, found: BundleRef) -> ModelStatus:
        """On the loading thread: everything between a directory and a ready model."""
        manifest = None
        try:
            bundle = read_bundle(found.directory, allow_native=self._options.allow_native)
            manifest = bundle.manifest
            ready = load_model(
                bundle,
                RuntimeOptions(self._options.threads),
                self._certificates,
                max_state_bytes=self._options.max_state_bytes,
            )
        except BroodError as error:
            return ModelStatus(found.name, found.version, "failed", error.message, manifest)
        except Exception as error:
            return ModelStatus(found.name, found.version, "failed", f"{type(error).__name__}: {error}", manifest)
        self._ready[found.name, found.version] = ready
        return _status(manifest, ready)

    def _tell(self, status: ModelStatus) -> None:
        self._statuses[status.name, status.version] = status
        self._on_model(status)


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


def _status(manifest: Manifest, ready: ReadyModel) -> ModelStatus:
    certificate = ready.certificate
    return ModelStatus(
        manifest.name,
        manifest.version,
        "ready",
        manifest=manifest,
        determinism=ready.determinism,
        numerics_id=certificate.numerics_id,
        certificate=certificate.exact,
        device=certificate.conditions.device,
        state_bytes=ready.engine.runtime.state_bytes,
    )
