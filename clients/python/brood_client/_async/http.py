"""The way over HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import quote

import httpx2

from brood_client._endpoint import Endpoint, patience_s
from brood_client._errors import error_of
from brood_client._events import Done, Event
from brood_client._generation import Generation
from brood_client._json import answer_of, body_of, event_of, generation_of, model_of, models_of, translated
from brood_client._models import Change, Model
from brood_client._request import REPLAYED, Request
from brood_client._sse import SseParser

GENERATIONS, MODELS = "/v1/generations", "/v1/models"
EVENTS = "text/event-stream"
CONNECT_S = 10.0
SILENCE_S = 45.0  # a stream that is silent for longer is dead: a server gives a sign of life every 15 s
LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=64)
# Arrays hardly get smaller, and both sides would work on them for long.
HEADERS = {"accept-encoding": "identity", "content-type": "application/json"}


class AsyncHttp:
    """Connections to a server, kept open between requests."""

    def __init__(self, endpoint: Endpoint) -> None:
        verify = endpoint.tls.context() if endpoint.tls else False
        headers = {**HEADERS, **endpoint.headers}
        self._client = httpx2.AsyncClient(base_url=endpoint.url, headers=headers, verify=verify, limits=LIMITS)

    async def generate(self, request: Request, left_s: float | None) -> Generation:
        """See `AsyncTransport`."""
        headers = {**request.names(), "accept": "application/json"}
        response = await self._call("POST", GENERATIONS, left_s, headers, body_of(request, left_s))
        return replace(answer_of(response, generation_of), replayed=REPLAYED in response.headers)

    async def stream(self, request: Request, left_s: float | None) -> AsyncGenerator[Event, None]:
        """See `AsyncTransport`."""
        headers = {**request.names(), "accept": EVENTS}
        body, patience = body_of(request, left_s, stream=True), _timeout(left_s, SILENCE_S)
        parser, whole = SseParser(), False
        with self._errors(left_s, SILENCE_S):
            sending = self._client.stream("POST", GENERATIONS, content=body, headers=headers, timeout=patience)
            async with sending as response:
                if not response.is_success or not response.headers.get("content-type", "").startswith(EVENTS):
                    await response.aread()
                    raise translated(response)
                async for piece in response.aiter_bytes():
                    for sent in parser.feed(piece):
                        event = event_of(sent)
                        yield event
                        whole = isinstance(event, Done)
        if not whole:
            raise error_of("unreachable", "the answer broke off", request_id=request.request_id)

    async def models(self, left_s: float | None) -> list[Model]:
        """See `AsyncTransport`."""
        return answer_of(await self._call("GET", MODELS, left_s), models_of)

    async def model(self, name: str, version: int | None, left_s: float | None) -> Model:
        """See `AsyncTransport`."""
        query = "" if version is None else f"?version={version}"
        return answer_of(await self._call("GET", f"{MODELS}/{quote(name, safe='')}{query}", left_s), model_of)

    async def change(self, change: Change, name: str, version: int | None, left_s: float | None) -> list[Model]:
        """See `AsyncTransport`."""
        body = json.dumps({} if version is None else {"version": version}).encode()
        path = f"{MODELS}/{quote(name, safe='')}/{change}"
        return answer_of(await self._call("POST", path, left_s, body=body), models_of)

    async def cancel(self, request_id: str, left_s: float | None) -> bool:
        """See `AsyncTransport`."""
        response = await self._call("DELETE", f"{GENERATIONS}/{quote(request_id, safe='')}", left_s)
        if not response.is_success and response.status_code != httpx2.codes.NOT_FOUND:
            raise translated(response)
        return response.is_success

    async def aclose(self) -> None:
        """See `AsyncTransport`."""
        await self._client.aclose()

    async def _call(
        self,
        method: str,
        path: str,
        left_s: float | None,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> httpx2.Response:
        with self._errors(left_s, None):
            patience = _timeout(left_s, None)
            return await self._client.request(method, path, content=body, headers=headers, timeout=patience)

    @contextmanager
    def _errors(self, left_s: float | None, silence_s: float | None) -> Iterator[None]:
        """In the client's own words."""
        try:
            yield
        except (httpx2.ReadTimeout, httpx2.WriteTimeout) as error:
            if silence_s is not None and (left_s is None or left_s > silence_s):
                raise error_of("unreachable", f"{self._client.base_url}: silent for {silence_s:g} s") from error
            raise error_of("deadline_exceeded", f"no answer within {left_s or 0:.3g} s") from error
        except httpx2.TransportError as error:
            raise error_of("unreachable", f"{self._client.base_url}: {error}") from error


def _timeout(left_s: float | None, silence_s: float | None) -> httpx2.Timeout:
    """How long to wait for any piece of an answer."""
    limits = [limit for limit in (patience_s(left_s), silence_s) if limit is not None]
    return httpx2.Timeout(min(limits, default=None), connect=CONNECT_S)
