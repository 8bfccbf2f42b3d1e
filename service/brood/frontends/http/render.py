"""A generation as an HTTP answer."""

from __future__ import annotations

from binascii import b2a_base64
from typing import Any

from pydantic_core import to_json

from brood.dataplane.result import Answer, Content, EncodedSample, Timing
from brood.media.encode import Encoded
from brood.protocol.errors import Internal
from brood.protocol.events import Accepted, Usage

Words = dict[str, Any]
Headers = tuple[tuple[bytes, bytes], ...]  # as ASGI has them: names in lower case
PER_BYTE_S = 3e-9  # base64 and JSON, per byte of content, measured


def render(answer: Answer) -> bytes:
    """The JSON body; numbers that JSON has not (infinities) become null."""
    samples = [sample_words(sample) for sample in answer.samples]
    return to_json(answer_words(answer, samples), inf_nan_mode="null")


def answer_words(answer: Answer, samples: list[Words]) -> Words:
    """A whole answer, with samples in whatever form."""
    return {**head_words(answer.accepted), "samples": samples, **end_words(answer.timing, answer.usage)}


def head_words(accepted: Accepted) -> Words:
    """What is known when a generation begins."""
    return {
        "id": accepted.request_id,
        "model": accepted.model,
        "version": accepted.version,
        "operation": accepted.operation,
        "seed": accepted.seed,
        "determinism": accepted.determinism,
    }


def sample_words(sample: EncodedSample) -> Words:
    """One sample."""
    outputs = {name: _plain(content) for name, content in sample.outputs.items()}
    return {"index": sample.index, "seed": sample.seed, "outputs": outputs}


def end_words(timing: Timing, usage: Usage) -> Words:
    """What is known when it has ended."""
    return {
        "timing": {
            "queue_ms": round(timing.queue_ms, 3),
            "run_ms": round(timing.run_ms, 3),
            "encode_ms": round(timing.encode_ms, 3),
        },
        "usage": {"rows": usage.rows, "steps": usage.steps},
    }


def _plain(content: Content) -> bool | int | float | dict[str, Any]:
    if not isinstance(content, Encoded):
        return content
    return content_words(content) | {"b64": b2a_base64(content.content, newline=False).decode("ascii")}


def content_words(content: Encoded) -> Words:
    """What an output's bytes are."""
    more = {"range": content.range, "sample_rate_hz": content.sample_rate_hz, "fps": content.fps}
    told = {name: value for name, value in more.items() if value is not None}
    return {"format": content.format, "dtype": content.dtype, "shape": content.shape, **told}


def content_of(answer: Answer, output: str) -> bytes:
    """The bytes of one output of the only sample."""
    content = answer.samples[0].outputs[output]
    if not isinstance(content, Encoded):
        raise Internal(f"output {output} has no bytes")
    return bytes(content.content)


def headers_of(answer: Answer) -> Headers:
    """What the body cannot say when it is a file."""
    accepted, sample = answer.accepted, answer.samples[0]
    return (
        (b"x-brood-seed", b"%d" % sample.seed),
        (b"x-brood-index", b"%d" % sample.index),
        (b"x-brood-model", accepted.model.encode()),
        (b"x-brood-version", b"%d" % accepted.version),
        (b"x-brood-determinism", accepted.determinism.encode()),
    )
