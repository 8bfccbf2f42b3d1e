"""The verbs: what callers can ask of the service, the same on every transport."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial

from brood.access.caller import current_caller
from brood.dataplane.backend import Backend
from brood.dataplane.costs import decoding_s, encoding_s
from brood.dataplane.encode import encode_samples
from brood.dataplane.find import find_model, find_operation, manifest_of
from brood.dataplane.ids import new_request_id
from brood.dataplane.limits import Limits
from brood.dataplane.observer import UNKNOWN, RequestObserver, Watched
from brood.dataplane.offload import Offload
from brood.dataplane.readiness import Readiness, readiness
from brood.dataplane.replays import PER_BYTE_S, Replays, check_key, fingerprint
from brood.dataplane.result import Answer, EncodedSample, Result, Timing
from brood.dataplane.running import Running
from brood.dataplane.statistics import Statistics
from brood.dataplane.together import Numbered, merged
from brood.dataplane.validate import check, check_previews, check_whole, decode_inputs, generation, input_bytes
from brood.protocol.errors import BroodError, Internal, NotReady, PermissionDenied, row_of
from brood.protocol.events import Accepted, Done, Event, Failed, Preview, Sample
from brood.protocol.manifest import Manifest, Operation
from brood.protocol.models import ModelStatus
from brood.protocol.requests import GenerateRequest, Generation, OutputChoice


class DataPlane:
    """The one thing behind all transports.

    Args:
        backend: runs the models.
        limits: bounds on one request.
        observer: told how every request ended.
        required: names of the models that must be ready for the server to be ready.
        statistics: where every request's end is added up; others may add what the engine does.
        admin: whether callers may load and unload models.

    Attributes:
        statistics: as given, or those of this data plane alone.
        limits: as given; transports need ``max_body_bytes``.
        offload: threads for long work beside the event loop; transports use them too.
    """

    def __init__(
        self,
        backend: Backend,
        limits: Limits,
        observer: RequestObserver,
        *,
        required: Collection[str] = (),
        statistics: Statistics | None = None,
        admin: bool = False,
    ) -> None:
        self.limits = limits
        self.statistics = statistics or Statistics()
        self.offload = Offload()
        self._backend, self._observer, self._required = backend, observer, tuple(required)
        self._running: dict[str, str] = {}  # request id → tenant
        self._replays = Replays(backend.now, limits.replays)
        self._stopping, self._was_ready, self._admin = False, False, admin

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
        models, problems = self._backend.models(), self._backend.problems()
        found = readiness(models, self._required, problems, before=self._was_ready)
        self._was_ready |= found.ready
        return found

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
            tenant: on whose behalf, if not the caller's; tenants share the device fairly.

        Raises:
            BroodError: before the first event: InvalidArgument, ModelNotFound, ModelUnavailable, NotReady, Overloaded,
                DeterminismUnavailable, DeadlineInfeasible, PermissionDenied.
        """
        with self._watched(protocol) as watched:
            order, _ = await self._checked(request, request_id, tenant, watched)
            async with aclosing(self._run(order, watched)) as events:
                async for event in events:
                    yield event

    async def together(
        self, requests: Sequence[GenerateRequest], request_id: str, protocol: str, *, tenant: str = ""
    ) -> AsyncGenerator[Numbered, None]:
        """As `generate`, for several requests that are one call: (number of the request, what happened to it).

        They run side by side. All are checked before any begins, and count as one.

        Raises:
            BroodError: as `generate` raises.
        """
        with self._watched(protocol) as watched:
            ids = [request_id] if len(requests) == 1 else [f"{request_id}-{number}" for number in range(len(requests))]
            orders = [
                (await self._checked(request, own_id, tenant, watched))[0]
                for request, own_id in zip(requests, ids, strict=True)
            ]
            async with aclosing(merged([self._run(order, watched) for order in orders])) as events:
                async for numbered in events:
                    yield numbered

    async def collect(
        self, request: GenerateRequest, request_id: str, protocol: str = "local", *, tenant: str = ""
    ) -> Result:
        """Make samples and give them all, in order of index.

        Raises:
            BroodError: as `generate` raises, and whatever error the generation ended with; InvalidArgument for progress
                and previews, too, which have no place here.
        """
        with self._watched(protocol) as watched:
            order, _ = await self._checked(request, request_id, tenant, watched)
            return await self._gathered(order, watched)

    async def answer(
        self,
        request: GenerateRequest,
        request_id: str,
        protocol: str,
        *,
        tenant: str = "",
        idempotency_key: str | None = None,
    ) -> Answer:
        """Make samples and give them all, encoded as the request's ``output`` says.

        Args:
            request, request_id, protocol, tenant: as for `generate`.
            idempotency_key: the same request of the same tenant under the same key is answered alike, and made once
                (see `brood.dataplane.replays`).

        Raises:
            BroodError: as `collect` raises; IdempotencyConflict: the key belongs to another request; DeadlineExceeded,
                too, when another request under the key takes longer than this one may.
        """
        if idempotency_key is None:
            return await self._answer(request, request_id, protocol, tenant)
        try:
            key = (_on_behalf(tenant), check_key(idempotency_key))
        except BroodError as error:
            self.refused(error, protocol)
            raise
        asked = await self.offload.run(PER_BYTE_S * input_bytes(request), fingerprint, request)
        make = partial(self._answer, request, request_id, protocol, tenant)
        if not self._replays.has(key):
            return await self._replays.once(key, asked, make)
        with self._watched(protocol) as watched:
            within_s = None if request.deadline_ms is None else request.deadline_ms / 1000
            answer = await self._replays.once(key, asked, make, within_s)
            watched.model, watched.operation = answer.accepted.model, answer.accepted.operation
        return replace(answer, replayed=True)

    async def _answer(self, request: GenerateRequest, request_id: str, protocol: str, tenant: str) -> Answer:
        with self._watched(protocol) as watched:
            order, manifest = await self._checked(request, request_id, tenant, watched)
            result = await self._gathered(order, watched)
            start = self._backend.now()
            samples = await self._encoded(manifest, result.accepted, result.samples, request.output)
            encode_ms = (self._backend.now() - start) * 1000
        timing = Timing(result.usage.queue_ms, result.usage.run_ms, encode_ms)
        return Answer(result.accepted, samples, timing, result.usage)

    async def encode(self, accepted: Accepted, sample: Sample | Preview, choice: OutputChoice) -> EncodedSample:
        """One sample or preview of a running generation, encoded."""
        status = self.model(accepted.model, accepted.version)
        manifest = status.manifest or manifest_of(status)  # it may have been unloaded since
        return (await self._encoded(manifest, accepted, (sample,), choice))[0]

    def cancel(self, request_id: str, *, tenant: str = "") -> bool:
        """Cancel a running generation; False if this tenant has none of that id."""
        return self._running.get(request_id) == _on_behalf(tenant) and self._backend.cancel(request_id)

    async def load(self, name: str, version: int | None = None) -> None:
        """Load what is not ready of a model: one version, or those that its policy says.

        Raises:
            PermissionDenied: this server does not allow it.
            ModelNotFound: there is none of that name, or not that version.
            ModelUnavailable: it cannot be loaded; the message gives the reason.
            NotReady: the store cannot be read.
        """
        self._check_admin("load", name)
        await self._backend.load(name, version)
        manifest_of(self.model(name, version))

    async def unload(self, name: str, version: int | None = None) -> None:
        """Let go of one version of a model, or of all; what runs goes on to its end.

        Raises:
            PermissionDenied: this server does not allow it.
            ModelNotFound: there is none of that name, or not that version.
        """
        self._check_admin("unload", name)
        await self._backend.unload(name, version)

    async def reload(self, name: str, version: int | None = None) -> None:
        """As `load`; and where the store has other bytes than those that serve, they take their place once ready.

        Raises:
            BroodError: as `load` raises. What was loaded before serves on.
        """
        self._check_admin("reload", name)
        await self._backend.reload(name, version)
        manifest_of(self.model(name, version))

    def _check_admin(self, verb: str, name: str) -> None:
        current_caller().check_model(name)
        if not self._admin:
            raise PermissionDenied(f"to {verb} models is not allowed here; allowed: on a server with the setting admin")

    def refused(self, error: BroodError, protocol: str) -> None:
        """Count a request that a transport could not even read."""
        code = row_of(error).code
        self._observer.rejected(UNKNOWN, UNKNOWN, protocol, code)
        self._observer.finished(UNKNOWN, UNKNOWN, protocol, code, 0.0, 0)

    def stop_accepting(self) -> None:
        """From now on: not ready, and new requests are refused. What runs goes on."""
        self._stopping = True

    @property
    def running(self) -> int:
        """Generations that are not at their end."""
        return len(self._running)

    @property
    def stopping(self) -> bool:
        """Whether `stop_accepting` was called."""
        return self._stopping

    def close(self) -> None:
        """Let the threads end."""
        self.offload.close()

    def _watched(self, protocol: str) -> Watched:
        return Watched(self._observer, self.statistics, self._backend, protocol)

    async def _checked(
        self, request: GenerateRequest, request_id: str, tenant: str, watched: Watched
    ) -> tuple[Generation, Manifest]:
        arrived = self._backend.now()
        if self._stopping:
            raise NotReady("the server is stopping")
        status = self.model(request.model, request.version)
        watched.model, watched.version = status.name, status.version
        current_caller().check_model(status.name)
        manifest = manifest_of(status)
        operation = find_operation(manifest, request.operation)
        watched.operation = request.operation
        checked = check(request, manifest, operation, self.limits)
        if request.preview_every is not None:
            check_previews(request, operation, self._backend.models())
        inputs = await self.offload.run(decoding_s(checked.input_bytes), decode_inputs, checked)
        own_id = new_request_id() if request_id in self._running else request_id
        return generation(checked, inputs, own_id, arrived, _on_behalf(tenant)), manifest

    async def _run(self, order: Generation, watched: Watched) -> AsyncGenerator[Event, None]:
        async with Running(self._running, order, self._backend, watched) as events:
            async for event in events:
                yield event

    async def _gathered(self, order: Generation, watched: Watched) -> Result:
        check_whole(order)
        accepted: Accepted | None = None
        samples: list[Sample] = []
        async with Running(self._running, order, self._backend, watched) as events:
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
        self, manifest: Manifest, accepted: Accepted, samples: Sequence[Sample | Preview], choice: OutputChoice
    ) -> tuple[EncodedSample, ...]:
        declared = manifest.operations[accepted.operation].outputs
        predicted_s, start = encoding_s(samples, declared, choice.format), self._backend.now()
        encoded = await self.offload.run(predicted_s, encode_samples, accepted, samples, manifest, choice)
        self._observer.timed(accepted.model, accepted.operation, "encode", self._backend.now() - start)
        return encoded


def _on_behalf(tenant: str) -> str:
    """The tenant that is named, or else the one whose key came with the request."""
    return tenant or current_caller().name
