"""A backend without an engine: samples are a pure function of the checked request, and a test steers what happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import numpy as np

from brood.protocol.errors import BroodError, Cancelled, DeadlineInfeasible, DeterminismUnavailable, ModelNotFound
from brood.protocol.events import Accepted, Determinism, Done, Event, Failed, Preview, Progress, Sample, Usage
from brood.protocol.manifest import Manifest, Output
from brood.protocol.models import ModelState, ModelStatus
from brood.protocol.requests import Generation
from brood.sampling.noise import noise

IMAGE = (1, 28, 28)
STEPS_PER_ROW = 3
STEP_S = 1e-4  # what a step is predicted to take
GUARANTEES: Mapping[str, Determinism] = {
    "generate": "exact",
    "reconstruct": "tolerance",
    "score": "none",
    "complete": "exact",
    "vary": "tolerance",
}
TRAIN_STEPS = 50  # of the schedule of "vary": its sampler takes no more


ALTERNATIVES = {"heun": "dpmpp-2m: it calls the network once a step"}


PAINTER, SINGER, MOVER = "painter", "singer", "mover"
SOUND = (2, 240)  # channels, samples
RATE_HZ, FPS = 8000, 12.5
MOTION = (4, 3, 6, 8)  # frames, channels, height, width


@cache
def manifest(name: str = "tiny", version: int = 1) -> Manifest:
    """A model with a parameter of every type, inputs of pictures and tensors, outputs of both and scalars.

    There are three others: `PAINTER` takes pictures, `SINGER` makes sound, `MOVER` video.
    """
    match name:
        case "painter":
            return _painter()
        case "singer":
            return _shown(SINGER, "audio", SOUND, {"layout": "CT", "sample_rate_hz": RATE_HZ})
        case "mover":
            return _shown(MOVER, "video", MOTION, {"layout": "TCHW", "fps": FPS})
        case _:
            return _tiny(name, version)


def _shown(name: str, kind: str, shape: tuple[int, ...], sample: dict[str, object]) -> Manifest:
    """A model that makes one thing, with previews and a scalar, and reconstructs it."""
    words = _tiny(name, 1).model_dump()
    generate, reconstruct = words["operations"]["generate"], words["operations"]["reconstruct"]
    made = {"dtype": "float32", "shape": shape, "kind": kind}
    given = {**made, "minimum": -1.0, "maximum": 1.0, "description": f"{kind} to make again"}
    operations = {
        "generate": {**generate, "outputs": {**generate["outputs"], "sample": made}},
        "reconstruct": {**reconstruct, "inputs": {kind: given}, "outputs": {"sample": made}},
    }
    told = {"modality": kind, "sample": {"range": [-1.0, 1.0], **sample}}
    return Manifest.model_validate({**words, "operations": operations, **told})


def _painter() -> Manifest:
    """A model that takes pictures: it completes those that have holes, and varies them."""
    words = _tiny(PAINTER, 1).model_dump()
    picture = words["operations"]["vary"]["inputs"]["image"]
    mask = {**picture, "minimum": 0.0, "maximum": 1.0, "description": "where it is kept"}
    label = {"label": words["operations"]["generate"]["params"]["label"]}
    operations = {
        name: {**words["operations"]["generate"], "params": {**label, "steps": _param("int", 4, minimum=1)}}
        for name in ("generate", "complete", "vary")
    }
    operations["complete"]["inputs"] = {"image": picture, "mask": mask}
    operations["vary"]["inputs"] = {"image": picture}
    return Manifest.model_validate({**words, "operations": operations})


def _tiny(name: str, version: int) -> Manifest:
    drawn = {"dtype": "float32", "role": "noise", "noise": {"distribution": "uniform", "stream": 0}}
    graph = {"file": "graph.onnx", "runtime": "fake", "buckets": [1, 8], "inputs": {"noise": drawn}, "outputs": {}}
    image = {"dtype": "float32", "shape": IMAGE, "kind": "image"}
    picture = {**image, "minimum": -1.0, "maximum": 1.0, "description": "a picture"}
    stages = [{"graph": "main"}]
    return Manifest.model_validate(
        {
            "format": "brood/1",
            "name": name,
            "version": version,
            "family": "function",
            "modality": "image",
            "domain": "continuous",
            "description": "a model for tests",
            "license": "Apache-2.0",
            "created": datetime(2026, 1, 1, tzinfo=UTC),
            "provenance": {},
            "files": {"graph.onnx": "0" * 64},
            "graphs": {"main": graph},
            "sample": {"range": [-1.0, 1.0]},
            "schedule": {
                "kind": "diffusion",
                "numbers": {"train_steps": TRAIN_STEPS, "beta_start": 1e-4, "beta_end": 0.02},
                "words": {"betas": "linear", "prediction": "epsilon"},
            },
            "operations": {
                "generate": {
                    "params": {
                        "label": _param("int", -1, minimum=-1, maximum=9),
                        "temperature": _param("float", 1.0, minimum=0.0, maximum=2.0),
                        "flip": _param("bool", False),
                        "style": _param("str", "thin", choices=["thin", "bold"]),
                    },
                    "stages": stages,
                    "preview": {"graph": "main"},
                    "outputs": {
                        "sample": image,
                        "label": {"dtype": "int64", "kind": "scalar"},
                    },
                },
                "reconstruct": {"inputs": {"image": picture}, "stages": stages, "outputs": {"sample": image}},
                "score": {
                    "inputs": {"image": picture},
                    "stages": stages,
                    "outputs": {"log_likelihood": {"dtype": "float64", "kind": "scalar"}},
                },
                "complete": {
                    "inputs": {"known": {"kind": "tensor", "dtype": "uint8", "shape": [2, 3], "description": "given"}},
                    "params": {"steps": _param("int", None, minimum=1, maximum=100)},
                    "stages": stages,
                    "outputs": {
                        "sample": {"dtype": "uint8", "shape": [2, 3], "kind": "tensor"},
                        "energy": {"dtype": "float32", "kind": "scalar"},
                    },
                },
                "vary": {
                    "inputs": {"image": picture},
                    "params": {
                        "steps": _param("int", 4, minimum=1, maximum=100),
                        "strength": _param("float", 0.5, minimum=0.1, maximum=1.0),
                        "sampler": _param("str", "ddim", choices=["ddim", "dpmpp-2m"], alternatives=ALTERNATIVES),
                    },
                    "stages": [{"graph": "main", "repeat": "schedule"}],
                    "outputs": {"sample": image},
                },
            },
        }
    )


def _param(kind: str, default: object, **rest: object) -> dict[str, object]:
    return {"type": kind, "default": default, "description": f"a parameter of type {kind}", **rest}


def ready(name: str = "tiny", version: int = 1) -> ModelStatus:
    """A model that is ready."""
    return ModelStatus(
        name,
        version,
        "ready",
        manifest=manifest(name, version),
        determinism=GUARANTEES,
        numerics_id="5eed",
        certificate={"main": (1, 8)},
        device="fake",
        provider="FakeProvider",
        precision="float16",
        fallback={"main": {"Shape": 2, "Gather": 1}},
        state_bytes=4096,
    )


STATUSES: tuple[ModelStatus, ...] = (
    ModelStatus("broken", 1, "failed", reason="graph.onnx: its sha256 is not the one in the manifest"),
    ModelStatus("slow", 1, "loading", manifest=manifest("slow")),
    ready("tiny", 1),
    ready("tiny", 2),
)
ALL = (*STATUSES, ready(SINGER), ready(MOVER))


def sample_of(generation: Generation, row: int) -> Sample:
    """What the fake makes of row ``row`` (from 0), out of seed, index, version, parameters and that row's inputs."""
    index = generation.index + row
    words = manifest(generation.model, generation.version)
    params = sum(float(len(value) if isinstance(value, str) else value) for value in generation.params.values())
    given = sum(float(value[row].sum(dtype=np.float64)) for value in generation.inputs.values())
    shift = generation.version + params / 8 + given / 64
    outputs = {
        name: _value(output, generation.seed, index, shift)
        for name, output in words.operations[generation.operation].outputs.items()
    }
    return Sample(index, generation.seed, outputs)


