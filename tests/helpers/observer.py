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

    def finished(self, model: str, operation: str, protocol: str, code: str, seconds: float, rows: int) -> None:
        """See `RequestObserver.finished`."""
        self.ended.append(Ended(model, operation, protocol, code, seconds, rows))
