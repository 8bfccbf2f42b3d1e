"""The first signal is noted, the second one ends the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from brood.serve.signals import SIGNALS, StopWish


@pytest.fixture(autouse=True)
def _handlers_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_a_wish(number: signal.Signals) -> None:
    wish = StopWish()
    wish.listen()
    before = wish.heard
    os.kill(os.getpid(), number)
    assert (before, wish.heard) == (False, True)
    assert signal.getsignal(number) == signal.SIG_DFL


def test_a_wish_once_heard_is_not_listened_for_again() -> None:
    wish = StopWish()
    wish.listen()
    os.kill(os.getpid(), signal.SIGTERM)
    wish.listen()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_library_that_puts_its_own_handler_is_overruled() -> None:
    wish = StopWish()
    wish.listen()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    wish.listen()
    os.kill(os.getpid(), signal.SIGTERM)
    assert wish.heard


def test_a_pending_alarm_is_called_off() -> None:
    wish = StopWish()
    wish.listen()
    signal.alarm(60)
    os.kill(os.getpid(), signal.SIGTERM)
    assert signal.alarm(0) == 0


def test_the_second_signal_ends_the_process() -> None:
    code = """
import os, signal
from brood.serve.signals import StopWish
StopWish().listen()
os.kill(os.getpid(), signal.SIGTERM)
os.kill(os.getpid(), signal.SIGTERM)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGTERM
