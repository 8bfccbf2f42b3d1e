"""What denoisers add to programs: variants of a step, mixed beginnings, silent noise, previews, states that grow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brood.program import FromNoise, compile_program, run_row
from brood.program.initial import mixed
from brood.protocol.errors import BundleError, RuntimeFailed
from brood.protocol.manifest import Manifest
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.load import load_graphs
from brood.sampling.noise import noise
from brood.sampling.schedules import Schedule
from brood.store.store import read_bundle
from helpers.bundles import edit_manifest, write_bundle
from helpers.denoisers import denoiser_bundle

PARAMS: dict[str, Any] = {
    "label": 2,
    "steps": 5,
    "sampler": "ddpm",
    "guidance": 3.0,
    "guidance_stop": 0.6,
    "strength": 1,
}


def manifest_of(directory: Path) -> Manifest:
    return read_bundle(directory).manifest


def test_a_variant_runs_in_the_steps_whose_number_says_so(tmp_path: Path) -> None:
    program = compile_program(manifest_of(denoiser_bundle(tmp_path)), "generate")
    (stage,) = program.stages
    guided = program.schedule(PARAMS)
    assert [stage.at(guided, step).graph for step in range(5)] == ["step_guided"] * 3 + ["step"] * 2
    plain = program.schedule({**PARAMS, "guidance": 1.0})
    assert {stage.at(plain, step).graph for step in range(5)} == {"step"}


def test_a_denoiser_is_the_written_recurrence(tmp_path: Path) -> None:
    directory = denoiser_bundle(tmp_path)
    manifest = manifest_of(directory)
    program = compile_program(manifest, "vary")
    graphs = load_graphs(directory, manifest, RuntimeOptions(1))
    image = np.linspace(-1, 1, 16, dtype=np.float32).reshape(1, 4, 4)
    params = {**PARAMS, "strength": 0.8}
    found = run_row(program, graphs, seed=5, index=3, params=params, inputs={"image": image})
    schedule = program.schedule(params)
    assert schedule.steps == 4
    i0, i1 = schedule.init
    x = i0 * image + i1 * noise("normal", seed=5, stream=0, index=3, step=0, shape=(1, 4, 4))
    x0 = np.zeros_like(x)
    for step in range(4):
        g, e = schedule.columns["guidance"][step], schedule.columns["noise"][step]
        strength = 1.0 if g == 1 else 2.0
        drawn = noise("normal", seed=5, stream=3, index=3, step=step, shape=(1, 4, 4))
        x, x0 = 0.5 * x + strength * (5e-4 * x * g + 1e-3 * 2) + 0.25 * x0 + 0.3 * e * drawn, 0.5 * x
    np.testing.assert_allclose(found["image"], x, atol=1e-6)


def test_noise_that_would_be_multiplied_by_zero_is_zero(tmp_path: Path) -> None:
    program = compile_program(manifest_of(denoiser_bundle(tmp_path)), "generate")
    source = next(feed.source for feed in program.stages[0].feeds if feed.name == "noise")
    assert isinstance(source, FromNoise)
    deterministic, random = program.schedule({**PARAMS, "sampler": "ddim"}), program.schedule(PARAMS)
    assert all(source.silent(deterministic, step) for step in range(5))
    assert [source.silent(random, step) for step in range(5)] == [False, False, False, False, True]


def test_a_mixed_beginning_is_in_float32() -> None:
    schedule = Schedule(1, {}, (0.1, 0.7))
    drawn, given = np.array([1.5], np.float32), np.array([3], np.int64)
    assert mixed(schedule, drawn, None)[0] == np.float32(0.7) * np.float32(1.5)
    both = mixed(schedule, drawn, given)
    assert both.dtype == np.float32
    assert both[0] == np.float32(0.1) * np.float32(3) + np.float32(0.7) * np.float32(1.5)


def test_a_preview_changes_nothing_and_gives_outputs(tmp_path: Path) -> None:
    preview = compile_program(manifest_of(denoiser_bundle(tmp_path)), "generate").preview
    assert preview is not None
    assert (preview.graph, preview.to_state, preview.to_caller) == ("preview", (), (("image", "image"),))


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (
            lambda words: words["stages"][0]["variant"].update(column="colour"),
            r"variant\.column: nothing is called 'co",
        ),
        (lambda words: words["stages"][0]["variant"].update(graph="preview"), r"make different things"),
        (
            lambda words: words["preview"].update(graph="step", bind={"t": 0.5, "e": 0.5}),
            r"preview: input 'noise' is of role noise",
        ),
        (lambda words: words["preview"].update(bind={"image": "picture"}), r"preview\.bind: nothing is called"),
    ],
)
def test_words_that_cannot_be_meant_are_refused(tmp_path: Path, edit: Any, complaint: str) -> None:
    directory = edit_manifest(denoiser_bundle(tmp_path), lambda words: edit(words["operations"]["generate"]))
    with pytest.raises(BundleError, match=complaint):
        compile_program(manifest_of(directory), "generate")


def test_noise_needs_a_column_that_exists(tmp_path: Path) -> None:
    def edit(words: dict[str, Any]) -> None:
        words["graphs"]["step"]["inputs"]["noise"]["noise"]["scale"] = "colour"

    with pytest.raises(BundleError, match=r"noise\.scale: nothing is called 'colour'"):
        compile_program(manifest_of(edit_manifest(denoiser_bundle(tmp_path), edit)), "generate")


def test_the_numbers_of_a_step_do_not_depend_on_the_graph_it_calls(tmp_path: Path) -> None:
    def edit(words: dict[str, Any]) -> None:
        words["graphs"]["step_guided"]["inputs"]["noise"]["noise"]["stream"] = 4

    with pytest.raises(BundleError, match="variant: input 'noise' of 'step_guided' is other noise"):
        compile_program(manifest_of(edit_manifest(denoiser_bundle(tmp_path), edit)), "generate")


def test_a_preview_reads_no_schedule(tmp_path: Path) -> None:
    def edit(words: dict[str, Any]) -> None:
        words["graphs"]["preview"]["inputs"]["guidance"] = {"dtype": "float32", "role": "schedule"}

    with pytest.raises(BundleError, match="preview: input 'guidance' is of role schedule; allowed: state, param"):
        compile_program(manifest_of(edit_manifest(denoiser_bundle(tmp_path), edit)), "generate")


def growing_bundle(root: Path, length: int) -> Path:
    """A model that writes each pixel's position plus one behind what it has; 4 steps."""
    tape, slice_ = {"dtype": "float32", "shape": (length,)}, {"dtype": "float32", "shape": (1,)}
    words = {
        **dict.fromkeys(("description", "license"), "x"),
        "format": "brood/1",
        "name": "growing",
        "version": 1,
        "family": "function",
        "modality": "tensor",
        "domain": "discrete",
        "created": "2025-01-01T00:00:00Z",
        "provenance": {},
        "graphs": {
            "step": {
                "file": "step.json",
                "runtime": "fake",
                "buckets": (1, 2, 4),
                "inputs": {
                    "tape": {**tape, "role": "state"},
                    "position": {"dtype": "int64", "role": "schedule"},
                },
                "outputs": {"next": {**slice_, "role": "append", "axis": 0}},
            }
        },
        "operations": {
            "generate": {
                "state": {"tape": {**tape, "init": "zeros"}},
                "stages": [{"graph": "step", "repeat": "schedule", "bind": {"next": "tape"}}],
                "outputs": {"tape": {**tape, "kind": "tensor"}},
            }
        },
        "schedule": {"kind": "raster", "numbers": {"count": 4}},
    }
    return write_bundle(root, words, {"step": {"outputs": {"next": {"sum": [{"of": ["position"]}, {"times": 1.0}]}}}})


@pytest.mark.parametrize(("length", "expected"), [(4, [1, 2, 3, 4]), (6, [1, 2, 3, 4, 0, 0])])
def test_a_state_grows_by_what_is_appended(tmp_path: Path, length: int, expected: list[float]) -> None:
    directory = growing_bundle(tmp_path, length)
    manifest = manifest_of(directory)
    graphs = load_graphs(directory, manifest, RuntimeOptions(1))
    found = run_row(compile_program(manifest, "generate"), graphs, seed=0, index=0, params={}, inputs={})
    assert found["tape"].tolist() == expected


def test_a_state_that_is_full_says_so(tmp_path: Path) -> None:
    directory = growing_bundle(tmp_path, 3)
    manifest = manifest_of(directory)
    graphs = load_graphs(directory, manifest, RuntimeOptions(1))
    with pytest.raises(RuntimeFailed, match="state 'tape' is full: 3 along axis 0"):
        run_row(compile_program(manifest, "generate"), graphs, seed=0, index=0, params={}, inputs={})
