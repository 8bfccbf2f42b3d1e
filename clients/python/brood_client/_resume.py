"""What is still missing of a generation when a connection is lost, and how its parts come to one whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from brood_client._errors import error_of
from brood_client._events import Accepted, Done, Event, Preview, Progress, Sample, Timing, Usage
from brood_client._request import Request


@dataclass(slots=True)
class Resume:
    """Keeps account of one generation.

    A sample is a function of (seed, index): those that are missing can be asked for alone, in runs of neighbours, and
    are the same as if nothing had happened.
    """

    request: Request
    _there: set[int] = field(default_factory=set)  # indices of the samples that have come
    _accepted: Accepted | None = None
    _asked: Request = field(init=False)  # the part that is on its way
    _before: int = 0  # samples that were there when it was asked for
    _timing: Timing = field(default_factory=Timing)
    _usage: Usage = field(default_factory=Usage)

    def __post_init__(self) -> None:
        self._asked = self.request

    @property
    def missing(self) -> bool:
        """Whether some of it is still to come; of a request for no samples, the refusal."""
        return len(self._there) < max(self.request.n, 1)

    @property
    def partial(self) -> bool:
        """Whether some of it is there already."""
        return bool(self._there)

    def part(self, axes: Mapping[str, int]) -> Request:
        """What to ask for next: everything at first, then the first run of missing indices.

        Args:
            axes: number of axes that each input has for one sample; looked at only if `partial`.
        """
        part = self.request
        if self._accepted is not None:
            part = replace(part, version=self._accepted.version)  # the newest may be another one by now
        if self.partial:
            first = next(index for index in _indices(part) if index not in self._there)
            n = next(n for n in count(1) if self._unwanted(first + n))
            rows = slice(first - part.index, first - part.index + n)
            inputs = {name: _rows(value, axes[name], rows) for name, value in part.inputs.items()}
            part = replace(part, index=first, n=n, inputs=inputs)
        self._asked, self._before = part, len(self._there)
        return part

    def saw(self, event: Event) -> Event | None:
        """The event as part of the whole; None if there is nothing to tell.

        Raises:
            BroodError: the server finished without having sent everything.
        """
        match event:
            case Accepted():
                first, self._accepted = self._accepted is None, self._accepted or event
                return replace(event, n=self.request.n) if first else None
            case Sample():
                if self._unwanted(event.index):
                    return None
                self._there.add(event.index)
                return event
            case Preview():
                return None if self._unwanted(event.index) else event
            case Progress():
                return self._whole(event)
            case Done(timing, usage):
                self._count(timing, usage)
                return None

    def done(self) -> Done:
        """The last event."""
        return Done(self._timing, self._usage)

    def _unwanted(self, index: int) -> bool:
        """Whether a sample is there, or was not asked for."""
        return index in self._there or index not in _indices(self.request)

    def _whole(self, part: Progress) -> Progress:
        """Every sample takes as many steps as every other."""
        n, each = self.request.n, part.of // max(part.n, 1)
        steps = self._before * each + part.steps
        return Progress(steps, n * each, self._before + part.finished, n, part.eta_s)

    def _count(self, timing: Timing, usage: Usage) -> None:
        unsent = next((index for index in _indices(self._asked) if index not in self._there), None)
        if unsent is not None:
            raise error_of("internal", f"the server finished without sample {unsent}", index=unsent)
        mine, all_ = self._timing, self._usage
        self._timing = Timing(
            mine.queue_ms + timing.queue_ms, mine.run_ms + timing.run_ms, mine.encode_ms + timing.encode_ms
        )
        self._usage = Usage(all_.rows + usage.rows, all_.steps + usage.steps)


def _indices(request: Request) -> range:
    return range(request.index, request.index + request.n)


def _rows(value: Mapping[str, Any], axes: int, rows: slice) -> Mapping[str, Any]:
    """The rows of an input that has one for each sample; any other as it is."""
    shape = value.get("shape")
    if shape is None or len(shape) != axes + 1:
        return value
    size = len(value["b64"]) // max(shape[0], 1)
    content = value["b64"][rows.start * size : rows.stop * size]
    return {**value, "b64": content, "shape": [rows.stop - rows.start, *shape[1:]]}


@dataclass(slots=True)
class Gathered:
    """The events of a generation as one answer."""

    accepted: Accepted | None = None
    samples: list[Sample] = field(default_factory=list)
    done: Done | None = None

    def __str__(self) -> str:
        if self.accepted is None:
            return "of which nothing is known yet"
        head = f"{self.accepted.id}: {self.accepted.model} {self.accepted.version} {self.accepted.operation}"
        return f"{head}, {len(self.samples)} of {self.accepted.n} samples, seed {self.accepted.seed}"

    def saw(self, event: Event) -> None:
        """Keep what belongs into the answer."""
        match event:
            case Accepted():
                self.accepted = event
            case Sample():
                self.samples.append(event)
            case Done():
                self.done = event
