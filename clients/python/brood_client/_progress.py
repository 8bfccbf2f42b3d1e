"""A line on standard error that shows how far a generation is."""

from __future__ import annotations

import importlib
import math
import sys
import time
from types import TracebackType
from typing import Any, Self

from brood_client._events import Event, Progress, Sample
from brood_client._request import Request

WIDTH = 24  # characters of the bar
EVERY_S = 0.1  # between two drawings


class Bar:
    """Shows the events of one generation, as ``with Bar(request) as bar: bar.saw(event)``.

    Drawn by tqdm where that is installed, and else as plain text.
    """

    def __init__(self, request: Request) -> None:
        self._model, self._n = request.model, request.n
        self._finished, self._share, self._eta = 0, 0.0, ""
        self._drawn = -math.inf
        self._tqdm = _tqdm(request)

    def saw(self, event: Event) -> None:
        """Show what it changes."""
        match event:
            case Progress():
                self._finished = max(self._finished, event.finished)
                self._share = event.steps / max(event.of, 1)
                self._eta = f"  {event.eta_s:.1f} s left"
            case Sample():
                self._finished += 1
                self._share = max(self._share, self._finished / self._n)
            case _:
                return
        self._draw()

    def _draw(self) -> None:
        """Not more often than can be seen: a step may take less than a millisecond."""
        if self._tqdm is not None:
            self._tqdm.n = round(self._share * self._n, 1)
            self._tqdm.update(0)  # draws if it is time
            return
        now = time.monotonic()
        if now - self._drawn < EVERY_S and self._finished < self._n:
            return
        self._drawn = now
        bar = "#" * round(self._share * WIDTH)
        line = f"{self._model} [{bar:<{WIDTH}}] {self._finished}/{self._n} samples{self._eta}"
        print(f"\r{line:<78}", end="", file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._tqdm is not None:
            self._tqdm.close()
        else:
            print(file=sys.stderr)


def _tqdm(request: Request) -> Any:
    try:
        bar = importlib.import_module("tqdm").tqdm
    except ImportError:
        return None
    return bar(total=request.n, desc=request.model, unit="sample")
