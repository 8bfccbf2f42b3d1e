"""The parts of one generation as one: each sample once, progress and usage summed. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from brood.protocol.events import Preview, Progress, Usage
from brood.protocol.requests import Generation
from brood.remote.orders import Piece


@dataclass(slots=True)
class Part:
    """What a piece that was sent somewhere has come to."""

    piece: Piece
    began_s: float = 0.0  # when it was sent, since the generation was submitted
    progress: Progress | None = None  # the last told
    fresh: int = 0  # samples of it that had not come before


class Merge:
    """How far a generation is.

    Attributes:
        left: rows whose samples have not come.
    """

    def __init__(self, generation: Generation) -> None:
        self.left = generation.n
        self._generation = generation
        self._came = bytearray(generation.n)  # by position
        self._row_steps = 0  # graph calls of a row, as far as known
        self._ended_steps = 0  # of parts that are over
        self._first_ms: float | None = None  # since the generation was submitted: its first row began,
        self._last_ms = 0.0  # and its last row so far ended
        self._told: Progress | None = None
        self._shown: dict[int, int] = {}  # index → steps behind the last preview

    def sample(self, part: Part, index: int) -> bool:
        """A sample came; whether it is to be handed on: it is one of this part, and had not come before."""
        position = index - self._generation.index
        if not 0 <= position < self._generation.n or self._came[position]:
            return False
        self._came[position] = 1
        self.left -= 1
        part.fresh += 1
        return True

    def preview(self, preview: Preview) -> bool:
        """A preview came; whether it is to be handed on: no later one did, nor the sample."""
        position = preview.index - self._generation.index
        if not 0 <= position < self._generation.n or self._came[position]:
            return False
        newer = preview.step > self._shown.get(preview.index, 0)
        self._shown[preview.index] = max(preview.step, self._shown.get(preview.index, 0))
        return newer

    def progress(self, part: Part, told: Progress, running: list[Part]) -> Progress | None:
        """A part told its progress; that of all, if it is due.

        Args:
            part: whose.
            told: what it told.
            running: all parts that are not over, this one among them.
        """
        part.progress = told
        self._row_steps = max(self._row_steps, -(-told.of // max(1, told.n)))
        generation, last = self._generation, self._told
        steps = self._ended_steps + sum(each.progress.steps for each in running if each.progress is not None)
        every = (generation.progress_every or 1) * generation.n
        before = 0 if last is None else last.steps
        steps = min(steps, self._row_steps * generation.n)
        if steps // every == before // every or steps <= before:
            return None
        eta_s = max(each.progress.eta_s for each in running if each.progress is not None)
        finished = generation.n - self.left
        self._told = Progress(steps, self._row_steps * generation.n, finished, generation.n, eta_s)
        return self._told

    def done(self, part: Part, usage: Usage) -> None:
        """A part is over, to its end."""
        self._ended_steps += usage.steps
        began_ms = 1e3 * part.began_s + usage.queue_ms
        self._first_ms = began_ms if self._first_ms is None else min(self._first_ms, began_ms)
        self._last_ms = max(self._last_ms, began_ms + usage.run_ms)

    def lost(self, part: Part, now_s: float) -> list[Piece]:
        """A part is over before its end; the pieces of it that are to be made again.

        Args:
            part: which.
            now_s: seconds since the generation was submitted.
        """
        steps = 0 if part.progress is None else part.progress.of // max(1, part.progress.n)
        self._ended_steps += part.fresh * max(1, steps)
        if part.fresh:
            began_ms = 1e3 * part.began_s
            self._first_ms = began_ms if self._first_ms is None else min(self._first_ms, began_ms)
            self._last_ms = max(self._last_ms, 1e3 * now_s)
        return self.missing(part.piece)

    def missing(self, piece: Piece) -> list[Piece]:
        """What of a piece has not come: runs of consecutive rows."""
        found, start, end = list[Piece](), piece.start, piece.start + piece.rows
        while (start := self._came.find(0, start, end)) >= 0:
            stop = self._came.find(1, start, end)
            stop = end if stop < 0 else stop
            found.append(Piece(start, stop - start))
            start = stop
        return found

    def usage(self) -> Usage:
        """What all parts took together: rows and steps summed; times from the first beginning to the last end."""
        first_ms = self._first_ms or 0.0
        return Usage(self._generation.n, self._ended_steps, first_ms, max(0.0, self._last_ms - first_ms))
