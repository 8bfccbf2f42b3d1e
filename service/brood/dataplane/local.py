"""A model in this process, without a server: the same engine and the same data plane, on a thread of their own."""

from __future__ import annotations

import asyncio
import io
import threading
import weakref
from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import numpy as np
from pydantic import ValidationError

from brood.dataplane.ids import new_request_id
from brood.dataplane.limits import Limits
from brood.dataplane.local_result import LocalResult
from brood.dataplane.naming import unknown
from brood.dataplane.plane import DataPlane
from brood.dataplane.result import Result
from brood.host.host import Host, HostOptions
from brood.protocol.errors import BundleError, Internal, ModelNotFound
from brood.protocol.events import Accepted, Done, Event, Failed, Sample
from brood.protocol.manifest import Manifest
from brood.protocol.requests import GenerateRequest, InputValue, Priority, complaint
from brood.settings import available_cores, default_cache_dir
from brood.store.store import find_bundles, zoo_root
from brood.store.wanted import wanted

T = TypeVar("T")
Value = bool | int | float | str | np.ndarray | InputValue


class _Quiet:
    """Observes nothing: who calls in process measures for themselves."""

    def finished(self, model: str, operation: str, protocol: str, code: str, seconds: float, rows: int) -> None: ...

    def rejected(self, model: str, operation: str, protocol: str, reason: str) -> None: ...

    def timed(self, model: str, operation: str, part: str, seconds: float) -> None: ...

    def stepped(
        self, model: str, graph: str, rows: int, bucket: int, calls: int, seconds: float, error: float
    ) -> None: ...

    def queued(self, rows: int, backlog_s: float) -> None: ...

    def wasted(self, seconds: float) -> None: ...


class _LoopThread:
    """An event loop that runs on its own thread and takes work from others."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="brood-local", daemon=True)
        self._thread.start()

    @property
    def current(self) -> bool:
        """Whether the caller runs on it."""
        return threading.current_thread() is self._thread

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to the end and give back its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """Stop and free the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class LocalModel:
    """One loaded model. It has a method for each of its operations: ``model.generate(n=4, seed=7, label=3)``.

    May be used by several threads at once. Its threads end when it is closed, left as a context manager, no longer
    referred to, or when Python ends.

    Raises:
        BundleError: no version of the model could be loaded.
    """

    def __init__(self, options: HostOptions) -> None:
        self._thread = _LoopThread()
        self._host = Host(options, _Quiet())
        self._plane = DataPlane(self._host, Limits(), _Quiet())
        self._end = weakref.finalize(self, _end, self._thread, self._host, self._plane)
        try:
            self._thread.do(self._host.start())
            self.manifest = _newest(self._host)
        except BaseException:
            self.close()
            raise

    @property
    def operations(self) -> tuple[str, ...]:
        """What the model can do."""
        return tuple(self.manifest.operations)

    def generate(self, *, n: int = 1, seed: int | None = None, index: int = 0, **values: Any) -> LocalResult:
        """Draw samples; see `run`."""
        return self.run("generate", n=n, seed=seed, index=index, **values)

    def __getattr__(self, name: str) -> Callable[..., LocalResult]:
        manifest = self.__dict__.get("manifest")
        if not isinstance(manifest, Manifest) or name.startswith("_"):
            raise AttributeError(name)
        if name not in manifest.operations:
            raise AttributeError(f"{manifest.name} has no operation {name!r}; it has: {', '.join(manifest.operations)}")
        return partial(self.run, name)

    def run(self, operation: str, *, n: int = 1, seed: int | None = None, index: int = 0, **values: Any) -> LocalResult:
        """Do an operation and give back all its samples.

        Args:
            operation: its name.
            n: number of samples.
            seed: 0 ≤ seed < 2⁶³; None: one is drawn, and told in the result.
            index: of the first sample.
            values: parameters, texts, and inputs as arrays: of the declared shape for all samples, or with a leading
                axis n; and the other arguments of `stream`.

        Raises:
            BroodError: a value is not allowed, or the run failed.
        """
        return self.collect(self.stream(operation, n=n, seed=seed, index=index, **values))

    def collect(self, events: Iterable[Event]) -> LocalResult:
        """What the events of a `stream` come to.

        Raises:
            BroodError: the run failed.
        """
        return LocalResult(self.manifest, _gathered(events))

    def stream(
        self,
        operation: str,
        *,
        n: int = 1,
        seed: int | None = None,
        index: int = 0,
        priority: Priority = "interactive",
        determinism: Literal["any", "exact"] = "any",
        deadline_ms: float | None = None,
        progress_every: int | None = None,
        preview_every: int | None = None,
        params: Mapping[str, Value] | None = None,
        **values: Value,
    ) -> Generator[Event, None, None]:
        """As `run`, event by event: samples come as they finish. Closing the iterator early cancels the rest.

        Args:
            operation, n, seed, index, values: as in `run`.
            priority: ``bulk`` waits for what other threads run as ``interactive``.
            determinism: ``exact``: bit for bit reproducible, or refused.
            deadline_ms: from now; None: none.
            progress_every: tell `Progress` after every so many steps.
            preview_every: tell a `Preview` of each unfinished sample after every so many of its steps.
            params: further values, by name: those that are called like an argument of this method.
        """
        asked = {
            "operation": operation,
            "n": n,
            "seed": seed,
            "index": index,
            "priority": priority,
            "determinism": determinism,
            "deadline_ms": deadline_ms,
            "progress_every": progress_every,
            "preview_every": preview_every,
        }
        request = self._request(asked, dict(**values, **(params or {})))
        events = self._plane.generate(request, new_request_id())
        try:
            with suppress(StopAsyncIteration):
                while True:
                    yield self._thread.do(events.__anext__())
        finally:
            if self._end.alive:  # closing the model has ended its streams already
                self._thread.do(events.aclose())

    def close(self) -> None:
        """Stop the engine and its threads; once is enough."""
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def _request(self, asked: Mapping[str, object], values: Mapping[str, Value]) -> GenerateRequest:
        operation = self.manifest.operations.get(str(asked["operation"]))
        texts = {name for name, spec in operation.inputs.items() if spec.kind == "text"} if operation else set()
        inputs = {
            name: _input(value)
            for name, value in values.items()
            if isinstance(value, np.ndarray | InputValue) or (name in texts and isinstance(value, str))
        }
        words = {
            "model": self.manifest.name,
            "version": self.manifest.version,
            **asked,
            "params": {name: value for name, value in values.items() if name not in inputs},
            "inputs": inputs,
        }
        try:
            return GenerateRequest.model_validate(words)
        except ValidationError as error:
            raise complaint(error) from error


