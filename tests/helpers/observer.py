"""An observer that remembers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Ended:
    """One request as the observer was told of it."""

    model: str
    operation: str
    protocol: str
    code: str
    seconds: float
    rows: int


@dataclass
class FakeObserver:
    """Keeps what it is told, in order."""

    ended: list[Ended] = field(default_factory=list)
    refused: list[tuple[str, str, str, str]] = field(default_factory=list)  # model, operation, protocol, reason
    times: list[tuple[str, str, str, float]] = field(default_factory=list)  # model, operation, part, seconds

    def finished(self, model: str, operation: str, protocol: str, code: str, seconds: float, rows: int) -> None:
        """See `RequestObserver.finished`."""
        self.ended.append(Ended(model, operation, protocol, code, seconds, rows))

    def rejected(self, model: str, operation: str, protocol: str, reason: str) -> None:
        """See `RequestObserver.rejected`."""
        self.refused.append((model, operation, protocol, reason))

    def timed(self, model: str, operation: str, part: str, seconds: float) -> None:
        """See `RequestObserver.timed`."""
        self.times.append((model, operation, part, seconds))


class RequestsOnly(FakeObserver):
    """Watches requests, and lets the engine work unseen."""

    def stepped(self, *words: object) -> None: ...

    def queued(self, rows: int, backlog_s: float) -> None: ...

    def wasted(self, seconds: float) -> None: ...
