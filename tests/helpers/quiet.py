"""An engine's observer that looks away."""

from __future__ import annotations


class Quiet:
    """Implements `brood.engine.loop.EngineObserver`."""

    def stepped(self, model: str, graph: str, rows: int, bucket: int, calls: int, seconds: float, error: float) -> None:
        """A graph was called."""

    def queued(self, rows: int, backlog_s: float) -> None:
        """Rows wait."""

    def wasted(self, seconds: float) -> None:
        """Work was for nothing."""