def _input(value: Value) -> InputValue:
    if isinstance(value, InputValue):
        return value
    if isinstance(value, str):
        return InputValue(text=value)
    buffer = io.BytesIO()
    np.save(buffer, value, allow_pickle=False)
    return InputValue(b64=buffer.getvalue(), format="npy")


def _gathered(events: Iterable[Event]) -> Result:
    """Reads to the very end, so that nothing is left open."""
    accepted: list[Accepted] = []
    samples: list[Sample] = []
    ends: list[Done | Failed] = []
    for event in events:
        match event:
            case Accepted():
                accepted.append(event)
            case Sample():
                samples.append(event)
            case Done() | Failed():
                ends.append(event)
    match ends:
        case [Failed(error)]:
            raise error
        case [Done(usage)]:
            return Result(accepted[0], tuple(sorted(samples, key=lambda sample: sample.index)), usage)
    raise Internal("the run stopped without saying how it ended")


def _end(thread: _LoopThread, host: Host, plane: DataPlane) -> None:
    """Stop everything. The garbage collector may call this on the very thread that would have to be waited for."""
    if not thread.current:
        thread.do(host.stop())
        plane.close()
        thread.close()


def _newest(host: Host) -> Manifest:
    newest = max(host.models(), key=lambda status: (status.state == "ready", status.version))
    if newest.state != "ready" or newest.manifest is None:
        raise BundleError(f"{newest.name} {newest.version}: {newest.reason}")
    return newest.manifest


def load_local(model: str, models: str | None = None, *, allow_native: bool = False) -> LocalModel:
    """Load one model; see `brood.load`.

    Raises:
        BundleError: it cannot be trusted or understood.
        ModelNotFound: there is none of that name.
    """
    options = HostOptions(threads=available_cores(), allow_native=allow_native, cache_dir=default_cache_dir())
    if Path(model).is_dir():
        find_bundles(Path(model))
        return LocalModel(replace(options, models=Path(model)))
    root = Path(models) if models else zoo_root()
    names = sorted({ref.name for ref in find_bundles(root)})
    if model not in names:
        raise ModelNotFound(unknown("model", model, names), field="model")
    return LocalModel(replace(options, models=root, wanted=wanted({}, [model])))