def _value(output: Output, seed: int, index: int, shift: float) -> np.ndarray:
    if output.kind == "scalar":
        return np.asarray(shift + index).astype(output.dtype)
    numbers = noise("uniform", seed=seed, stream=0, index=index, step=0, shape=output.shape)
    whole = np.dtype(output.dtype).kind in "iu"
    values = numbers * 200 + shift if whole else np.clip(numbers * 2 - 1 + np.float32(shift / 64), -1, 1)
    return np.asarray(values).astype(output.dtype)


def _on_the_way(generation: Generation, row: int) -> Iterator[Event]:
    """What is told of a row before it is finished; rows come from the last to the first."""
    finished, total = generation.n - 1 - row, STEPS_PER_ROW * generation.n
    whole = sample_of(generation, row)
    for step in range(1, STEPS_PER_ROW + 1):
        steps = STEPS_PER_ROW * finished + step
        if generation.progress_every and steps % (generation.progress_every * generation.n) == 0:
            yield Progress(steps, total, finished, generation.n, eta_s=STEP_S * (total - steps))
        if generation.preview_every and step < STEPS_PER_ROW and step % generation.preview_every == 0:
            yield Preview(whole.index, whole.seed, step, STEPS_PER_ROW, {"sample": -whole.outputs["sample"]})


