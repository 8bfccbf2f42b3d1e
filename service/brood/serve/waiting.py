"""Waiting for what nobody announces."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LOOK_S = 0.1


async def until(there: Callable[[], bool]) -> None:
    """Look again and again whether something is there."""
    while True:
        if there():
            return
        await asyncio.sleep(LOOK_S)
