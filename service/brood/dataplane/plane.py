"""The verbs: what callers can ask of the service, the same on every transport."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing

from brood.dataplane.backend import Backend
from brood.dataplane.costs import decoding_s, encoding_s
from brood.dataplane.encode import encode_samples
from brood.dataplane.find import find_model, find_operation, manifest_of
from brood.dataplane.ids import new_request_id
from brood.dataplane.limits import Limits
from brood.dataplane.observer import UNKNOWN, RequestObserver, Watched
from brood.dataplane.offload import Offload
from brood.dataplane.readiness import Readiness, readiness
from brood.dataplane.result import Answer, EncodedSample, Result, Timing
from brood.dataplane.validate import check, check_previews, check_whole, decode_inputs, generation
from brood.media.encode import Format
from brood.protocol.errors import BroodError, Internal, NotReady, row_of
from brood.protocol.events import Accepted, Done, Event, Failed, Preview, Sample
from brood.protocol.manifest import Operation
from brood.protocol.models import ModelStatus
from brood.protocol.requests import GenerateRequest, Generation


class DataPlane:
    """The one thing behind all transports.

    Args:
        backend: runs the models.
        limits: bounds on one request.
        observer: told how every request ended.
        required: names of the models that must be ready for the server to be ready.

    Attributes:
        limits: as given; transports need ``max_body_bytes``.
        offload: threads for long work beside the event loop; transports use them too.
    """

    def __init__(
        self, backend: Backend, limits: Limits, observer: RequestObserver, *, required: Collection[str] = ()
    ) -> None:
        self.limits = limits
        self.offload = Offload()
        self._backend, self._observer, self._required = backend, observer, tuple(required)
        self._running: set[str] = set()
        self._stopping = False

    def models(self) -> Sequence[ModelStatus]:
        """All models, in order of name and version."""
        return self._backend.models()

    def model(self, name: str, version: int | None = None) -> ModelStatus:
        """One model; without a version the newest that is ready, or else the newest.

        Raises:
            ModelNotFound: no such model, or no such version of it.
        """
        return find_model(self._backend.models(), name, version)

    def operation(self, request: GenerateRequest) -> Operation:
        """The operation a request means.

        Raises:
            ModelNotFound, ModelUnavailable, NotReady, InvalidArgument: as `generate` raises.
        """
        return find_operation(manifest_of(self.model(request.model, request.version)), request.operation)

    def ready(self) -> Readiness:
        """Whether the server can be sent work, and if not, why."""
        if self._stopping:
            return Readiness(False, "stopping")
        return readiness(self._backend.models(), self._required)

    async def generate(
        self, request: GenerateRequest, request_id: str, protocol: str = "local", *, tenant: str = ""
    ) -> AsyncGenerator[Event, None]:
        """Make samples and tell what happens: `Accepted`, then `Sample` by `Sample`, then `Done` or `Failed`.

        `Progress` and `Preview` come in between if the request asks for them. Closing the iterator early cancels what
        is left.

        Args:
            request: what is asked for.
            request_id: id of the generation; if one of that id is running, a new id is made (see `Accepted`).
            protocol: the transport's name, for the observer.
            tenant: on whose behalf; tenants share the device fairly.

        Raises:
            BroodError: before the first event: InvalidArgument, ModelNotFound, ModelUnavailable, NotReady, Overloaded,
                DeterminismUnavailable, DeadlineInfeasible.
        """
        with self._watched(protocol) as watched:
            order = await self._checked(request, request_id, tenant, watched)
            async with aclosing(self._run(order, watched)) as events:
                async for event in events:
                    yield event

    async def collect(
        self, request: GenerateRequest, request_id: str, protocol: str = "local", *, tenant: str = ""
    ) -> Result:
        """Make samples and give them all, in order of index.

        Raises:
            BroodError: as `generate` raises, and whatever error the generation ended with; InvalidArgument for progress
                and previews, too, which have no place here.
        """
        with self._watched(protocol) as watched:
            return await self._gathered(await self._checked(request, request_id, tenant, watched), watched)

    async def answer(self, request: GenerateRequest, request_id: str, protocol: str, *, tenant: str = "") -> Answer:
        """Make samples and give them all, encoded as the request's ``output`` says.

        Raises:
            BroodError: as `collect` raises.
        """
        with self._watched(protocol) as watched:
            result = await self._gathered(await self._checked(request, request_id, tenant, watched), watched)
            start = self._backend.now()
            samples = await self._encoded(result.accepted, result.samples, request.output.format)
            encode_ms = (self._backend.now() - start) * 1000
        timing = Timing(result.usage.queue_ms, result.usage.run_ms, encode_ms)
        return Answer(result.accepted, samples, timing, result.usage)

    async def encode(self, accepted: Accepted, sample: Sample | Preview, format: Format) -> EncodedSample:
        """One sample or preview of a running generation, encoded."""
        return (await self._encoded(accepted, (sample,), format))[0]

    def cancel(self, request_id: str) -> bool:
        """Cancel a running generation; False if there is none of that id."""
        return self._backend.cancel(request_id)

    def refused(self, error: BroodError, protocol: str) -> None:
        """Count a request that a transport could not even read."""
        self._observer.finished(UNKNOWN, UNKNOWN, protocol, row_of(error).code, 0.0, 0)

    def stop_accepting(self) -> None:
        """From now on: not ready, and new requests are refused. What runs goes on."""
        self._stopping = True

    @property
    def stopping(self) -> bool:
        """Whether `stop_accepting` was called."""
        return self._stopping

    def close(self) -> None:
        """Let the threads end."""
        self.offload.close()

    def _watched(self, protocol: str) -> Watched:
        return Watched(self._observer, self._backend, protocol)

    async def _checked(self, request: GenerateRequest, request_id: str, tenant: str, watched: Watched) -> Generation:
        arrived = self._backend.now()
        if self._stopping:
            raise NotReady("the server is stopping")
        status = self.model(request.model, request.version)
        watched.model = status.name
        manifest = manifest_of(status)
        operation = find_operation(manifest, request.operation)
        watched.operation = request.operation
        checked = check(request, manifest, operation, self.limits)
        check_previews(request, operation, self._backend.models())
        inputs = await self.offload.run(decoding_s(checked.input_bytes), decode_inputs, checked)
        own_id = new_request_id() if request_id in self._running else request_id
        return generation(checked, inputs, own_id, arrived, tenant)

    async def _run(self, order: Generation, watched: Watched) -> AsyncGenerator[Event, None]:
        self._running.add(order.request_id)
        try:
            async with aclosing(self._backend.submit(order)) as events:
                async for event in events:
                    watched.saw(event)
                    yield event
        finally:
            self._running.discard(order.request_id)

    async def _gathered(self, order: Generation, watched: Watched) -> Result:
        check_whole(order)
        accepted: Accepted | None = None
        samples: list[Sample] = []
        async with aclosing(self._run(order, watched)) as events:
            async for event in events:
                match event:
                    case Sample():
                        samples.append(event)
                    case Accepted():
                        accepted = event
                    case Failed(error):
                        raise error
                    case Done(usage) if accepted is not None:
                        samples.sort(key=lambda sample: sample.index)
                        return Result(accepted, tuple(samples), usage)
        raise Internal("the generation stopped without saying how it ended")

    async def _encoded(
        self, accepted: Accepted, samples: Sequence[Sample | Preview], format: Format
    ) -> tuple[EncodedSample, ...]:
        manifest = manifest_of(self.model(accepted.model, accepted.version))
        return await self.offload.run(encoding_s(samples, format), encode_samples, accepted, samples, manifest, format)
