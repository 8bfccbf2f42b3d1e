"""A generation as an HTTP answer."""

from __future__ import annotations

from binascii import b2a_base64
from typing import Any

from pydantic_core import to_json

from brood.dataplane.result import Answer, Content
from brood.media.encode import Encoded
from brood.protocol.errors import Internal

PER_BYTE_S = 3e-9  # base64 and JSON, per byte of content, measured


def render(answer: Answer) -> bytes:
    """The JSON body; numbers that JSON has not (infinities) become null."""
    accepted, timing, usage = answer.accepted, answer.timing, answer.usage
    body = {
        "id": accepted.request_id,
        "model": accepted.model,
        "version": accepted.version,
        "operation": accepted.operation,
        "seed": accepted.seed,
        "determinism": accepted.determinism,
        "samples": [
            {
                "index": sample.index,
                "seed": sample.seed,
                "outputs": {name: _plain(content) for name, content in sample.outputs.items()},
            }
            for sample in answer.samples
        ],
        "timing": {
            "queue_ms": round(timing.queue_ms, 3),
            "run_ms": round(timing.run_ms, 3),
            "encode_ms": round(timing.encode_ms, 3),
        },
        "usage": {"rows": usage.rows, "steps": usage.steps},
    }
    return to_json(body, inf_nan_mode="null")


def _plain(content: Content) -> bool | int | float | dict[str, Any]:
    if not isinstance(content, Encoded):
        return content
    return {
        "format": content.format,
        "dtype": content.dtype,
        "shape": content.shape,
        "b64": b2a_base64(content.content, newline=False).decode("ascii"),
    }


def content_of(answer: Answer, output: str) -> bytes:
    """The bytes of one output of the only sample."""
    content = answer.samples[0].outputs[output]
    if not isinstance(content, Encoded):
        raise Internal(f"output {output} has no bytes")
    return content.content


def headers_of(answer: Answer) -> dict[str, str]:
    """What the body cannot say when it is a file."""
    accepted, sample = answer.accepted, answer.samples[0]
    return {
        "X-Brood-Seed": str(sample.seed),
        "X-Brood-Index": str(sample.index),
        "X-Brood-Model": accepted.model,
        "X-Brood-Version": str(accepted.version),
        "X-Brood-Determinism": accepted.determinism,
    }
