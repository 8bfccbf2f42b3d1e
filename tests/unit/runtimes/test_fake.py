"""The fake runtime does what its file says, and fails as a real one would."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from brood.protocol.errors import BundleError, RuntimeFailed
from brood.protocol.manifest import Graph
from brood.runtimes import fake
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.fake import FakeGraph, load_fake
from brood.runtimes.load import load_graphs
from brood.store.store import read_bundle
from helpers.bundles import once_bundle, relist
from helpers.hanging import hanging
from helpers.slot_graphs import noise, slot_graph

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


def test_a_call_takes_its_time_and_no_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(fake, "time", SimpleNamespace(sleep=slept.append))
    outputs = graph(tmp_path, takes={"call_s": 2.0, "row_s": 0.5})(rows(2.0, 4.0, scale=10.0))
    assert slept == [3.0]
    assert len(outputs["y"]) == 2


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
    partly = graph(tmp_path, bucket_dependent=True, bucket_dependent_from=3)
    assert (partly(rows(0.3))["y"] == partly(rows(0.3, 0.7))["y"][:1]).all()
    assert (partly(rows(0.3))["y"] != partly(rows(0.3, 0.7, 0.9))["y"][:1]).all()


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


def test_a_longer_input_is_summed_up_where_the_output_has_one(tmp_path: Path) -> None:
    step = slot_graph(tmp_path, "step")
    grown = np.arange(24, dtype=np.float32).reshape(1, 2, 4, 3)
    others = {"x": np.zeros((1, 3), np.float32), "told": np.zeros((1, 3), np.float32), "count": np.array([2])}
    more = step({"grown": grown, **others, **noise(1)})["more"]
    assert np.allclose(more, grown.sum(axis=2, keepdims=True) + 2 + 0.1)


def test_it_gives_a_row_too_few_on_a_given_value(tmp_path: Path) -> None:
    short = graph(tmp_path, wrong_shape_on={"input": "scale", "equals": 9})
    short(rows(1.0, 2.0, scale=8.0))
    with pytest.raises(RuntimeFailed, match=r"graph output 'y' is float32\[1, 2\], declared float32\[2, 2\]"):
        short(rows(1.0, 2.0, scale=9.0))


def test_it_hangs_on_a_given_value_until_it_is_let_go(tmp_path: Path) -> None:
    stuck = graph(tmp_path, hangs_on={"input": "scale", "equals": 9})
    with hanging() as held, ThreadPoolExecutor(1) as pool:
        assert pool.submit(stuck, rows(1.0, scale=8.0)).result()["ok"].all()
        call = pool.submit(stuck, rows(1.0, scale=9.0))
        held.wait_for_call()
        assert not call.done()
        held.let_go()
        assert call.result()["ok"].all()


def test_words_about_inputs_name_inputs(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"graph.json: no input is called 'z'"):
        graph(tmp_path, hangs_on={"input": "z", "equals": 9})


def test_a_number_reaches_another_or_not(tmp_path: Path) -> None:
    words = {"outputs": {"y": {}, "ok": {"reaches": ["scale", "limit"]}}}
    declared = spec().model_dump()
    declared["inputs"]["limit"] = declared["inputs"]["scale"]
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(words))
    loaded = load_fake(path, Graph.model_validate(declared), OPTIONS)
    numbers = {name: np.array(values, np.float32) for name, values in (("scale", [1, 2, 3]), ("limit", [2, 2, 2]))}
    found = loaded({"x": np.zeros((3, 2), np.float32), **numbers})["ok"]
    assert (found.dtype.name, found.tolist()) == ("bool", [False, True, True])
    path.write_text(json.dumps(words).replace("limit", "nothing"))
    with pytest.raises(BundleError, match=r"outputs\.ok: no tensor is called 'nothing'"):
        load_fake(path, Graph.model_validate(declared), OPTIONS)
