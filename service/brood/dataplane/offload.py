"""Work that takes long goes to a few threads; work that takes less than the way there is done on the spot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# Going to a thread and back takes about 0.05 ms; the event loop should never stand still for more than about 1 ms.
ON_THE_SPOT_S = 0.5e-3


class Offload:
    """A bounded pool of threads beside the event loop."""

    def __init__(self, threads: int = 2) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="brood-dataplane")
        self._free = asyncio.Semaphore(2 * threads)

    async def run(self, predicted_s: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function, on the spot if it is predicted to be quick, else in a thread (no more wait in line there
        than there are threads; the others wait here).
        """
        if predicted_s <= ON_THE_SPOT_S:
            return function(*args, **kwargs)
        async with self._free:
            return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: function(*args, **kwargs))

    def close(self) -> None:
        """Let the threads end; what they are doing is finished first."""
        self._pool.shutdown()
