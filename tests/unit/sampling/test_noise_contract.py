"""docs/seed-contract.md, read back: its tables against the code and against a second implementation.

The second implementation is plain Python integers and floats, written from the document alone, one number at a time.
"""

import math
import os
import struct
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from brood.sampling import normal as normal_module
from brood.sampling.noise import Distribution, NoiseStream, noise, normal, uniform

DOCUMENT = Path(__file__).parents[3] / "docs" / "seed-contract.md"
MASK = 2**64 - 1


def table(heading: str) -> list[list[str]]:
    """The body rows of the first table below `heading`, cells stripped of spaces and back-quotes."""
    lines = iter(DOCUMENT.read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line == heading:
            break
    rows = []
    for line in lines:
        if line.startswith("|"):
            rows.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
        elif rows:
            break
    assert len(rows) > 2, f"no table below {heading!r}"
    return rows[2:]


COLUMNS = list(zip(*table("### Coefficients"), strict=True))[1:]
CENTRAL_N, CENTRAL_D, TAIL_N, TAIL_D = [[float(cell) for cell in column] for column in COLUMNS]


def philox(counter: Sequence[int], key: Sequence[int]) -> list[int]:
    a, b, c, d = counter
    k0, k1 = key
    for _ in range(10):
        first, second = a * 0xD2E7470EE14C6C93, c * 0xCA5A826395121157
        a, b, c, d = (second >> 64) ^ b ^ k0, second & MASK, (first >> 64) ^ d ^ k1, first & MASK
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & MASK, (k1 + 0xBB67AE8584CAA73B) & MASK
    return [a, b, c, d]


def reference_words(*, seed: int, stream: int, index: int, step: int, count: int) -> list[int]:
    blocks = (count + 3) // 4
    numbers = range(1 + step * blocks, 1 + (step + 1) * blocks)
    return [word for block in numbers for word in philox((block, index, 0, 0), (seed, stream))][:count]


def float32_bits(value: float) -> str:
    return struct.pack(">f", value).hex()


def reference_uniform(word: int) -> float:
    return ((word >> 40) | 1) / 2**24


def reference_normal(word: int) -> float:
    q = (((word >> 10) | 1) - 2**53) / 2**54
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        return horner(CENTRAL_N, r) * q / horner(CENTRAL_D, r)
    r = math.sqrt(reference_minus_log(0.5 - abs(q))) - 1.6
    return math.copysign(horner(TAIL_N, r) / horner(TAIL_D, r), q)


def reference_minus_log(p: float) -> float:
    bits = int.from_bytes(struct.pack("<d", p), "little")
    exponent = (bits - 0x3FE6A09E667F3BCD) >> 52
    m: float = struct.unpack("<d", struct.pack("<q", bits - (exponent << 52)))[0]
    f = (m - 1.0) / (m + 1.0)
    return exponent * -0.6931471805599453 - horner([2.0 / (2 * k + 1) for k in range(9, -1, -1)], f * f) * f


def horner(coefficients: Iterable[float], x: float) -> float:
    total = 0.0
    for coefficient in coefficients:
        total = total * x + coefficient
    return total


def hex_of(values: NDArray[np.float32]) -> list[str]:
    return [f"{bits:08x}" for bits in values.reshape(-1).view(np.uint32).tolist()]


@pytest.mark.parametrize("row", table("### Known answers of the generator"), ids=lambda row: row[0])
def test_generator_gives_the_random123_known_answers(row: list[str]) -> None:
    counter, key, answer = ([int(word, 16) for word in cell.split()] for cell in row[1:])
    assert philox(counter, key) == answer
    number = sum(word << 64 * position for position, word in enumerate(counter))
    before = (number - 1) % 2**256  # numpy adds one first
    words = np.random.Philox(key=np.array(key, np.uint64), counter=before).random_raw(4)
    assert words.tolist() == answer


@pytest.mark.parametrize("row", table("### Raw words"), ids=lambda row: "-".join(row[:5]))
def test_raw_words_of_the_document(row: list[str]) -> None:
    seed, stream, index, step, count = map(int, row[:5])
    expected = [int(word, 16) for word in row[5].split()]
    assert reference_words(seed=seed, stream=stream, index=index, step=step, count=count) == expected
    source = NoiseStream(seed=seed, stream=stream, index=index, count=count, step=step)
    assert source.raw().tolist() == [expected]


@pytest.mark.parametrize("row", table("### Words to numbers"), ids=lambda row: row[0])
def test_transforms_of_the_document(row: list[str]) -> None:
    word = int(row[0], 16)
    raw = np.array([word], np.uint64)
    assert float32_bits(reference_uniform(word)) == hex_of(uniform(raw))[0] == row[1]
    assert float32_bits(reference_normal(word)) == hex_of(normal(raw))[0] == row[2]


@pytest.mark.parametrize("row", table("### Noise"), ids=lambda row: "-".join(row[:6]))
def test_noise_of_the_document(row: list[str]) -> None:
    distribution: Distribution = "normal" if row[0] == "normal" else "uniform"
    seed, stream, index, step, count = map(int, row[1:6])
    values = noise(distribution, seed=seed, stream=stream, index=index, step=step, shape=(count,))
    assert hex_of(values) == row[6].split()


def test_coefficients_of_the_document() -> None:
    in_code = (
        normal_module.CENTRAL_NUMERATOR,
        normal_module.CENTRAL_DENOMINATOR,
        normal_module.TAIL_NUMERATOR,
        normal_module.TAIL_DENOMINATOR,
    )
    assert [list(polynomial.coefficients) for polynomial in in_code] == [CENTRAL_N, CENTRAL_D, TAIL_N, TAIL_D]


def test_numbers_equal_the_second_implementation_bit_for_bit() -> None:
    raw = NoiseStream(seed=11, stream=2, index=3, count=20_000).raw()[0]
    # A word shifted far down lies in the tails, every second one complemented into the upper one.
    deep = raw >> np.arange(raw.size, dtype=np.uint64) % np.uint64(52)
    words = np.concatenate([raw, np.where(raw & np.uint64(1), deep, ~deep)])
    assert hex_of(normal(words)) == [float32_bits(reference_normal(word)) for word in words.tolist()]
    assert hex_of(uniform(words)) == [float32_bits(reference_uniform(word)) for word in words.tolist()]


def test_few_numbers_are_those_of_many() -> None:
    raw = NoiseStream(seed=12, stream=2, index=3, count=4_000).raw()[0]
    words = np.where(raw & np.uint64(1), raw >> np.arange(raw.size, dtype=np.uint64) % np.uint64(52), ~raw)
    many = hex_of(normal(words))
    for size in (1, 3, normal_module.FEW, normal_module.FEW + 1):
        pieces = [words[start : start + size] for start in range(0, words.size, size)]
        assert [number for piece in pieces for number in hex_of(normal(piece))] == many
    assert normal(words[:6].reshape(2, 3)[:, :2]).shape == (2, 2)


DIGEST_PROGRAM = """
import hashlib
import numpy as np
from brood.sampling.noise import noise
targets = np.lib.introspect.opt_func_info(signature="float64")
print({target["current"].split("(")[0] for kinds in targets.values() for target in kinds.values()})
for distribution in ("normal", "uniform"):
    values = noise(distribution, seed=1, stream=0, index=0, step=0, shape=(100_000,))
    print(distribution, hashlib.sha256(values.astype("<f4").tobytes()).hexdigest())
"""


def digest_lines(**environment: str) -> list[str]:
    service = str(Path(normal_module.__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-c", DIGEST_PROGRAM],
        env={**os.environ, "PYTHONPATH": service, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.splitlines()


def test_digests_with_and_without_the_vector_instructions_of_the_processor() -> None:
    expected = [f"{distribution} {digest}" for distribution, digest in table("### Digests")]
    kinds = np.lib.introspect.opt_func_info().values()
    available = [target["available"].split("baseline")[0].split() for kind in kinds for target in kind.values()]
    everything = " ".join(sorted({feature for features in available for feature in features}))
    assert digest_lines()[1:] == expected
    assert digest_lines(NPY_DISABLE_CPU_FEATURES=everything) == ["{'baseline'}", *expected]
