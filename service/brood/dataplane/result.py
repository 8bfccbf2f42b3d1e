"""What a whole generation comes to: as arrays, and encoded for an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from brood.media.encode import Encoded
from brood.protocol.events import Accepted, Sample, Usage


@dataclass(frozen=True, slots=True)
class Result:
    """All samples of a generation."""

    accepted: Accepted
    samples: tuple[Sample, ...]  # in order of index
    usage: Usage


Content = bool | int | float | Encoded


@dataclass(frozen=True, slots=True)
class EncodedSample:
    """One sample, or the preview of one, as it goes out."""

    index: int
    seed: int
    outputs: Mapping[str, Content]  # outputs of kind scalar are numbers


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time of a generation went, in milliseconds; the parts follow one another."""

    queue_ms: float  # from admission until its first row began
    run_ms: float  # from then until its last row ended
    encode_ms: float  # from then until all samples were encoded


@dataclass(frozen=True, slots=True)
class Answer:
    """A generation ready to be sent."""

    accepted: Accepted
    samples: tuple[EncodedSample, ...]  # in order of index
    timing: Timing
    usage: Usage
    replayed: bool = False  # it was made for an earlier request under the same idempotency key

    @property
    def size(self) -> int:
        """Bytes of encoded content."""
        return sum(
            len(content.content)
            for sample in self.samples
            for content in sample.outputs.values()
            if isinstance(content, Encoded)
        )
