"""The shipped models, served: recognisable digits, the same samples on every way, and what else they can do."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from torch.nn import functional

import brood
from brood.host.examples import complete_params
from brood.program import compile_program, run_row
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.load import load_graphs
from brood.store.store import read_bundle, zoo_root
from brood_client import Client, InvalidArgument
from brood_export.zoo import hearing, tones, tones_classifier, tracking
from brood_export.zoo.classifier import verdict
from helpers.served import Served

pytestmark = [pytest.mark.ray, pytest.mark.export]

MODELS = (
    "glyphs-ar",
    "glyphs-boltzmann",
    "glyphs-diffusion",
    "glyphs-flow",
    "glyphs-flowmatch",
    "glyphs-gan",
    "glyphs-pixelrnn",
    "glyphs-rbm",
    "glyphs-vae",
    "motion-diffusion",
    "points-diffusion",
    "tones-vae",
)
Array = npt.NDArray[Any]


def interpreted(model: str, seed: int, index: int) -> dict[str, Array]:
    """What the reference interpreter makes of the shipped bundle, with default parameters."""
    bundle = read_bundle(zoo_root() / model / "1")
    graphs = load_graphs(bundle.directory, bundle.manifest, RuntimeOptions(1))
    program = compile_program(bundle.manifest, "generate")
    return run_row(program, graphs, seed=seed, index=index, params=complete_params(program, {}), inputs={})


def picture(client: Client, model: str, label: int) -> Array:
    """A sample to work on."""
    return np.asarray(client.generate(model, seed=5, params={"label": label}).array[0])


def test_all_are_ready(http: Client, shipped: Served) -> None:
    assert {(model.name, model.state) for model in http.models()} == {(name, "ready") for name in MODELS}
    assert httpx2.get(f"http://127.0.0.1:{shipped.http_port}/readyz").json()["ready"] is True


@pytest.mark.parametrize("model", MODELS)
def test_a_sample_is_the_same_on_every_way_and_in_every_crowd(http: Client, grpc: Client, model: str) -> None:
    """Alone, inside n=64, under 32 concurrent clients; over HTTP, gRPC, in process; and by the interpreter."""
    seed, index = 1234, 40
    meant = interpreted(model, seed, index)
    output = next(name for name, value in meant.items() if value.ndim)
    alone = http.generate(model, seed=seed, index=index)
    assert alone.determinism == "exact"

    def ask(number: int) -> Array:
        found = (http, grpc)[number % 2].generate(model, n=1 + number % 3, seed=seed, index=index).samples[0]
        assert found.index == index
        return np.asarray(found.outputs[output])

    with ThreadPoolExecutor(32) as crowd:
        crowded = list(crowd.map(ask, range(32)))
    with brood.load(model) as local:
        local_image = local.generate(n=1, seed=seed, index=index).array[0]
    ways = [alone.array[0], http.generate(model, n=64, seed=seed).array[index], local_image, *crowded]
    for found in ways:
        assert found.dtype == meant[output].dtype
        assert found.tobytes() == meant[output].tobytes()
    for name in meant.keys() - {output}:  # what was made: label, or note and timbre
        assert alone.samples[0].outputs[name] == meant[name]


@pytest.mark.parametrize(
    ("model", "rows", "accuracy"),
    [
        ("glyphs-vae", 200, 0.93),
        ("glyphs-gan", 200, 0.93),
        ("glyphs-flow", 200, 0.93),
        ("glyphs-pixelrnn", 100, 0.88),
        ("glyphs-rbm", 100, 0.88),
        ("glyphs-diffusion", 100, 0.93),
        ("glyphs-flowmatch", 100, 0.93),
        ("glyphs-ar", 100, 0.85),
    ],
)
def test_a_classifier_that_never_saw_them_reads_the_digits(
    grpc: Client, model: str, rows: int, accuracy: float
) -> None:
    """Labels are drawn by the model itself (label −1) and told with each sample. Bounds leave room for few samples."""
    answer = grpc.generate(model, n=rows, seed=99)
    images = torch.from_numpy(answer.array.astype(np.float32))
    levels, signed = ("glyphs-pixelrnn", "glyphs-ar"), ("glyphs-diffusion", "glyphs-flowmatch")
    images = images / 7 if model in levels else (images + 1) / 2 if model in signed else images
    images = functional.interpolate(images, size=28, mode="bilinear")
    labels = torch.tensor([int(str(sample.outputs["label"])) for sample in answer.samples])
    figures = verdict(images, labels)
    assert len(set(labels.tolist())) == 10
    assert figures["sample_accuracy"] >= accuracy, figures


def test_a_small_request_does_not_wait_for_a_big_one(http: Client) -> None:
    http.generate("glyphs-gan", seed=1)
    with ThreadPoolExecutor(1) as pool:
        big = pool.submit(http.generate, "glyphs-gan", n=2000, seed=1)
        answered_first = 0
        while not big.done():
            http.generate("glyphs-gan", seed=2)
            answered_first += not big.done()
        assert len(big.result().samples) == 2000
    assert answered_first >= 3


def test_png_has_its_origin_in_it_and_the_same_bytes_each_time(shipped: Served) -> None:
    def ask() -> httpx2.Response:
        body = {"model": "glyphs-vae", "seed": 3, "params": {"label": 8}}
        url = f"http://127.0.0.1:{shipped.http_port}/v1/generations"
        return httpx2.post(url, json=body, headers={"accept": "image/png"})

    first, again = ask(), ask()
    assert first.content == again.content
    assert (first.headers["x-brood-seed"], first.headers["x-brood-index"]) == ("3", "0")
    image = Image.open(io.BytesIO(first.content))
    assert image.size == (28, 28)
    text = " ".join(f"{key}={value}" for key, value in image.info.items())
    assert "glyphs-vae" in text
    assert "trainedAlgorithmicMedia" in text


def test_vae_encodes_and_reconstructs(http: Client, grpc: Client) -> None:
    image = picture(http, "glyphs-vae", 4)
    code = http.generate("glyphs-vae", operation="encode", params={"label": 4}, inputs={"image": image})
    assert {"mean", "log_variance"} == set(code.samples[0].outputs)
    again = grpc.generate("glyphs-vae", operation="reconstruct", params={"label": 4}, inputs={"image": image})
    assert float(np.mean((again.array[0] - image) ** 2)) < 0.02
    pair = np.stack([image, picture(http, "glyphs-vae", 1)])
    both = http.generate("glyphs-vae", n=2, operation="reconstruct", params={"label": 4}, inputs={"image": pair})
    assert both.array[0].tobytes() == again.array[0].tobytes()


def test_flow_scores_a_digit_above_noise(http: Client) -> None:
    def score(image: Array) -> float:
        answer = http.generate("glyphs-flow", operation="score", seed=0, params={"label": 6}, inputs={"image": image})
        return float(str(answer.samples[0].outputs["bits_per_dim"]))

    digit = picture(http, "glyphs-flow", 6)
    noise = np.random.default_rng(0).uniform(0, 1, digit.shape).astype(np.float32)
    assert score(digit) < 3 < score(noise)


@pytest.mark.parametrize("model", ["glyphs-pixelrnn", "glyphs-ar"])
def test_pixel_models_keep_the_prefix_they_are_given(grpc: Client, model: str) -> None:
    image = picture(grpc, model, 2)
    answer = grpc.generate(model, n=3, operation="complete", params={"given": 98, "label": 2}, inputs={"image": image})
    for found in answer.array:
        assert np.array_equal(found.reshape(-1)[:98], image.reshape(-1)[:98])
    everything = grpc.generate(model, operation="complete", params={"given": 196}, inputs={"image": image})
    assert np.array_equal(everything.array[0], image)


@pytest.mark.parametrize("model", ["glyphs-rbm", "glyphs-boltzmann"])
def test_machines_keep_clamped_units_and_fill_in_the_rest(http: Client, model: str) -> None:
    image = (picture(http, model, 3) > 0.5).astype(np.float32)
    mask = np.zeros_like(image)
    mask[:, : image.shape[1] // 2] = 1
    answer = http.generate(model, n=4, operation="complete", params={"label": 3}, inputs={"image": image, "mask": mask})
    for found in answer.array:
        assert np.array_equal(found[mask == 1], image[mask == 1])
        assert 0.0 <= found.min() <= found.max() <= 1.0
    assert np.mean(np.abs(answer.array.mean(0) - image)) < 0.2


@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "euler", "euler-ancestral", "dpmpp-2m"])
def test_diffusion_completes_and_varies_with_every_sampler(http: Client, sampler: str) -> None:
    image = picture(http, "glyphs-diffusion", 3)
    mask = np.zeros_like(image)
    mask[:, :14] = 1
    params: dict[str, int | float | str] = {"label": 3, "steps": 12, "sampler": sampler}
    given = {"image": image, "mask": mask}
    completed = http.generate("glyphs-diffusion", n=2, seed=1, operation="complete", params=params, inputs=given)
    for found in completed.array:
        assert np.allclose(found[mask == 1], image[mask == 1], atol=1e-6)
    slightly, wholly = (
        http.generate(
            "glyphs-diffusion", n=4, seed=1, operation="vary", params={**params, "strength": s}, inputs={"image": image}
        )
        for s in (0.2, 1.0)
    )
    near, far = (float(np.mean((answer.array - image) ** 2)) for answer in (slightly, wholly))
    assert near < far


@pytest.mark.parametrize("model", ["glyphs-diffusion", "glyphs-flowmatch", "glyphs-gan", "motion-diffusion"])
def test_a_way_between_two_samples_begins_and_ends_with_them(http: Client, grpc: Client, model: str) -> None:
    label = {"label": 3}
    ends = [http.generate(model, seed=seed, params=label, format="npy").array[0] for seed in (5, 6)]
    way, again = (
        client.interpolate(model, 4, seed=5, seed_to=6, params=label, format="npy").array for client in (http, grpc)
    )
    assert way.tobytes() == again.tobytes()
    for found, meant in ((way[0], ends[0]), (way[-1], ends[1])):
        assert np.allclose(found, meant, atol=1e-3)
    between = [float(np.abs(frame - ends[0]).mean()) for frame in way]
    assert between == sorted(between)


def test_offspring_is_near_its_parents(http: Client) -> None:
    parent, other = picture(http, "glyphs-vae", 3), picture(http, "glyphs-vae", 3)[:, :, ::-1]
    near, far = (
        http.vary("glyphs-vae", parent, n=4, seed=1, params={"label": 3}, strength=strength).array
        for strength in (0.1, 1.0)
    )
    assert np.abs(near - parent).mean() < np.abs(far - parent).mean()
    crossed = {
        share: http.generate(
            "glyphs-vae", seed=1, operation="cross", params={"label": 3, "share": share},
            inputs={"image": parent, "other": other},
        ).array[0]
        for share in (0.0, 1.0)
    }  # fmt: skip
    assert np.abs(crossed[0.0] - parent).mean() < np.abs(crossed[1.0] - parent).mean()
    kin = {"parent_seed": 5, "other_seed": 6, "label": 3}
    born = http.generate("glyphs-gan", n=2, seed=1, operation="cross", params={**kin, "share": 0.0}, format="npy")
    mother = http.generate("glyphs-gan", seed=5, params={"label": 3}, format="npy").array[0]
    for child in born.array:
        assert np.allclose(child, mother, atol=1e-3)


def test_tones_sound_the_note_on_the_instrument_and_tell_what_was_drawn(http: Client, grpc: Client) -> None:
    """What is not said is drawn and told; pitch and timbre are those that were told."""
    said = http.generate("tones-vae", n=24, seed=3, params={"note": 21, "timbre": 2})
    drawn = grpc.generate("tones-vae", n=96, seed=4, params={"timbre": 3})
    for answer in (said, drawn):
        notes, timbres = (np.array([int(str(s.outputs[name])) for s in answer.samples]) for name in ("note", "timbre"))
        sounds = torch.from_numpy(np.stack([np.asarray(s.outputs["audio"]) for s in answer.samples]))
        assert sounds.shape[1:] == (1, tones.SAMPLES)
        heard = tones_classifier.verdict(sounds, torch.from_numpy(notes * len(tones.TIMBRES) + timbres))
        assert heard["pitch_accuracy"] > 0.9
        assert heard["timbre_accuracy"] > 0.85
    assert {int(str(s.outputs["note"])) for s in said.samples} == {21}
    assert {int(str(s.outputs["timbre"])) for s in drawn.samples} == {3}
    assert len({int(str(s.outputs["note"])) for s in drawn.samples}) > 12


def test_a_note_that_there_is_not_is_refused(http: Client) -> None:
    with pytest.raises(InvalidArgument, match=r"params\.note: 24 is not allowed; allowed: an integer from -1 to 23"):
        http.generate("tones-vae", params={"note": 24})


def test_a_sound_is_encoded_and_decoded_again(http: Client, grpc: Client) -> None:
    sounds, labels = tones.tones("heldout", 4)
    for sound, label in zip(sounds, labels, strict=True):
        params = {"note": int(label) // 4, "timbre": int(label) % 4}
        again = grpc.generate("tones-vae", operation="reconstruct", params=params, inputs={"audio": sound})
        code = http.generate("tones-vae", operation="encode", params=params, inputs={"audio": sound})
        mean = np.asarray(code.samples[0].outputs["mean"])
        decoded = http.generate("tones-vae", operation="decode", params=params, inputs={"latent": mean})
        found = np.asarray(again.samples[0].outputs["audio"])
        assert np.asarray(decoded.samples[0].outputs["audio"]).tobytes() == found.tobytes()
        assert hearing.log_spectral_distance(found, sound)[0] < 4.0


def test_a_digit_moves_and_stays_what_it_is(grpc: Client) -> None:
    answer = grpc.generate("motion-diffusion", n=40, seed=5)
    videos = np.stack([np.asarray(sample.outputs["video"]) for sample in answer.samples])
    labels = torch.tensor([int(str(sample.outputs["label"])) for sample in answer.samples])
    seen = tracking.verdict(torch.from_numpy(videos) / 2 + 0.5, labels)
    assert seen["frame_accuracy"] > 0.9
    assert seen["steady_share"] > 0.7
    assert 0.04 < seen["speed"] < 0.1
