"""Callers that never stop asking, and notice every failure and every byte that differs."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np

from brood_client import BroodError, Client, Generation

SEEDS = 6
RETRIES = 12
Digests = tuple[str, ...]


@dataclass
class Tally:
    """What came of it; `failures` and `differences` should stay empty."""

    succeeded: int = 0
    failures: list[str] = field(default_factory=list)
    differences: list[int] = field(default_factory=list)  # seeds whose samples were not those of the quiet time


class Pressure:
    """Asks from several threads, until it is left: half of them wait for all samples, half watch a stream.

    Args:
        urls: each gets as many callers as the others.
        callers: in all.
        n, steps: of each request, to the model ``steps``.
    """

    def __init__(self, urls: Sequence[str], *, callers: int, n: int = 8, steps: int = 400) -> None:
        self.tally = Tally()
        self._n, self._steps = n, steps
        self._ended = threading.Event()
        self._lock = threading.Lock()
        with Client(urls[0], retries=RETRIES) as client:
            self._meant = [self._digests(client, seed, stream=False) for seed in range(SEEDS)]
        self._threads = [
            threading.Thread(target=self._ask, args=(number, urls[number % len(urls)]), daemon=True)
            for number in range(callers)
        ]

    def wait_for(self, more: int, within_s: float = 30.0) -> None:
        """Until so many more requests have succeeded."""
        aim = self.tally.succeeded + more
        deadline = threading.Event()
        timer = threading.Timer(within_s, deadline.set)
        timer.start()
        while self.tally.succeeded < aim and not deadline.is_set():
            self._ended.wait(0.02)
        timer.cancel()
        assert self.tally.succeeded >= aim, self.tally

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(60)

    def _ask(self, number: int, url: str) -> None:
        with Client(url, retries=RETRIES) as client:
            while not self._ended.is_set():
                number += 1
                self._once(client, number)

    def _once(self, client: Client, number: int) -> None:
        seed = number % SEEDS
        try:
            found = self._digests(client, seed, stream=bool(number % 2))
        except BroodError as error:
            with self._lock:
                self.tally.failures.append(repr(error))
            return
        with self._lock:
            self.tally.succeeded += 1
            if found != self._meant[seed]:
                self.tally.differences.append(seed)

    def _digests(self, client: Client, seed: int, *, stream: bool) -> Digests:
        params = {"steps": self._steps}
        if not stream:
            return _digests(client.generate("steps", n=self._n, seed=seed, params=params))
        with client.stream("steps", n=self._n, seed=seed, params=params) as events:
            for _ in events:
                pass
            return _digests(events.result())


def _digests(found: Generation) -> Digests:
    return tuple(hashlib.sha256(np.asarray(sample.outputs["image"]).tobytes()).hexdigest() for sample in found.samples)
