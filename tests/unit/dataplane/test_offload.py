from __future__ import annotations

import asyncio
import threading

import pytest

from brood.dataplane.offload import ON_THE_SPOT_S, Offload


def where() -> int:
    return threading.get_ident()


async def test_short_work_is_done_on_the_spot() -> None:
    offload = Offload(1)
    assert await offload.run(ON_THE_SPOT_S, where) == threading.get_ident()
    offload.close()


async def test_long_work_is_done_in_a_thread() -> None:
    offload = Offload(1)
    assert await offload.run(2 * ON_THE_SPOT_S, where) != threading.get_ident()
    offload.close()


async def test_the_loop_goes_on_meanwhile() -> None:
    offload, here = Offload(1), threading.Event()
    work = asyncio.ensure_future(offload.run(1.0, here.wait, 60))
    await asyncio.sleep(0)
    here.set()
    assert await work
    offload.close()


async def test_errors_come_back() -> None:
    offload = Offload(1)
    with pytest.raises(ZeroDivisionError):
        await offload.run(1.0, divmod, 1, 0)
    offload.close()
