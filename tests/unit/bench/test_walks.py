"""The request-level baselines: what they make of a step program is what the program means."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import pytest

from bench.peers.programs import write_walk
from brood.host.examples import complete_params
from brood.program.compile import compile_program
from brood.program.interpret import run_row
from brood.protocol.manifest import Scalar
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.load import load_graphs
from brood.sampling.noise import noise
from brood.store.store import find_bundles, read_bundle, zoo_root

MODEL = "points-diffusion"
SHORT: dict[str, Scalar] = {"steps": 3, "sampler": "dpmpp-2m", "guidance": 1.0}
LONG: dict[str, Scalar] = {"steps": 7, "sampler": "euler-ancestral", "guidance": 1.0}
SERVERS = Path(__file__).parents[2] / "bench" / "peers" / "servers"


@pytest.fixture(scope="module")
def walks() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SERVERS)
        yield importlib.import_module("walks")


@pytest.fixture(scope="module")
def walk(walks: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Any:
    file = tmp_path_factory.mktemp("walks") / "points.json"
    write_walk(file, zoo_root(), MODEL, (SHORT, LONG))
    return walks.Walk(file, lambda path: onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]), 8)


def test_rows_of_several_lengths_in_a_batch_are_what_they_are_alone(walk: Any) -> None:
    requests = np.array([(0, 11, 1), (1, 12, 2), (0, 13, 3), (1, 14, 0)], np.int64)
    together, alone = walk(requests), np.concatenate([walk(request[None]) for request in requests])
    assert together.shape == (4, 2)
    assert np.abs(together - alone).max() < 1e-5
    assert len(np.unique(together, axis=0)) == 4


def test_more_rows_than_a_batch_holds_are_several(walk: Any) -> None:
    requests = np.array([(0, seed, 0) for seed in range(19)], np.int64)
    assert np.abs(walk(requests)[8:16] - walk(requests[8:16])).max() < 1e-5


def test_of_the_same_noise_it_makes_the_sample_of_the_interpreter(
    walk: Any, walks: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn(rng: object, distribution: str, shape: tuple[int, ...]) -> np.ndarray:
        if distribution == "uniform":  # of the label, which is given
            return np.full(tuple(shape), 0.5, np.float32)
        return noise("normal", seed=7, stream=0, index=0, step=0, shape=tuple(shape))

    monkeypatch.setattr(walks, "drawn", drawn)
    bundle = read_bundle(next(ref.directory for ref in find_bundles(zoo_root()) if ref.name == MODEL))
    program = compile_program(bundle.manifest, "generate")
    graphs = load_graphs(bundle.directory, bundle.manifest, RuntimeOptions(1))
    params = complete_params(program, {**SHORT, "label": 2})
    wanted = run_row(program, graphs, seed=7, index=0, params=params, inputs={})
    assert np.abs(walk(np.array([(0, 7, 2)], np.int64))[0] - wanted["point"]).max() < 1e-6
