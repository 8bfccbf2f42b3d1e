"""The fake runtime does what its file says, and fails as a real one would."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brood.protocol.errors import BundleError, RuntimeFailed
from brood.protocol.manifest import Graph
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.fake import FakeGraph, load_fake
from brood.runtimes.load import load_graphs
from brood.store.store import read_bundle
from helpers.bundles import once_bundle, relist

OPTIONS = RuntimeOptions(threads=1)


def graph(tmp_path: Path, **words: Any) -> FakeGraph:
    """y [rows, 2] = 0.5·x + scale + 1, with a flag that tells whether y is finite."""
    terms = [{"times": 0.5, "of": ["x"]}, {"of": ["scale"]}, {"times": 1.0}]
    description = {"outputs": {"y": {"sum": terms}, "ok": {"finite": "y"}}, **words}
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(description))
    return load_fake(path, spec(), OPTIONS)


def spec() -> Graph:
    return Graph.model_validate(
        {
            "file": "graph.json",
            "runtime": "fake",
            "buckets": (1,),
            "inputs": {
                "x": {"dtype": "float32", "shape": (2,), "role": "input"},
                "scale": {"dtype": "float32", "role": "param"},
            },
            "outputs": {
                "y": {"dtype": "float32", "shape": (2,), "role": "output"},
                "ok": {"dtype": "bool", "role": "ok"},
            },
        }
    )


def rows(*values: float, scale: float = 0.0) -> dict[str, np.ndarray]:
    x = np.array([[value, -value] for value in values], np.float32)
    return {"x": x, "scale": np.full(len(values), scale, np.float32)}


def test_a_sum_of_products_row_by_row(tmp_path: Path) -> None:
    outputs = graph(tmp_path)(rows(2.0, 4.0, scale=10.0))
    assert outputs["y"].tolist() == [[12.0, 10.0], [13.0, 9.0]]
    assert outputs["y"].dtype == np.float32
    assert outputs["ok"].tolist() == [True, True]


def test_ok_is_false_for_the_row_that_is_not_finite_only(tmp_path: Path) -> None:
    assert graph(tmp_path)(rows(1.0, np.nan, np.inf))["ok"].tolist() == [True, False, False]


def test_bits_depend_on_the_batch_only_if_asked(tmp_path: Path) -> None:
    steady, fickle = graph(tmp_path), graph(tmp_path, bucket_dependent=True)
    assert (steady(rows(0.3))["y"] == steady(rows(0.3, 0.7))["y"][:1]).all()
    assert (fickle(rows(0.3))["y"] != fickle(rows(0.3, 0.7))["y"][:1]).all()


def test_it_fails_on_a_given_value(tmp_path: Path) -> None:
    fragile = graph(tmp_path, fails_on={"input": "scale", "equals": 9})
    fragile(rows(1.0, scale=8.0))
    with pytest.raises(RuntimeFailed, match="'scale' is 9"):
        fragile(rows(1.0, scale=9.0))


@pytest.mark.parametrize(
    "inputs",
    [
        {"x": np.zeros((1, 2), np.float32)},
        {"x": np.zeros((1, 3), np.float32), "scale": np.zeros(1, np.float32)},
        {"x": np.zeros((2, 2), np.float32), "scale": np.zeros(1, np.float32)},
        {"x": np.zeros((1, 2), np.float64), "scale": np.zeros(1, np.float32)},
    ],
    ids=["missing", "shape", "rows", "dtype"],
)
def test_wrong_inputs_are_refused(tmp_path: Path, inputs: dict[str, np.ndarray]) -> None:
    with pytest.raises(RuntimeFailed, match="graph input"):
        graph(tmp_path)(inputs)


@pytest.mark.parametrize(
    ("description", "reason"),
    [
        ({"outputs": {}, "speed": 1}, "speed"),
        ({"outputs": {}}, "declared"),
        ({"outputs": {"kept": {"sum": [{"of": ["z"]}]}, "ok": {"finite": "kept"}}}, "no tensor is called 'z'"),
    ],
)
def test_a_description_that_makes_no_sense_names_its_graph(
    tmp_path: Path, description: dict[str, Any], reason: str
) -> None:
    directory = relist(once_bundle(tmp_path), "keep.json", json.dumps(description).encode())
    bundle = read_bundle(directory)
    with pytest.raises(BundleError, match=f"graphs.keep: keep.json: .*{reason}"):
        load_graphs(directory, bundle.manifest, OPTIONS)
