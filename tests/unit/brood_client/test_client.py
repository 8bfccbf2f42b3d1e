"""The client against a server of either kind: the same answers and the same errors over either transport."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from brood.protocol import errors
from brood_client import (
    Accepted,
    BroodError,
    Cancelled,
    Client,
    DeadlineExceeded,
    DeadlineInfeasible,
    DeterminismUnavailable,
    Done,
    Event,
    Generation,
    InvalidArgument,
    ModelNotFound,
    ModelUnavailable,
    NotReady,
    Options,
    Overloaded,
    Preview,
    Progress,
    RowFailed,
    Sample,
    Usage,
)
from helpers.backend import ALTERNATIVES, IMAGE, STEPS_PER_ROW, sample_of
from helpers.sdk import Service


async def test_samples_and_everything_about_them(service: Service) -> None:
    made = await service.call(lambda client: client.generate("tiny", n=3, seed=7, index=2, params={"label": 3}))
    head = (made.model, made.version, made.operation, made.seed, made.determinism)
    assert head == ("tiny", 2, "generate", 7, "exact")
    generation = service.backend.submitted[0]
    assert made.id == generation.request_id
    assert [(sample.index, sample.seed) for sample in made.samples] == [(2, 7), (3, 7), (4, 7)]
    for row, sample in enumerate(made.samples):
        expected = sample_of(generation, row).outputs
        assert list(sample.outputs) == ["label", "sample"]
        assert sample.outputs["label"] == expected["label"].item()
        np.testing.assert_array_equal(sample.outputs["sample"], expected["sample"])
    assert made.array.shape == (3, 1, 28, 28)
    assert made.array.dtype == np.float32


async def test_a_drawn_seed_makes_the_same_again(service: Service) -> None:
    first = await service.call(lambda client: client.generate("tiny"))
    again = await service.call(lambda client: client.generate("tiny", seed=first.seed))
    np.testing.assert_array_equal(first.array, again.array)


async def test_arrays_go_in(service: Service) -> None:
    pictures = np.linspace(-1, 1, 2 * 28 * 28).reshape(2, 1, 28, 28).astype(np.float32)
    made = await service.call(
        lambda client: client.generate("tiny", n=2, seed=7, operation="reconstruct", inputs={"image": pictures})
    )
    np.testing.assert_array_equal(service.backend.submitted[0].inputs["image"], pictures)
    assert made.operation == "reconstruct"


async def test_what_is_asked_for_reaches_the_engine(service: Service) -> None:
    await service.call(lambda client: client.generate("tiny", priority="bulk", determinism="exact"))
    await service.call(lambda client: client.generate("tiny"))
    orders = [(order.priority, order.exact) for order in service.backend.submitted]
    assert orders == [("bulk", True), ("interactive", False)]


async def test_numbers_come_out(service: Service) -> None:
    image = np.zeros((1, 28, 28), np.float32)
    made = await service.call(
        lambda client: client.generate("tiny", seed=7, operation="score", inputs={"image": image}, version=1)
    )
    assert made.version == 1
    assert made.samples[0].outputs == {"log_likelihood": 1.0}
    assert type(made.samples[0].outputs["log_likelihood"]) is float


async def test_models(service: Service) -> None:
    models = await service.call(lambda client: client.models())
    assert [(model.name, model.version, model.state) for model in models] == [
        ("broken", 1, "failed"),
        ("slow", 1, "loading"),
        ("tiny", 1, "ready"),
        ("tiny", 2, "ready"),
    ]
    assert models[0].reason == "graph.onnx: its sha256 is not the one in the manifest"
    assert list(models[3].operations) == ["complete", "generate", "reconstruct", "score", "vary"]


@pytest.mark.parametrize(
    ("verb", "kind", "field"),
    [
        (lambda client: client.generate("tiny", n=0), InvalidArgument, "n"),
        (lambda client: client.generate("tiny", seed=-1), InvalidArgument, "seed"),
        (lambda client: client.generate("tiny", seed=2**63), InvalidArgument, "seed"),
        (lambda client: client.generate("tiny", params={"label": 11}), InvalidArgument, "params.label"),
        (lambda client: client.generate("tiny", operation="dream"), InvalidArgument, "operation"),
        (
            lambda client: client.generate("tiny", operation="reconstruct", inputs={"image": np.zeros((2, 2), "f4")}),
            InvalidArgument,
            "inputs.image",
        ),
        (lambda client: client.generate("tinny"), ModelNotFound, "model"),
        (lambda client: client.generate("broken"), ModelUnavailable, "model"),
        (lambda client: client.generate("tiny", priority="urgent"), InvalidArgument, "priority"),
        (
            lambda client: client.generate(
                "tiny", operation="score", determinism="exact", inputs={"image": np.zeros((1, 28, 28), "f4")}
            ),
            DeterminismUnavailable,
            "determinism",
        ),
        (lambda client: client.generate("tiny", n=4000, timeout_s=0.9), DeadlineInfeasible, "deadline_ms"),
    ],
)
async def test_errors_are_typed_and_name_the_field(
    service: Service, verb: Callable[[Client], object], kind: type[BroodError], field: str
) -> None:
    error = await service.error(verb)
    assert type(error) is kind
    assert error.field == field
    assert error.message.startswith(f"{field}: ")


async def test_an_error_has_code_and_request_id(service: Service) -> None:
    error = await service.error(lambda client: client.generate("tiny", params={"label": 11}))
    assert error.code == "invalid_argument"
    assert error.request_id is not None
    assert str(error) == "params.label: 11 is not allowed; allowed: an integer from -1 to 9"


async def test_an_error_without_a_class_keeps_its_code(service: Service) -> None:
    service.backend.failure = errors.BundleError("its files are gone")
    error = await service.error(lambda client: client.generate("tiny"))
    assert (type(error), error.code, error.message) == (BroodError, "bundle_error", "its files are gone")


async def test_a_failed_sample(service: Service) -> None:
    service.backend.failure = errors.RowFailed("sample 4 is not finite", index=4)
    error = await service.error(lambda client: client.generate("tiny", index=4))
    assert (type(error), error.index) == (RowFailed, 4)
    assert len(service.backend.submitted) == 1


async def test_a_full_queue(service: Service) -> None:
    service.backend.refusal = errors.Overloaded("16384 rows are queued", retry_after_s=90.0)
    error = await service.error(lambda client: client.generate("tiny"))
    assert type(error) is Overloaded
    assert error.retry_after_s == 90.0
    assert error.retryable


async def test_the_timeout_travels_as_the_deadline(service: Service) -> None:
    await service.call(lambda client: client.generate("tiny", timeout_s=30.0))
    await service.call(lambda client: client.generate("tiny", timeout_s=None))
    first, second = (generation.deadline for generation in service.backend.submitted)
    assert first is not None
    assert 0 < first - service.backend.clock <= 30
    assert second is None


async def test_the_server_says_that_the_deadline_passed(service: Service) -> None:
    service.backend.failure = errors.DeadlineExceeded("the deadline passed after 0 of 1 samples")
    error = await service.error(lambda client: client.generate("tiny", timeout_s=30.0))
    assert type(error) is DeadlineExceeded
    assert error.message == "the deadline passed after 0 of 1 samples"


async def test_a_model_that_is_loading(service: Service) -> None:
    with Client(service.url, retries=0) as client:
        error = await asyncio.to_thread(_error_of, client, "slow")
    assert type(error) is NotReady
    assert error.field == "model"


def _error_of(client: Client, model: str) -> BroodError:
    with pytest.raises(BroodError) as caught:
        client.generate(model)
    return caught.value


async def test_one_model_with_everything_about_it(service: Service) -> None:
    model = await service.call(lambda client: client.model("tiny"))
    assert (model.name, model.version, model.state, model.device, model.numerics_id) == (
        "tiny",
        2,
        "ready",
        "fake",
        "5eed",
    )
    assert (model.provider, model.precision) == ("FakeProvider", "float16")
    assert model.fallback == {"main": {"Shape": 2, "Gather": 1}}
    assert (model.certificate, model.state_bytes) == ({"main": (1, 8)}, 4096)
    assert model.operations["vary"].params["sampler"].alternatives == ALTERNATIVES
    generate = model.operations["generate"]
    assert generate.previews
    assert generate.determinism == "exact"
    label = generate.params["label"]
    assert (label.type, label.default, label.minimum, label.maximum) == ("int", -1, -1, 9)
    assert generate.params["style"].choices == ("thin", "bold")
    assert generate.outputs["sample"].shape == IMAGE
    assert model.operations["complete"].params["steps"].default is None
    image = model.operations["reconstruct"].inputs["image"]
    assert (image.kind, image.dtype, image.shape, image.minimum) == ("image", "float32", IMAGE, -1.0)
    assert (await service.call(lambda client: client.model("tiny", 1))).version == 1
    assert type(await service.error(lambda client: client.model("tinny"))) is ModelNotFound


@pytest.mark.parametrize(
    ("verb", "operation"),
    [
        (lambda client, image: client.reconstruct("tiny", image), "reconstruct"),
        (lambda client, image: client.vary("tiny", image, strength=0.25), "vary"),
        (lambda client, image: client.score("tiny", image), "score"),
        (lambda client, image: client.run("tiny", "score", inputs={"image": image}), "score"),
    ],
)
async def test_verbs_are_operations(
    service: Service, verb: Callable[[Client, object], Generation], operation: str
) -> None:
    image = np.linspace(-1, 1, math.prod(IMAGE), dtype=np.float32).reshape(IMAGE)
    made = await service.call(lambda client: verb(client, image))
    order = service.backend.submitted[0]
    assert made.operation == order.operation == operation
    np.testing.assert_array_equal(order.inputs["image"][0], image)
    assert order.params.get("strength", 0.25) == 0.25


async def test_complete_gives_what_is_known(service: Service) -> None:
    known = np.array([[1, 0, 1], [0, 1, 0]], np.uint8)
    options: Options = {"inputs": {"known": known}, "params": {"steps": 4}}
    made = await service.call(lambda client: client.run("tiny", "complete", **options))
    assert made.arrays["sample"].shape == (1, 2, 3)
    assert made.arrays["energy"].shape == (1,)


async def test_the_seed_is_fixed_before_the_first_try(service: Service) -> None:
    first = await service.call(lambda client: client.generate("tiny"))
    second = await service.call(lambda client: client.generate("tiny"))
    assert 0 <= first.seed < 2**53
    assert first.seed != second.seed
    assert [order.seed for order in service.backend.submitted] == [first.seed, second.seed]


async def test_pictures_as_the_server_makes_them(service: Service) -> None:
    raw = await service.call(lambda client: client.generate("tiny", n=2, seed=7))
    png = await service.call(lambda client: client.generate("tiny", n=2, seed=7, format="png"))
    for mine, theirs in zip(raw, png, strict=True):
        np.testing.assert_array_equal(mine.picture().pixels, theirs.picture().pixels)
    assert png[0].png.startswith(b"\x89PNG")
    assert b"trainedAlgorithmicMedia" in raw[0].png


async def test_what_happens_on_the_way(service: Service) -> None:
    def events(client: Client) -> list[Event]:
        return list(client.stream("tiny", n=2, seed=7, index=5, preview_every=1, progress_every=1))

    happened = await service.call(events)
    accepted, *middle, done = happened
    assert isinstance(accepted, Accepted)
    assert (accepted.model, accepted.seed, accepted.n) == ("tiny", 7, 2)
    assert isinstance(done, Done)
    assert done.usage == Usage(2, 2 * STEPS_PER_ROW)
    samples = [event for event in middle if isinstance(event, Sample)]
    whole = await service.call(lambda client: client.generate("tiny", n=2, seed=7, index=5))
    assert sorted(samples, key=lambda sample: sample.index) == list(whole.samples)
    previews = [event for event in middle if isinstance(event, Preview)]
    assert {(preview.index, preview.step, preview.of) for preview in previews} == {
        (5, 1, 3),
        (5, 2, 3),
        (6, 1, 3),
        (6, 2, 3),
    }
    assert previews[0].picture().pixels.shape == IMAGE[1:]
    progress = [event for event in middle if isinstance(event, Progress)]
    assert [event.steps for event in progress] == [2, 4, 6]
    assert progress[-1].of == 6


async def test_a_stream_comes_to_an_answer(service: Service) -> None:
    def result(client: Client) -> Generation:
        with client.stream("tiny", n=3, seed=7) as stream:
            assert next(stream) == stream.accepted
            return stream.result()

    assert (await service.call(result)).samples == (
        await service.call(lambda client: client.generate("tiny", n=3, seed=7))
    ).samples


async def test_a_stream_shows_how_far_it_is(service: Service) -> None:
    def shown(client: Client) -> list[str]:
        stream = client.stream("tiny", n=2, seed=7, request_id="mine")
        return [repr(stream), repr((next(stream), stream)[1]), repr((next(stream), stream)[1])]

    assert await service.call(shown) == [
        "<Stream of which nothing is known yet>",
        "<Stream mine: tiny 2 generate, 0 of 2 samples, seed 7>",
        "<Stream mine: tiny 2 generate, 1 of 2 samples, seed 7>",
    ]


async def test_models_show_themselves_in_short(service: Service) -> None:
    shown = [repr(model) for model in await service.call(lambda client: client.models())]
    assert "<Model broken 1: failed; graph.onnx: its sha256 is not the one in the manifest>" in shown
    assert "<Model tiny 2: ready; complete, generate, reconstruct, score, vary>" in shown


async def test_after_its_end_a_client_is_of_no_use(service: Service) -> None:
    def after(client: Client) -> None:
        client.close()
        client.models()

    with pytest.raises(RuntimeError, match="has been closed"):
        await service.call(after)


@pytest.mark.parametrize("retries", [-1, 1.5, True, "many"])
def test_retries_are_a_number(retries: Any) -> None:
    with pytest.raises(ValueError, match=r"retries: .* is not allowed; allowed: an integer, 0 ≤ retries"):
        Client("http://localhost", retries=retries)


async def test_a_stream_that_is_refused(service: Service) -> None:
    error = await service.error(lambda client: list(client.stream("tiny", params={"label": 11})))
    assert (type(error), error.field) == (InvalidArgument, "params.label")
    error = await service.error(lambda client: client.stream("tiny", operation="score", preview_every=1).result())
    assert type(error) is InvalidArgument


async def test_a_stream_that_fails_on_its_way(service: Service) -> None:
    service.backend.failure = errors.RowFailed("sample 0 is not finite", index=0)
    error = await service.error(lambda client: client.stream("tiny").result())
    assert (type(error), error.message, error.index) == (RowFailed, "sample 0 is not finite", 0)
    assert error.request_id is not None


async def test_a_stream_that_was_left_has_no_answer(service: Service) -> None:
    def left(client: Client) -> Generation:
        stream = client.stream("tiny")
        next(stream)
        stream.close()
        return stream.result()

    assert type(await service.error(left)) is Cancelled


async def test_leaving_a_stream_cancels_on_the_server(service: Service) -> None:
    service.backend.held = asyncio.Event()

    def leave(client: Client) -> None:
        for event in client.stream("tiny", n=4, seed=7):
            if isinstance(event, Sample):
                break

    await service.call(leave)
    assert await asyncio.wait_for(service.backend.ended.get(), 5) == service.backend.submitted[0].request_id


async def test_an_error_inside_the_loop_cancels_on_the_server(service: Service) -> None:
    service.backend.held = asyncio.Event()

    def fail(client: Client) -> None:
        with pytest.raises(ZeroDivisionError), client.stream("tiny", n=4) as stream:
            for _ in stream:
                _ = 1 // 0

    await service.call(fail)
    assert await asyncio.wait_for(service.backend.ended.get(), 5) == service.backend.submitted[0].request_id


async def test_cancelling_by_id(service: Service) -> None:
    service.backend.held = asyncio.Event()
    waiting = asyncio.create_task(service.error(lambda client: client.generate("tiny", n=2, request_id="mine-7")))
    assert await asyncio.wait_for(service.backend.started.get(), 5) == "mine-7"
    assert await service.call(lambda client: client.cancel("mine-7")) is True
    error = await waiting
    assert (type(error), error.request_id) == (Cancelled, "mine-7")
    assert await service.call(lambda client: client.cancel("mine-7")) is False


async def test_options_that_there_are_not(service: Service) -> None:
    options: Any = {"label": 3}
    with pytest.raises(TypeError, match=r"label: no such option \(parameters of the model go into params\)"):
        await service.call(lambda client: client.generate("tiny", **options))


async def test_a_bar_on_standard_error(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    made = await service.call(lambda client: client.generate("tiny", n=3, seed=7, progress=True))
    assert made.samples == (await service.call(lambda client: client.generate("tiny", n=3, seed=7))).samples
    out, err = capsys.readouterr()
    assert out == ""
    assert "3/3" in err.replace(".0", "")
