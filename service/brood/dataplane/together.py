"""Several generations that are one call: their events in one stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from brood.protocol.events import Event

Numbered = tuple[int, Event]  # which of the generations, and what happened to it


async def merged(streams: Sequence[AsyncGenerator[Event, None]]) -> AsyncGenerator[Numbered, None]:
    """Events of all streams as they come. The first exception of any ends, and closes, all."""
    if len(streams) == 1:
        async with aclosing(streams[0]) as events:
            async for event in events:
                yield 0, event
        return
    queue: asyncio.Queue[Numbered | Exception | None] = asyncio.Queue(len(streams))
    tasks = [asyncio.create_task(_pump(number, stream, queue)) for number, stream in enumerate(streams)]
    try:
        running = len(tasks)
        while running:
            item = await queue.get()
            if isinstance(item, Exception):
                raise item
            if item is None:
                running -= 1
            else:
                yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(
    number: int, stream: AsyncGenerator[Event, None], queue: asyncio.Queue[Numbered | Exception | None]
) -> None:
    """Hand on what a stream gives; at its end, None."""
    try:
        async with aclosing(stream) as events:
            async for event in events:
                await queue.put((number, event))
    except Exception as error:
        await queue.put(error)
    else:
        await queue.put(None)
