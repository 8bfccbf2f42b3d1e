"""What a model is tried with."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from brood.host.examples import FEW_STEPS, LEAST, MOST, drawn, first_example, graphs_of, straightened
from brood.program import Program, compile_program
from brood.store.store import read_bundle
from helpers.bundles import IMAGE, edit_manifest, once_bundle, steps_bundle


def program(directory: Path, operation: str) -> Program:
    return compile_program(read_bundle(directory).manifest, operation)


def test_the_first_golden_sample_comes_first(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path)
    golden = read_bundle(directory).golden()
    example = first_example(program(directory, "generate"), golden)
    assert (example.seed, example.index, example.golden) == (7, 2, golden[0])
    assert example.params == {"label": 3, "scale": 0.25}
    assert first_example(program(directory, "reconstruct"), golden).golden is None


def test_drawn_parameters_reach_both_ends_of_their_ranges(tmp_path: Path) -> None:
    found = program(once_bundle(tmp_path), "generate")
    assert drawn(found, LEAST).params == {"label": -1, "scale": 0.0}
    assert drawn(found, MOST).params == {"label": 9, "scale": 3e38}
    between = [drawn(found, number).params for number in range(2, 40)]
    assert {params["label"] for params in between} >= set(range(-1, 10))
    assert all(0 < float(params["scale"]) < 3e38 for params in between)
    assert drawn(found, 7).params == drawn(found, 7).params


def test_choices_and_parameters_without_a_range(tmp_path: Path) -> None:
    def edit(words: dict[str, object]) -> None:
        operations = words["operations"]
        assert isinstance(operations, dict)
        operations["generate"]["params"] |= {
            "style": {"type": "str", "default": "a", "choices": ["a", "b"], "description": ""},
            "flip": {"type": "bool", "default": False, "description": ""},
            "shift": {"type": "float", "default": 0.5, "description": ""},
            "count": {"type": "int", "default": None, "description": ""},
        }

    directory = edit_manifest(once_bundle(tmp_path), edit)
    found = [drawn(program(directory, "generate"), number).params for number in range(4)]
    assert {params["style"] for params in found} == {"a", "b"}
    assert {params["flip"] for params in found} == {False, True}
    assert {(params["shift"], params["count"]) for params in found} == {(0.5, 0)}


def test_drawn_inputs_have_their_dtype_shape_and_range(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path)
    found = [drawn(program(directory, "reconstruct"), number).inputs["image"] for number in range(4)]
    assert {(image.dtype.name, image.shape) for image in found} == {("float32", IMAGE)}
    assert all(-1 <= image.min() < 0 < image.max() <= 1 for image in found)
    assert not np.array_equal(found[0], found[1])
    edit_manifest(
        directory,
        lambda words: words["operations"]["reconstruct"]["inputs"]["image"].update(dtype="uint8", minimum=0, maximum=7),
    )
    whole = drawn(program(directory, "reconstruct"), 0).inputs["image"]
    assert whole.dtype == np.uint8
    assert set(whole.ravel().tolist()) <= set(range(8))


def test_straightened_examples_pass_every_graph(tmp_path: Path) -> None:
    def edit(words: dict[str, object]) -> None:
        graphs, operations = words["graphs"], words["operations"]
        assert isinstance(graphs, dict)
        assert isinstance(operations, dict)
        graphs["hot"] = graphs["step"]
        graphs["peek"] = graphs["finish"]
        generate = operations["generate"]
        generate["stages"][0]["variant"] = {"graph": "hot", "column": "temperature", "unless": 1.0}
        generate["preview"] = {"graph": "peek"}

    found = program(edit_manifest(steps_bundle(tmp_path), edit), "generate")
    assert graphs_of(found) == {"step", "hot", "finish"}
    ways = list(straightened(drawn(found, MOST)))
    assert [graphs_of(way.program) for way in ways] == [{"step", "finish", "peek"}, {"hot", "finish", "peek"}]
    assert {way.params["steps"] for way in ways} == {FEW_STEPS}
    assert {way.params["temperature"] for way in ways} == {10.0}
