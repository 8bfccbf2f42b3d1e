"""One list of requests and what every transport must make of them, over the fake backend of ``helpers.backend``.

A request is written as the JSON body of ``POST /v1/generations``; each transport's test translates it, sends it and
hands back what came: samples as arrays, or an error's code and field. ``json_only`` marks requests that other
transports cannot even write down (a seed that is a string).
"""

from __future__ import annotations

import base64
import io
import math
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile

from brood.media.encode import Stamp, encode_output
from brood.media.formats import format_of
from brood.media.png import write_png
from brood.protocol.requests import Generation, OutputChoice
from helpers.backend import IMAGE, MOTION, MOVER, RATE_HZ, SINGER, SOUND, manifest, sample_of

Request = dict[str, Any]
NEWEST = 2  # version of "tiny" that answers when none is asked for


@dataclass(frozen=True)
class Refusal:
    """What a bad request comes to."""

    code: str
    field: str | None = None


@dataclass(frozen=True)
class Scenario:
    """One request and what becomes of it: a refusal, or (None) the samples of `expected`.

    Those of `STREAMED` give samples as a stream, and are refused where the answer comes whole.
    """

    name: str
    request: Request
    refusal: Refusal | None = None
    inputs: dict[str, np.ndarray] | None = None  # what the inputs mean, each [n, *shape]
    json_only: bool = False


def picture(n: int = 1) -> np.ndarray:
    """``n`` different pictures, float32 [n, 1, 28, 28] in −1 … 1, exactly representable."""
    ramp = np.arange(n * math.prod(IMAGE)) % 65
    return (ramp.reshape(n, *IMAGE) / 32.0 - 1.0).astype(np.float32)


def npy(array: np.ndarray) -> dict[str, str]:
    """An array as an input in npy form."""
    stream = io.BytesIO()
    np.save(stream, array)
    return {"b64": base64.b64encode(stream.getvalue()).decode(), "format": "npy"}


def png(content: bytes) -> dict[str, str]:
    """A file as an input in PNG form, whatever it is."""
    return {"b64": text_of(content), "format": "png"}


def text_of(content: bytes) -> str:
    """Base64."""
    return base64.b64encode(content).decode()


def picture_pixels() -> np.ndarray:
    """A picture of the right size, uint8 [28, 28]."""
    return np.arange(math.prod(IMAGE), dtype=np.uint8).reshape(IMAGE[1:])


def huge_png() -> bytes:
    """A small file that says it is 65535 x 65535 pixels."""
    whole = bytearray(write_png(picture_pixels()))
    whole[16:24] = struct.pack(">II", 65535, 65535)
    whole[29:33] = struct.pack(">I", zlib.crc32(whole[12:29]))
    return bytes(whole)


