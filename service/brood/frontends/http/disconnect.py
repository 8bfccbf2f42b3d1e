"""Work ends when its caller has gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from starlette.types import Receive

from brood.protocol.errors import Cancelled

# Looking costs a task; most requests are over before it is worth one.
LOOK_AFTER_S = 0.05


class until_disconnect:  # noqa: N801 - reads like asyncio.timeout
    """``with until_disconnect(receive): …`` cancels what is awaited inside when the caller goes away.

    The body must have been read to its end before.

    Args:
        receive: of the request.
        after_s: when to begin to look.
        gone: called as soon as the caller is gone, before the work is told.

    Raises:
        Cancelled: the caller went away.
    """

    def __init__(
        self, receive: Receive, *, after_s: float = LOOK_AFTER_S, gone: Callable[[], object] = lambda: None
    ) -> None:
        self._receive, self._after_s, self._tell = receive, after_s, gone
        self._gone = False
        self._watcher: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancelling = task, task.cancelling()
        self._timer = asyncio.get_running_loop().call_later(self._after_s, self._look)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        ours = self._gone and self._task.uncancel() <= self._cancelling
        if ours and isinstance(error, asyncio.CancelledError):
            raise Cancelled("the caller went away") from error

    def _look(self) -> None:
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._tell()
        self._task.cancel()
