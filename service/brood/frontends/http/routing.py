"""Addresses, with nothing between the router and what is behind them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

Endpoint = Callable[[Request], Awaitable[ASGIApp]]  # gives an answer, which writes itself


def route(path: str, endpoint: Endpoint, *methods: str) -> Route:
    """What answers at an address; without methods, GET."""
    return Route(path, Direct(endpoint), methods=methods or ["GET"])


class Direct:
    """An endpoint as an application (ASGI 3). Its exceptions are for the border around the whole application.

    Attributes:
        endpoint: as given.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        answer = await self.endpoint(Request(scope, receive, send))
        await answer(scope, receive, send)
