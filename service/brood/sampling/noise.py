"""The seed contract: noise as a pure function of (seed, stream, index, step). docs/seed-contract.md is normative.

The words come from Philox4x64-10 (Salmon, Moraes, Dror, Shaw 2011, "Parallel Random Numbers: As Easy as 1, 2, 3"),
key (seed, stream), counter (block, index, 0, 0), four words a block. One row's one noise input is one sequential
stream of blocks from 1 on; every step owns ceil(count / 4) of them. Only numpy's raw words are used: its
distributions may change from version to version.
"""

import math
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from brood.sampling.normal import normal
from brood.sampling.uniform import uniform

__all__ = ["Distribution", "NoiseStream", "draw_seed", "noise", "normal", "uniform"]

Distribution = Literal["normal", "uniform"]

WORDS_PER_BLOCK: Final = 4
# Exponents of two below which a number must stay. Step and count together keep the block number below 2**62, so
# it can never carry into the index word.
LIMIT_BITS: Final[Mapping[str, int]] = {"seed": 63, "stream": 32, "index": 63, "count": 32, "step": 32}
LIMITS: Final[Mapping[str, int]] = {field: 2**bits for field, bits in LIMIT_BITS.items()}
STEPS: Final = LIMITS["step"]
DRAWN_SEED_BITS: Final = 53

TRANSFORMS: Final[Mapping[str, Callable[[NDArray[np.uint64]], NDArray[np.float32]]]] = {
    "normal": normal,
    "uniform": uniform,
}


class NoiseStream:
    """The raw words of one row's one noise input, step after step.

    A call of `raw` has a fixed price, so where a step takes few numbers fetch several steps at once.

    Args:
        seed: of the request, 0 <= seed < 2**63.
        stream: of the noise input, fixed in the manifest, 0 <= stream < 2**32.
        index: of the sample in the request, 0 <= index < 2**63.
        count: numbers the noise input takes per row and step, 1 <= count < 2**32.
        step: the first step that `raw` gives, counted from 0, below 2**32.

    Raises:
        ValueError: naming the field, the value and what is allowed.
    """

    __slots__ = ("_blocks", "_count", "_index", "_seed", "_step", "_stream")

    def __init__(self, *, seed: int, stream: int, index: int, count: int, step: int = 0) -> None:
        self._seed, self._stream = _checked("seed", seed), _checked("stream", stream)
        self._index, self._step = _checked("index", index), _checked("step", step)
        self._count = _checked("count", count, least=1)
        self._blocks = -(-self._count // WORDS_PER_BLOCK)

    def raw(self, steps: int = 1) -> NDArray[np.uint64]:
        """The words of the next `steps` steps, uint64 [steps, count], and go on behind them.

        Raises:
            ValueError: steps is not positive, or the last step would reach 2**32.
        """
        left = STEPS - self._step
        if steps < 1 or steps > left:
            raise ValueError(f"steps is {steps!r}; allowed: 1 <= steps <= {left}, the steps left")
        width = self._blocks * WORDS_PER_BLOCK
        # numpy adds one to the counter before it makes a block: the first block made here is step * blocks + 1.
        words = _PHILOX.words(self._seed, self._stream, self._step * self._blocks, self._index, (steps, width))
        self._step += steps
        return words if width == self._count else words[:, : self._count]


class _Philox(threading.local):
    """One generator for each thread, put where words are wanted: making one takes ten times longer."""

    def __init__(self) -> None:
        self._made = np.random.Philox(0)
        self._key, self._counter = np.zeros(2, np.uint64), np.zeros(4, np.uint64)
        # All four words of the block before are taken: the next one is that behind the counter.
        self._state: Any = {**self._made.state, "state": {"key": self._key, "counter": self._counter}, "buffer_pos": 4}

    def words(self, seed: int, stream: int, before: int, index: int, shape: tuple[int, int]) -> NDArray[np.uint64]:
        self._key[0], self._key[1] = seed, stream
        self._counter[0], self._counter[1] = before, index
        self._made.state = self._state
        words: NDArray[np.uint64] = self._made.random_raw(shape)
        return words


_PHILOX = _Philox()


def noise(
    distribution: Distribution, *, seed: int, stream: int, index: int, step: int, shape: Sequence[int]
) -> NDArray[np.float32]:
    """The noise of one row at one step: the pure function that docs/seed-contract.md defines.

    Args:
        distribution: "normal" (standard normal) or "uniform" (open interval (0, 1)).
        seed, stream, index, step: as in NoiseStream.
        shape: of the noise input without the row axis; the words fill it in C order.

    Returns:
        float32 array of `shape`.

    Raises:
        ValueError: naming the field, the value and what is allowed.
    """
    if distribution not in TRANSFORMS:
        raise ValueError(f"distribution is {distribution!r}; allowed: {', '.join(TRANSFORMS)}")
    source = NoiseStream(seed=seed, stream=stream, index=index, count=math.prod(shape), step=step)
    return TRANSFORMS[distribution](source.raw()).reshape(shape)


def draw_seed() -> int:
    """A seed from the operating system, below 2**53 so that every JSON reader keeps it exact."""
    return secrets.randbits(DRAWN_SEED_BITS)


def _checked(field: str, value: Any, *, least: int = 0) -> int:
    limit = LIMITS[field]
    if type(value) is int and least <= value < limit:
        return value
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or not least <= value < limit:
        raise ValueError(f"{field} is {value!r}; allowed: an integer, {least} <= {field} < {limit}")
    return int(value)
