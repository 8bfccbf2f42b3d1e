"""Who is told how requests end, and how one request's end is found out."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from brood.dataplane.backend import Backend
from brood.dataplane.statistics import Statistics
from brood.observe.catalogue import Part
from brood.protocol.errors import BroodError, Cancelled, Internal, row_of
from brood.protocol.events import Accepted, Done, Event, Failed, Preview, Sample, Usage

UNKNOWN = "unknown"  # label for names that callers made up, so that labels stay few


class RequestObserver(Protocol):
    """Counts requests."""

    def finished(self, model: str, operation: str, protocol: str, code: str, seconds: float, rows: int) -> None:
        """A request ended.

        Args:
            model, operation: names that exist, or "unknown".
            protocol: the transport's name, such as "http".
            code: "ok", or the error's machine code.
            seconds: from arrival to the end.
            rows: samples that were finished.
        """
        ...

    def rejected(self, model: str, operation: str, protocol: str, reason: str) -> None:
        """A request was refused before any work on it was begun, with the error of this code; `finished` follows."""
        ...

    def timed(self, model: str, operation: str, part: Part, seconds: float) -> None:
        """A part of a request took so long: from admission until the first sample began ("queue"), from then until the
        last one ended ("run"), from arrival to the first sample or preview, or to encode an answer or event.
        """
        ...


class Watched:
    """One request from arrival to its end: tells the observer exactly once, however it ends."""

    def __init__(self, observer: RequestObserver, statistics: Statistics, backend: Backend, protocol: str) -> None:
        self._observer, self._statistics = observer, statistics
        self._backend, self._protocol = backend, protocol
        self.model, self.operation, self.version = UNKNOWN, UNKNOWN, 0
        self._usage: Usage | None = None  # of what ended last
        self._code, self._rows = "ok", 0
        self._begun, self._previewed = False, False

    def saw(self, event: Event) -> None:
        """Take note of an event of this request."""
        match event:
            case Sample():
                self._rows += 1
                if self._rows == 1:
                    self._time("first_sample")
            case Preview() if not self._previewed:
                self._previewed = True
                self._time("first_preview")
            case Accepted():
                self._begun = True
            case Done():
                self._usage = event.usage
                self._observer.timed(self.model, self.operation, "queue", event.usage.queue_ms / 1000)
                self._observer.timed(self.model, self.operation, "run", event.usage.run_ms / 1000)
            case Failed():
                self._code = row_of(event.error).code

    def _time(self, part: Part) -> None:
        self._observer.timed(self.model, self.operation, part, self._backend.now() - self._start)

    def __enter__(self) -> Self:
        self._start = self._backend.now()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None and not (self._code != "ok" and isinstance(error, GeneratorExit)):
            self._code = _code_of(error)  # but whoever was told of a failure may stop listening
        seconds = self._backend.now() - self._start
        if self.version:
            usage = self._usage if self._code == "ok" else None
            self._statistics.ended(self.model, self.version, seconds, self._rows, usage)
        if self._code != "ok" and not self._begun:
            self._observer.rejected(self.model, self.operation, self._protocol, self._code)
        self._observer.finished(self.model, self.operation, self._protocol, self._code, seconds, self._rows)


def _code_of(error: BaseException) -> str:
    """An error's machine code. What is no Exception is a request being given up: cancelled, or its iterator closed."""
    if isinstance(error, BroodError):
        return row_of(error).code
    return row_of(Internal("") if isinstance(error, Exception) else Cancelled("")).code