def huge_npy() -> bytes:
    """A small file that says it has 2**60 numbers."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": (2**30, 2**30)})
    return stream.getvalue() + bytes(64)


def raw(array: np.ndarray) -> dict[str, Any]:
    """An array as an input in raw form."""
    text = base64.b64encode(array.tobytes()).decode()
    return {"b64": text, "format": "raw", "dtype": str(array.dtype), "shape": list(array.shape)}


def expected(scenario: Scenario) -> list[tuple[int, int, dict[str, np.ndarray]]]:
    """(index, seed, outputs) of every sample of a good scenario, in order of index."""
    request = scenario.request
    version, operation, n = request.get("version", NEWEST), request.get("operation", "generate"), request.get("n", 1)
    declared = manifest(request["model"], version).operations[operation].params
    params = {name: param.default for name, param in declared.items()} | request.get("params", {})
    generation = Generation(
        request_id="expected",
        model=request["model"],
        version=version,
        operation=operation,
        n=n,
        seed=request["seed"],
        index=request.get("index", 0),
        params=params,
        inputs=scenario.inputs or {},
        deadline=None,
    )
    samples = [sample_of(generation, row) for row in range(n)]
    return [(sample.index, sample.seed, dict(sample.outputs)) for sample in samples]


def _tiny(**rest: Any) -> Request:
    return {"model": "tiny", "seed": 7, "output": {"format": "npy"}, **rest}


def _good(name: str, request: Request, **inputs: np.ndarray) -> Scenario:
    return Scenario(name, request, inputs=inputs)


KNOWN = np.array([[1, 0, 1], [0, 1, 0]], np.uint8)

GOOD: tuple[Scenario, ...] = (
    _good("one sample, all defaults", _tiny()),
    _good("an older version", _tiny(version=1)),
    _good("raw bytes", _tiny(output={"format": "raw"})),
    _good("several samples from an index on", _tiny(n=5, index=3)),
    _good("the largest seed", _tiny(seed=2**63 - 1)),
    _good("a seed beyond 2**53", _tiny(seed=2**53 + 1)),
    _good(
        "a parameter of every type",
        _tiny(params={"label": 7, "temperature": 0.5, "flip": True, "style": "bold"}),
    ),
    _good("a whole number for a float parameter", _tiny(params={"temperature": 2})),
    _good(
        "an image for all samples, npy",
        _tiny(operation="reconstruct", n=2, inputs={"image": npy(picture()[0])}),
        image=np.repeat(picture(), 2, axis=0),
    ),
    _good(
        "an image for each sample, raw",
        _tiny(operation="reconstruct", n=3, inputs={"image": raw(picture(3))}),
        image=picture(3),
    ),
    _good(
        "scalar outputs",
        _tiny(operation="score", inputs={"image": npy(picture())}),
        image=picture(),
    ),
    _good(
        "an input as numbers, a required parameter, a tensor out",
        _tiny(operation="complete", params={"steps": 4}, inputs={"known": {"data": KNOWN.tolist()}}),
        known=KNOWN[None],
    ),
    _good("a deadline far away", _tiny(deadline_ms=60000.0)),
    _good("work that may wait", _tiny(priority="bulk")),
    _good("the same bits or none", _tiny(determinism="exact", n=2)),
    _good(
        "a schedule",
        _tiny(operation="vary", params={"steps": 49, "sampler": "dpmpp-2m"}, inputs={"image": npy(picture())}),
        image=picture(),
    ),
)


def _bad(name: str, request: Request, field: str | None, code: str = "invalid_argument", **rest: Any) -> Scenario:
    return Scenario(name, request, Refusal(code, field), **rest)


BAD: tuple[Scenario, ...] = (
    _bad("unknown model", {"model": "tinny"}, "model", "model_not_found"),
    _bad("unknown version", {"model": "tiny", "version": 9}, "version", "model_not_found"),
    _bad("version 0", {"model": "tiny", "version": 0}, "version"),
    _bad("a model that failed to load", {"model": "broken"}, "model", "model_unavailable"),
    _bad("a model that is loading", {"model": "slow"}, "model", "not_ready"),
    _bad("no model", {"model": ""}, "model"),
    _bad("unknown operation", _tiny(operation="dream"), "operation"),
    _bad("n is 0", _tiny(n=0), "n"),
    _bad("n is negative", _tiny(n=-1), "n"),
    _bad("n is enormous", _tiny(n=10**9), "n"),
    _bad("n is a string", _tiny(n="3"), "n", json_only=True),
    _bad("n has a decimal point", _tiny(n=3.0), "n", json_only=True),
    _bad("n is true", _tiny(n=True), "n", json_only=True),
    _bad("seed below its range", _tiny(seed=-1), "seed"),
    _bad("seed above its range", _tiny(seed=2**63), "seed", json_only=True),
    _bad("seed is a string", _tiny(seed="seven"), "seed", json_only=True),
    _bad("negative index", _tiny(index=-1), "index"),
    _bad("index too large", _tiny(index=2**53), "index"),
    _bad("last index too large", _tiny(index=2**53 - 1, n=2), "index"),
    _bad("unknown parameter", _tiny(params={"lable": 7}), "params.lable"),
    _bad("label 11", _tiny(params={"label": 11}), "params.label"),
    _bad("label below its range", _tiny(params={"label": -2}), "params.label"),
    _bad("label with a decimal point", _tiny(params={"label": 7.0}), "params.label"),
    _bad("label is true", _tiny(params={"label": True}), "params.label"),
    _bad("label is a string", _tiny(params={"label": "7"}), "params.label"),
    _bad("label is null", _tiny(params={"label": None}), "params.label", json_only=True),
    _bad("label is a list", _tiny(params={"label": [7]}), "params.label", json_only=True),
    _bad("label beyond 64 bits", _tiny(params={"label": 2**70}), "params.label", json_only=True),
    _bad("temperature NaN", _tiny(params={"temperature": math.nan}), "params.temperature"),
    _bad("temperature infinite", _tiny(params={"temperature": math.inf}), "params.temperature"),
    _bad("temperature out of range", _tiny(params={"temperature": 2.5}), "params.temperature"),
    _bad("temperature is a string", _tiny(params={"temperature": "hot"}), "params.temperature"),
    _bad("flip is 1", _tiny(params={"flip": 1}), "params.flip"),
    _bad("style is not a choice", _tiny(params={"style": "wide"}), "params.style"),
    _bad("style is a number", _tiny(params={"style": 3}), "params.style"),
    _bad(
        "a required parameter is missing",
        _tiny(operation="complete", inputs={"known": {"data": KNOWN.tolist()}}),
        "params.steps",
    ),
    _bad("a required input is missing", _tiny(operation="reconstruct"), "inputs.image"),
    _bad("unknown input", _tiny(inputs={"mask": {"data": [1]}}), "inputs.mask"),
    _bad(
        "input of the wrong shape",
        _tiny(operation="reconstruct", inputs={"image": npy(np.zeros((1, 27, 28), np.float32))}),
        "inputs.image",
    ),
    _bad(
        "input of the wrong dtype",
        _tiny(
            operation="complete",
            params={"steps": 4},
            inputs={"known": raw(np.array([[0.5, 1, 0], [1, 0, 1]], np.float32))},
        ),
        "inputs.known",
    ),
    _bad(
        "input with NaN",
        _tiny(operation="reconstruct", inputs={"image": raw(np.full(IMAGE, np.nan, np.float32))}),
        "inputs.image",
    ),
    _bad(
        "input that is not npy",
        _tiny(operation="reconstruct", inputs={"image": {"b64": "bm8=", "format": "npy"}}),
        "inputs.image",
    ),
    _bad(
        "input that is not base64",
        _tiny(operation="reconstruct", inputs={"image": {"b64": "?", "format": "npy"}}),
        "inputs.image.b64",
        json_only=True,
    ),
    *(
        _bad(name, _tiny(operation="reconstruct", inputs={"image": given}), "inputs.image")
        for name, given in (
            ("a picture of another size", png(write_png(np.zeros((27, 28), np.uint8)))),
            ("a picture that claims to be huge", png(huge_png())),
            ("a picture that is cut off", png(write_png(picture_pixels())[:-40])),
            ("a picture that is none", png(b"GIF89a")),
            ("npy that claims to be huge", {"b64": text_of(huge_npy()), "format": "npy"}),
            ("npy that is cut off", {"b64": text_of(base64.b64decode(npy(picture())["b64"])[:-1]), "format": "npy"}),
            ("npy of objects", npy(np.array([None]))),
            ("raw bytes that are too few", raw(picture()) | {"b64": text_of(picture().tobytes()[:-4])}),
            ("raw bytes that are too many", raw(picture()) | {"b64": text_of(picture().tobytes() + bytes(4))}),
            ("raw bytes of another dtype than the input", raw(picture().astype(np.float64))),
            ("raw bytes of no dtype", {"b64": text_of(picture().tobytes()), "format": "raw"}),
            ("a value out of range", npy(picture() * 2)),
        )
    ),
    _bad("input without a value", _tiny(operation="reconstruct", inputs={"image": {}}), "inputs.image"),
    _bad("unknown format", _tiny(output={"format": "bmp"}), "output.format"),
    _bad("a quality of what loses nothing", _tiny(output={"format": "npy", "quality": 50}), "output"),
    _bad("a quality beyond 100", _tiny(output={"format": "jpeg", "quality": 101}), "output.quality"),
    _bad("unknown field", _tiny(colour="red"), "colour", json_only=True),
    _bad("deadline 0", _tiny(deadline_ms=0.0), "deadline_ms"),
    _bad("deadline negative", _tiny(deadline_ms=-5.0), "deadline_ms"),
    _bad("deadline too short", _tiny(deadline_ms=0.05), "deadline_ms", "deadline_infeasible"),
    _bad("unknown priority", _tiny(priority="urgent"), "priority"),
    _bad("priority is a number", _tiny(priority=1), "priority", json_only=True),
    _bad("unknown determinism", _tiny(determinism="roughly"), "determinism"),
    _bad(
        "exact where it cannot be promised",
        _tiny(operation="score", determinism="exact", inputs={"image": npy(picture())}),
        "determinism",
        "determinism_unavailable",
    ),
    _bad("progress every 0 steps", _tiny(progress_every=0), "progress_every"),
    _bad("progress every half step", _tiny(progress_every=0.5), "progress_every", json_only=True),
    _bad("a preview every -1 steps", _tiny(preview_every=-1), "preview_every"),
    _bad(
        "previews of what has none",
        _tiny(operation="reconstruct", preview_every=1, inputs={"image": npy(picture())}),
        "preview_every",
    ),
    _bad(
        "a sampler that is not offered, with an alternative",
        _tiny(operation="vary", params={"sampler": "heun"}, inputs={"image": npy(picture())}),
        "params.sampler",
    ),
    _bad(
        "more steps than the schedule has",
        _tiny(operation="vary", params={"steps": 60}, inputs={"image": npy(picture())}),
        "params.steps",
    ),
)

# Sound and video: files come over every transport with the same bytes, those of `files_of`.


def sound(n: int = 1) -> np.ndarray:
    """``n`` different sounds, float32 [n, channels, samples] in −1 … 1, exact in 16 bits."""
    steps = np.arange(n * math.prod(SOUND)) * 37 % 2000 - 1000
    return (steps.reshape(n, *SOUND) / 2**15).astype(np.float32)


def sound_file(wave: np.ndarray, format: str = "wav", rate_hz: int = RATE_HZ) -> dict[str, str]:
    """A sound [channels, samples] as an input in the form of a file."""
    file = io.BytesIO()
    soundfile.write(file, wave.T, rate_hz, "PCM_16", format=format.upper())
    return {"b64": text_of(file.getvalue()), "format": format}


def files_of(scenario: Scenario) -> list[dict[str, bytes]]:
    """The file of every output of every sample, in order of index."""
    request = scenario.request
    model, operation = manifest(request["model"]), request.get("operation", "generate")
    choice = OutputChoice.model_validate(request.get("output", {}))
    files = []
    for index, seed, outputs in expected(scenario):
        stamp, declared = Stamp(model.name, model.version, operation, seed, index), model.operations[operation].outputs
        files.append(
            {
                name: bytes(
                    encode_output(
                        array,
                        declared[name],
                        model.sample,
                        format_of(declared[name], choice.format),
                        stamp,
                        choice.quality,
                    ).content
                )
                for name, array in outputs.items()
                if declared[name].kind != "scalar"
            }
        )
    return files


def _singer(**rest: Any) -> Request:
    return {"model": SINGER, "version": 1, "seed": 7, **rest}


def _mover(**rest: Any) -> Request:
    return {"model": MOVER, "version": 1, "seed": 7, **rest}


SHOWN: tuple[Scenario, ...] = (
    _good("sound, as it comes", _singer(n=2)),
    _good("sound as flac", _singer(output={"format": "flac"})),
    _good("sound as numbers", _singer(output={"format": "raw"})),
    _good("video, as it comes", _mover(n=2)),
    *(_good(f"video as {form}", _mover(output={"format": form})) for form in ("webm", "webp", "apng", "gif", "npy")),
    _good("video of less quality", _mover(output={"format": "mp4", "quality": 10})),
    *(
        _good(f"sound from {name}", _singer(operation="reconstruct", n=2, inputs={"audio": given}), audio=twice)
        for name, given, twice in (
            ("a wav file", sound_file(sound()[0]), np.repeat(sound(), 2, 0)),
            ("a flac file", sound_file(sound()[0], "flac"), np.repeat(sound(), 2, 0)),
            ("numbers, one for each", raw(sound(2)), sound(2)),
        )
    ),
    _good(
        "video from numbers",
        _mover(operation="reconstruct", inputs={"video": npy(np.zeros(MOTION, np.float32))}),
        video=np.zeros((1, *MOTION), np.float32),
    ),
)

UNSHOWN: tuple[Scenario, ...] = (
    _bad("sound as a picture", _singer(output={"format": "png"}), "output.format"),
    _bad("sound as video", _singer(output={"format": "mp4"}), "output.format"),
    _bad("video as a still picture", _mover(output={"format": "jpeg"}), "output.format"),
    _bad("video as sound", _mover(output={"format": "wav"}), "output.format"),
    _bad("a quality of sound", _singer(output={"format": "flac", "quality": 50}), "output"),
    *(
        _bad(name, _singer(operation="reconstruct", inputs={"audio": given}), "inputs.audio")
        for name, given in (
            ("sound of another rate", sound_file(sound()[0], rate_hz=16000)),
            ("sound of fewer channels", sound_file(sound()[0, :1])),
            ("sound that is longer", sound_file(np.repeat(sound()[0], 2, axis=1), "flac")),
            ("sound that is shorter", sound_file(sound()[0, :, :-1])),
            ("sound that is cut off", {"b64": sound_file(sound()[0])["b64"][:400], "format": "wav"}),
            ("a flac file that says wav", sound_file(sound()[0], "flac") | {"format": "wav"}),
            ("sound that is a picture", png(write_png(picture_pixels()))),
            ("sound that is nothing", {"b64": text_of(b"RIFF"), "format": "wav"}),
        )
    ),
    _bad(
        "a picture that is sound",
        _tiny(operation="reconstruct", inputs={"image": sound_file(sound()[0])}),
        "inputs.image",
    ),
    _bad(
        "video that is sound",
        _mover(operation="reconstruct", inputs={"video": sound_file(sound()[0])}),
        "inputs.video",
    ),
)

STREAMED: tuple[Scenario, ...] = (
    _bad("progress", _tiny(n=3, progress_every=2), "progress_every", inputs={}),
    _bad("previews", _tiny(n=2, preview_every=1), "preview_every", inputs={}),
    _bad("progress and previews", _tiny(progress_every=1, preview_every=2), "progress_every", inputs={}),
)
