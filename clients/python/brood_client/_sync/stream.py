# Made of _async/stream.py by scripts/unasync.py: change that, and run it.
"""A generation on its way."""

from __future__ import annotations

from collections.abc import Generator
from types import TracebackType
from typing import Self

from brood_client._errors import error_of
from brood_client._events import Accepted, Event
from brood_client._generation import Generation
from brood_client._resume import Gathered


class Stream:
    """The events of a generation as they happen; made by `Client.stream`.

    An iterator and a context manager. Leaving it early, by whatever way, cancels what is left of the generation; with
    ``with`` that happens at once, without it when Python collects the iterator.
    """

    def __init__(self, events: Generator[Event, None]) -> None:
        self._events, self._seen = events, Gathered()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._seen}>"

    @property
    def accepted(self) -> Accepted | None:
        """Id, version, seed, determinism; None until the server has accepted."""
        return self._seen.accepted

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        event = self._events.__next__()
        self._seen.saw(event)
        return event

    def result(self) -> Generation:
        """Wait for whatever is still to come, and give the whole answer.

        Raises:
            BroodError: the generation failed, or was left before it was finished.
        """
        for _ in self:
            pass
        accepted, done = self._seen.accepted, self._seen.done
        if accepted is None or done is None:
            raise error_of("cancelled", "the stream was left before it was finished")
        return Generation(
            id=accepted.id,
            model=accepted.model,
            version=accepted.version,
            operation=accepted.operation,
            seed=accepted.seed,
            determinism=accepted.determinism,
            samples=tuple(sorted(self._seen.samples, key=lambda sample: sample.index)),
            timing=done.timing,
            usage=done.usage,
        )

    def close(self) -> None:
        """Leave it."""
        self._events.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
