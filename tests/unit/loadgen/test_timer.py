"""Waiting for a moment, on the real clock: some milliseconds."""

from __future__ import annotations

import sys
import time

import pytest

from brood.loadgen.timer import KernelTimer, LoopTimer, best_timer
from helpers.virtual_time import run_virtually


async def test_the_best_timer_does_not_come_early() -> None:
    timer = best_timer(time.monotonic)
    try:
        for _ in range(5):
            moment = timer.now() + 0.0015
            await timer.until(moment)
            assert timer.now() >= moment
        await timer.until(timer.now() - 1)  # has passed
    finally:
        timer.close()


def test_the_loop_s_own_timer_goes_by_the_loop_s_clock() -> None:
    async def work() -> float:
        timer = LoopTimer()
        await timer.until(7.5)
        timer.close()
        return timer.now()

    assert run_virtually(work()) == 7.5


@pytest.mark.skipif(sys.platform != "linux", reason="a timer of Linux")
async def test_on_linux_it_is_the_kernel_s() -> None:
    timer = best_timer(time.monotonic)
    timer.close()
    assert isinstance(timer, KernelTimer)
