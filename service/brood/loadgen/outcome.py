"""What became of a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Content = bytes | memoryview
OK = "ok"
# Codes of our own; all others are the server's words.
UNREACHABLE = "unreachable"  # no connection
BROKEN_OFF = "broken_off"  # the connection ended before the answer did
TIMEOUT = "timeout"  # no answer within the time that we wait
WRONG = "wrong_answer"  # an answer that says it is good and is not what was asked for
DIFFERS = "differs"  # another answer than the first one to the same seed
BAD_BYTES = (WRONG, DIFFERS)


class Failed(Exception):
    """A request was not answered as it should be.

    Args:
        code: the server's, or one of ours.
        message: for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def wrong(message: str) -> Failed:
    """An answer is not what was asked for."""
    return Failed(WRONG, message)


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer."""

    contents: Sequence[Content]  # what it says of the samples, without what differs from one request to the next
    size: int  # bytes of the body or the messages
    first_at: float | None = None  # of a stream: when the first sample came, by the timer's clock
    preview_at: float | None = None  # of a stream: when the first preview came


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request; times in seconds after the begin of its stage."""

    order: int  # its number in the mix
    due: float  # when it should have been sent
    woken: float  # when we got to sending it
    end: float  # when its answer was complete, or had failed
    code: str = OK
    message: str = ""
    first: float | None = None  # first sample of a stream
    preview: float | None = None  # first preview of a stream
    size: int = 0  # bytes of the answer

    @property
    def ok(self) -> bool:
        """Whether the answer was right."""
        return self.code == OK

    @property
    def latency_s(self) -> float:
        """From when it was due, not from when it was sent."""
        return self.end - self.due
