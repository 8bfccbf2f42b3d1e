"""Whether bits depend on the call: graphs that do so in every way there is, and graphs that do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from brood.host.trace import Call
from brood.host.trials import FEW_TURNS, PROBES, exact_buckets, try_graph
from brood.protocol.errors import RuntimeFailed
from brood.protocol.manifest import Graph
from brood.runtimes.base import Arrays

BUCKETS = (1, 2, 4, 8)
Compute = Callable[[np.ndarray], np.ndarray]


class Computed:
    """A `LoadedGraph` of one input and one output, both float32 ``[rows, 3]``."""

    def __init__(self, compute: Compute, buckets: Sequence[int] = BUCKETS) -> None:
        tensor = {"dtype": "float32", "shape": (3,)}
        self.spec = Graph.model_validate(
            {
                "file": "none",
                "runtime": "fake",
                "buckets": tuple(buckets),
                "inputs": {"x": {**tensor, "role": "state"}, "label": {"dtype": "int64", "role": "param"}},
                "outputs": {"y": {**tensor, "role": "state"}},
            }
        )
        self._compute = compute

    def __call__(self, inputs: Arrays) -> dict[str, np.ndarray]:
        with np.errstate(all="ignore"):
            return {"y": self._compute(inputs["x"]).astype(np.float32)}


def calls(graph: Computed, rows: int = 5, *, ok: bool = True) -> list[Call]:
    generator = np.random.default_rng(3)
    given: list[Arrays] = [
        {"x": generator.normal(size=(1, 3)).astype(np.float32), "label": np.ones(1, np.int64)} for _ in range(rows)
    ]
    return [Call("graph", inputs, graph(inputs), ok) for inputs in given]


def found(compute: Compute, buckets: Sequence[int] = BUCKETS) -> tuple[int, ...]:
    graph = Computed(compute, buckets)
    return exact_buckets([try_graph(graph, calls(graph), FEW_TURNS).bits])


def test_a_function_of_the_row_is_exact_everywhere() -> None:
    assert found(np.tanh) == BUCKETS


@pytest.mark.parametrize(
    ("compute", "exact"),
    [
        (lambda x: x * (1 + (len(x) >= 8) / 2**20), (1, 2, 4)),
        (lambda x: x * (1 + (len(x) >= 4) / 2**20), (4, 8)),  # two classes of two: the one with the largest bucket
        (lambda x: x * (1 + len(x) / 2**20), ()),  # no two are equal
    ],
)
def test_bits_that_depend_on_the_bucket(compute: Compute, exact: tuple[int, ...]) -> None:
    assert found(compute) == exact


def _slot(x: np.ndarray, slot: int, rows: int) -> np.ndarray:
    places = np.arange(len(x))[:, None]
    return np.asarray(x + np.where((places == slot) & (len(x) == rows), np.float32(1e-6), np.float32(0)))


def test_one_slot_that_differs_takes_its_bucket_out() -> None:
    assert found(lambda x: _slot(x, slot=5, rows=8)) == (1, 2, 4)
    assert found(lambda x: _slot(x, slot=1, rows=2)) == (1, 4, 8)


@pytest.mark.parametrize(
    "compute",
    [
        lambda x: x + 1e-7 * np.abs(x).max(),  # any neighbour: alone in a call, a row has bits of its own
        lambda x: x + 0 * x.sum(),  # one that is not a number
        lambda x: x * np.where(np.abs(x).max() > 1e3, 2, 1),  # a large one
        lambda x: x * np.where((np.abs(x) < 1e-20).any(), 2, 1),  # a tiny one
    ],
)
def test_rows_that_see_their_neighbours_are_not_exact(compute: Compute) -> None:
    assert found(compute) == ()


def test_bits_must_be_the_same_again() -> None:
    times = iter(range(10**6))
    assert found(lambda x: x + next(times) // 7) == ()


def test_a_call_that_a_neighbour_makes_fail_proves_nothing() -> None:
    def refuse(x: np.ndarray) -> np.ndarray:
        if not np.isfinite(x).all():
            raise RuntimeFailed("not a number")
        return x

    assert found(refuse) == BUCKETS


def test_a_bucket_whose_calls_all_fail_is_not_exact() -> None:
    def refuse(x: np.ndarray) -> np.ndarray:
        if len(x) == 8:
            raise RuntimeFailed("out of memory")
        return x

    assert found(refuse) == (1, 2, 4)


def test_the_only_bucket_is_a_class() -> None:
    assert found(np.tanh, [1]) == (1,)


def test_without_finite_rows_nothing_is_shown() -> None:
    graph = Computed(np.tanh)
    assert exact_buckets([try_graph(graph, [], FEW_TURNS).bits]) == ()
    assert exact_buckets([try_graph(graph, calls(graph, ok=False), FEW_TURNS).bits]) == ()


def test_what_shows_in_few_rows_only_is_found() -> None:
    def rare(x: np.ndarray) -> np.ndarray:
        places = np.arange(len(x))[:, None]
        touched = (places == 6) & (len(x) == 8) & (x[:, :1] > 1.5)  # one row in fifteen
        return np.asarray(x + np.where(touched, np.float32(1e-6), np.float32(0)))

    graph = Computed(rare)
    assert exact_buckets([try_graph(graph, calls(graph, rows=200), PROBES).bits]) == (1, 2, 4)


def test_all_processes_must_agree() -> None:
    first, second = {1: "a", 2: "a", 4: "a", 8: "b"}, {1: "a", 2: "a", 4: "c", 8: "b"}
    assert exact_buckets([first, first]) == (1, 2, 4)
    assert exact_buckets([first, second]) == (1, 2)
    assert exact_buckets([first, dict.fromkeys(first, "")]) == ()