class FakeBackend:
    """Answers at once, unless a test holds it, fails it or fills it.

    Of an unfinished row it shows the output ``sample`` as it will be, in negative.

    Attributes a test may set:
        statuses: what `models` says.
        clock: what `now` says.
        held: while set and cleared (an unset event), generations stop before their second sample.
        failure: an error that ends every generation before its second sample.
        refusal: an error that `submit` raises.
    """

    def __init__(self, statuses: Sequence[ModelStatus] = STATUSES) -> None:
        self.statuses = statuses
        self.wrong: Sequence[str] = ()  # what `problems` says
        self.reloaded: list[tuple[str, int | None]] = []
        self.clock = 100.0
        self.held: asyncio.Event | None = None
        self.failure: BroodError | None = None
        self.refusal: BroodError | None = None
        self.submitted: list[Generation] = []
        self.running: dict[str, asyncio.Event] = {}  # request id → set to cancel
        self.started: asyncio.Queue[str] = asyncio.Queue()  # ids of the generations that have begun, in order
        self.ended: asyncio.Queue[str] = asyncio.Queue()  # and of those whose iterators were closed
        self.closed: list[str] = []  # ids of the generations whose iterators were closed, in order

    def models(self) -> Sequence[ModelStatus]:
        """See `Backend.models`."""
        return self.statuses

    def now(self) -> float:
        """See `Backend.now`."""
        return self.clock

    def submit(self, generation: Generation) -> AsyncGenerator[Event, None]:
        """See `Backend.submit`."""
        if self.refusal is not None:
            raise self.refusal
        self._admit(generation)
        self.submitted.append(generation)
        return self._run(generation)

    async def load(self, name: str, version: int | None = None) -> None:
        """See `Backend.load`: whatever is known becomes ready."""
        self._become(name, version, "ready")

    async def unload(self, name: str, version: int | None = None) -> None:
        """See `Backend.unload`."""
        self._become(name, version, "unloaded")

    async def reload(self, name: str, version: int | None = None) -> None:
        """See `Backend.reload`."""
        self._become(name, version, "ready")
        self.reloaded.append((name, version))

    def problems(self) -> Sequence[str]:
        """See `Backend.problems`."""
        return self.wrong

    def _become(self, name: str, version: int | None, state: ModelState) -> None:
        there = {status.version for status in self.statuses if status.name == name}
        if not there:
            raise ModelNotFound(f"model: there is no {name!r} here", field="model")
        if version is not None and version not in there:
            raise ModelNotFound(f"version: {name} has no version {version} here", field="version")
        self.statuses = [
            replace(status, state=state, reason="")
            if status.name == name and version in (None, status.version)
            else status
            for status in self.statuses
        ]

    def cancel(self, request_id: str) -> bool:
        """See `Backend.cancel`."""
        stop = self.running.get(request_id)
        if stop is not None:
            stop.set()
        return stop is not None

    def _admit(self, generation: Generation) -> None:
        if generation.exact and GUARANTEES[generation.operation] != "exact":
            text = f"determinism: exact is not to be had of {generation.operation} here; allowed: any"
            raise DeterminismUnavailable(text, field="determinism")
        predicted_s = STEP_S * STEPS_PER_ROW * generation.n
        if generation.deadline is not None and generation.deadline - self.clock < predicted_s:
            text = f"deadline_ms: {generation.n} samples take about {predicted_s * 1000:g} ms; allowed: more than that"
            raise DeadlineInfeasible(text, field="deadline_ms")

    async def _run(self, generation: Generation) -> AsyncGenerator[Event, None]:
        stop = self.running[generation.request_id] = asyncio.Event()
        self.started.put_nowait(generation.request_id)
        try:
            yield self._accepted(generation)
            for row in reversed(range(generation.n)):  # rows may finish in any order
                if row < generation.n - 1 or generation.n == 1:
                    await self._pause(stop)
                if stop.is_set():
                    yield Failed(Cancelled(f"generation {generation.request_id} was cancelled"))
                    return
                if self.failure is not None:
                    yield Failed(self.failure)
                    return
                for event in _on_the_way(generation, row):
                    yield event
                yield sample_of(generation, row)
            yield Done(Usage(generation.n, STEPS_PER_ROW * generation.n, queue_ms=0.25, run_ms=1.5))
        finally:
            del self.running[generation.request_id]
            self.closed.append(generation.request_id)
            self.ended.put_nowait(generation.request_id)

    def _accepted(self, generation: Generation) -> Accepted:
        return Accepted(
            generation.request_id,
            generation.model,
            generation.version,
            generation.operation,
            generation.seed,
            generation.n,
            GUARANTEES[generation.operation],
        )

    async def _pause(self, stop: asyncio.Event) -> None:
        if self.held is None:
            return
        waits = [asyncio.ensure_future(event.wait()) for event in (self.held, stop)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
