"""The client: one set of verbs over every transport."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from os import PathLike
from types import TracebackType
from typing import Self, Unpack

from brood_client._async.stream import AsyncStream
from brood_client._async.transport import transport_to
from brood_client._checks import check_request_id, check_text, check_whole
from brood_client._endpoint import endpoint_of
from brood_client._errors import BroodError
from brood_client._events import Event, Sample
from brood_client._generation import Generation
from brood_client._inputs import Given
from brood_client._models import Change, Model
from brood_client._pause import apause
from brood_client._progress import Bar
from brood_client._request import TIMEOUT_S, Options, Request, fitted, request_of, with_inputs, with_params
from brood_client._resume import Resume
from brood_client._retry import Attempts

ASKING_S = 10.0  # for what the server knows without working
LOADING_S = 600.0  # for a model to be fetched, loaded and tried out


class AsyncClient:
    """A server of trained generative models.

    All verbs that make samples take the same keywords: see `Options`. What fails in a way that may pass (no connection,
    a full queue, a server that stops) is tried again, with growing waits or as long as the server says; the seed is
    fixed before the first try, so the samples are the same.

    Args:
        url: ``http://HOST:PORT``, ``https://…``, ``grpc://…`` or ``grpcs://…``.
        api_key: sent as ``Authorization: Bearer …``.
        headers: more to send with every request (over gRPC: metadata).
        tls_roots: PEM file of the certificates to trust, instead of the usual ones.
        tls_cert: PEM files of an own certificate and its private key, for servers that want one.
        retries: how often in a row something is tried again; 0: never.

    Raises:
        ValueError: the URL has another form, or retries are less than 0.
        OSError: a file for TLS cannot be read.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        tls_roots: str | PathLike[str] | None = None,
        tls_cert: tuple[str | PathLike[str], str | PathLike[str]] | None = None,
        retries: int = 4,
    ) -> None:
        if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
            raise ValueError(f"retries: {retries!r} is not allowed; allowed: an integer, 0 ≤ retries")
        self._endpoint = endpoint_of(url, api_key, headers, tls_roots, tls_cert)
        self._transport = transport_to(self._endpoint)
        self._retries = retries

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._endpoint.url!r})"

    async def generate(
        self, model: str, *, operation: str = "generate", progress: bool = False, **options: Unpack[Options]
    ) -> Generation:
        """Make samples and wait for all of them: ``await client.generate("glyphs-vae", n=4, params={"label": 3})``.

        Args:
            model: its name.
            operation: what the model is to do.
            progress: show on standard error how far it is.
            options: see `Options`.

        Raises:
            BroodError: see `brood_client._errors`.
        """
        request, timeout_s = request_of(model, operation, options), options.get("timeout_s", TIMEOUT_S)
        if progress:
            return await self._watched(replace(request, progress_every=1), timeout_s)
        attempts = Attempts(self._retries, timeout_s)
        while True:
            try:
                request = await self._fitted(request, attempts.left_s)
                return await self._transport.generate(request, attempts.left_s)
            except BroodError as error:
                await apause(attempts.wait_s(error))

    def stream(
        self,
        model: str,
        *,
        operation: str = "generate",
        preview_every: int | None = None,
        progress_every: int | None = None,
        **options: Unpack[Options],
    ) -> AsyncStream:
        """Make samples and tell what happens, as it happens.

        After a connection was lost it goes on with the samples that are missing.

        Args:
            model, operation: as in `generate`.
            preview_every: show each unfinished sample (`Preview`) after every so many of its steps, where the model can
                (`Operation.previews`).
            progress_every: tell how far it is (`Progress`) after every so many steps.
            options: see `Options`.

        Returns:
            An iterator of `Accepted`, then `Progress`, `Preview` and `Sample` as they come, then `Done`.

        Raises:
            BroodError: by the iterator; see `brood_client._errors`.
        """
        request = request_of(model, operation, options)
        wanted = replace(request, progress_every=progress_every, preview_every=preview_every)
        return AsyncStream(self._events(wanted, options.get("timeout_s", TIMEOUT_S)))

    async def run(
        self, model: str, operation: str, *, progress: bool = False, **options: Unpack[Options]
    ) -> Generation:
        """Do any operation of a model; see `generate`."""
        return await self.generate(model, operation=operation, progress=progress, **options)

    async def reconstruct(
        self,
        model: str,
        image: Given | None = None,
        *,
        audio: Given | None = None,
        video: Given | None = None,
        progress: bool = False,
        **options: Unpack[Options],
    ) -> Generation:
        """What the model makes of an image, a sound or a video, there and back; see `generate`."""
        given = with_inputs(options, image=image, audio=audio, video=video)
        return await self.generate(model, operation="reconstruct", progress=progress, **given)

    async def complete(
        self,
        model: str,
        image: Given,
        *,
        mask: Given | None = None,
        progress: bool = False,
        **options: Unpack[Options],
    ) -> Generation:
        """Samples that agree with the given part of an image; see `generate`.

        Args:
            image: the image.
            mask: what the model is to leave and what to make, if it takes one: see its input ``mask``.
        """
        given = with_inputs(options, image=image, mask=mask)
        return await self.generate(model, operation="complete", progress=progress, **given)

    async def interpolate(
        self,
        model: str,
        frames: int,
        *,
        seed_to: int | None = None,
        progress: bool = False,
        **options: Unpack[Options],
    ) -> Generation:
        """A way between two samples, from ``seed`` to ``seed_to``, or between two inputs; see `generate`.

        Args:
            frames: number of samples on it, ends included.
            seed_to: of its end.
        """
        given = with_params({**options, "n": frames}, frames=frames, seed_to=seed_to)
        return await self.generate(model, operation="interpolate", progress=progress, **given)

    async def vary(
        self,
        model: str,
        image: Given | None = None,
        *,
        audio: Given | None = None,
        video: Given | None = None,
        strength: float | None = None,
        progress: bool = False,
        **options: Unpack[Options],
    ) -> Generation:
        """Offspring near a parent; see `generate`.

        Args:
            image, audio, video: the parent, of what the model makes; else give it by its name in ``inputs``.
            strength: how far from it, where the model has such a parameter.
        """
        given = with_params(with_inputs(options, image=image, audio=audio, video=video), strength=strength)
        return await self.generate(model, operation="vary", progress=progress, **given)

    async def score(
        self,
        model: str,
        image: Given | None = None,
        *,
        audio: Given | None = None,
        video: Given | None = None,
        progress: bool = False,
        **options: Unpack[Options],
    ) -> Generation:
        """How likely the model finds something; the numbers are in `Generation.arrays`. See `generate`.

        Args:
            image, audio, video: what, of what the model makes; else give it by its name in ``inputs``.
        """
        given = with_inputs(options, image=image, audio=audio, video=video)
        return await self.generate(model, operation="score", progress=progress, **given)

    async def models(self, *, timeout_s: float | None = ASKING_S) -> list[Model]:
        """All versions of all models of the server, by name and version, also those that failed to load."""
        attempts = Attempts(self._retries, timeout_s)
        while True:
            try:
                return await self._transport.models(attempts.left_s)
            except BroodError as error:
                await apause(attempts.wait_s(error))

    async def model(self, name: str, version: int | None = None, *, timeout_s: float | None = ASKING_S) -> Model:
        """One model, with its operations, parameters, inputs and outputs; by default the newest that is ready.

        Raises:
            ModelNotFound: there is none.
            InvalidArgument: it is no name, or no number of a version.
        """
        check_text("model", name)
        if version is not None:
            check_whole("version", version)
        attempts = Attempts(self._retries, timeout_s)
        while True:
            try:
                return await self._transport.model(name, version, attempts.left_s)
            except BroodError as error:
                await apause(attempts.wait_s(error))

    async def load_model(
        self, name: str, version: int | None = None, *, timeout_s: float | None = LOADING_S
    ) -> list[Model]:
        """Have a model loaded, and wait: its versions then. The server must allow it, and the key have scope admin.

        Args:
            name: of the model.
            version: this one; None: those that are wanted and not ready.
            timeout_s: to wait.

        Raises:
            ModelNotFound: the server's store has none.
            ModelUnavailable: it cannot be loaded; the message says why.
            PermissionDenied: this is not allowed.
        """
        return await self._changed("load", name, version, timeout_s)

    async def unload_model(
        self, name: str, version: int | None = None, *, timeout_s: float | None = ASKING_S
    ) -> list[Model]:
        """Have one version of a model let go of, or all; what runs goes on to its end. See `load_model`."""
        return await self._changed("unload", name, version, timeout_s)

    async def reload_model(
        self, name: str, version: int | None = None, *, timeout_s: float | None = LOADING_S
    ) -> list[Model]:
        """As `load_model`; and where the store has other bytes than those that serve, they take their place."""
        return await self._changed("reload", name, version, timeout_s)

    async def _changed(self, change: Change, name: str, version: int | None, timeout_s: float | None) -> list[Model]:
        attempts = Attempts(self._retries, timeout_s)
        while True:
            try:
                return await self._transport.change(change, name, version, attempts.left_s)
            except BroodError as error:
                await apause(attempts.wait_s(error))

    async def cancel(self, request_id: str, *, timeout_s: float | None = ASKING_S) -> bool:
        """Cancel a generation that was started with the same API key; False if none of that id is running.

        Args:
            request_id: `Accepted.id`, or the ``request_id`` that was given.
        """
        check_request_id("id", request_id)
        attempts = Attempts(self._retries, timeout_s)
        while True:
            try:
                return await self._transport.cancel(request_id, attempts.left_s)
            except BroodError as error:
                await apause(attempts.wait_s(error))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _watched(self, request: Request, timeout_s: float | None) -> Generation:
        stream = AsyncStream(self._events(request, timeout_s))
        with Bar(request) as bar:
            async for event in stream:
                bar.saw(event)
        return await stream.result()

    async def _events(self, request: Request, timeout_s: float | None) -> AsyncGenerator[Event, None]:
        """The events of a generation, as if no connection was ever lost."""
        whole, attempts = Resume(request), Attempts(self._retries, timeout_s)
        while whole.missing:
            try:
                whole.request = await self._fitted(whole.request, attempts.left_s)
                part = whole.part(await self._axes(whole, attempts))
                async with aclosing(self._transport.stream(part, attempts.left_s)) as events:
                    async for event in events:
                        told = whole.saw(event)
                        if isinstance(told, Sample):
                            attempts.succeeded()
                        if told is not None:
                            yield told
            except BroodError as error:
                if whole.missing:
                    await apause(attempts.wait_s(error))
        yield whole.done()

    async def _fitted(self, request: Request, left_s: float | None) -> Request:
        """The request with lists of numbers in the dtypes that the model declares; arrays have their own."""
        if not request.loose:
            return request
        operations = (await self._transport.model(request.model, request.version, left_s)).operations
        operation = operations.get(request.operation)
        return fitted(request, {name: given.dtype for name, given in operation.inputs.items()} if operation else {})

    async def _axes(self, whole: Resume, attempts: Attempts) -> Mapping[str, int]:
        """How many axes each input of a generation has for one sample, if that matters now."""
        request = whole.request
        if not (whole.partial and request.inputs):
            return {}
        declared = (await self._transport.model(request.model, request.version, attempts.left_s)).operations
        return {name: len(given.shape) for name, given in declared[request.operation].inputs.items()}
