"""Whether the same seed gives the same samples."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

from brood.loadgen.outcome import DIFFERS, Answer, Failed

Check = Callable[[int, int, Answer], None]  # order's number, seed, answer; raises Failed


class FirstAnswers:
    """A `Check`: every answer must be, bit for bit, the first one to the same order and seed.

    Nothing is kept of answers but a hash of 16 bytes each.
    """

    def __init__(self) -> None:
        self._firsts: dict[tuple[int, int], bytes] = {}

    def __call__(self, order: int, seed: int, answer: Answer) -> None:
        """See `Check`."""
        mixed = blake2b(digest_size=16)
        for content in answer.contents:
            mixed.update(content)
        found = mixed.digest()
        if self._firsts.setdefault((order, seed), found) != found:
            raise Failed(DIFFERS, f"seed {seed} gave other bytes than the first time")
