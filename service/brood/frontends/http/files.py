"""All samples of a generation in one file."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic_core import to_json

from brood.dataplane.result import Answer, Content
from brood.frontends.http.render import Words, answer_words, content_words, head_words
from brood.media.archive import write_zip
from brood.media.encode import Bytes, Encoded
from brood.media.safetensors import Named, write_safetensors

COPY_BYTE_S = 0.2e-9  # of safetensors, per byte of content, measured
METADATA = "metadata.json"
ENDINGS = {"jpeg": "jpg", "raw": "bin"}  # of formats that are not called as their files end


def as_zip(answer: Answer) -> bytes:
    """An archive of ``metadata.json``, which is the JSON answer with ``file`` for ``b64``, and the files it names."""
    files: list[tuple[str, Bytes]] = []
    samples: list[Words] = []
    for sample in answer.samples:
        outputs: Words = {}
        for name, content in sample.outputs.items():
            outputs[name] = content
            if isinstance(content, Encoded):
                file = f"{sample.index:06d}-{name}.{ENDINGS.get(content.format, content.format)}"
                outputs[name] = content_words(content) | {"file": file}
                files.append((file, content.content))
        samples.append({"index": sample.index, "seed": sample.seed, "outputs": outputs})
    metadata = to_json(answer_words(answer, samples), indent=2, inf_nan_mode="null")
    return write_zip([(METADATA, metadata), *files])


def as_safetensors(answer: Answer) -> bytes:
    """Every output as one tensor, ``[n, ...]`` in order of index; what makes them again stands in the metadata.

    Args:
        answer: its outputs are encoded as ``raw``. Scalars become bool, int64 or float64 [n].
    """
    words = {name: str(value) for name, value in head_words(answer.accepted).items()}
    return write_safetensors(_tensors(answer), words | {"index": str(answer.samples[0].index)})


def _tensors(answer: Answer) -> Iterator[Named]:
    for name, first in answer.samples[0].outputs.items():
        contents = [sample.outputs[name] for sample in answer.samples]
        if isinstance(first, Encoded):
            pieces = tuple(content.content for content in contents if isinstance(content, Encoded))
            yield Named(name, first.dtype, (len(contents), *first.shape), pieces)
        else:
            yield _numbers(name, contents)


def _numbers(name: str, contents: list[Content]) -> Named:
    array = np.asarray(contents)
    little = array.astype(array.dtype.newbyteorder("<"))
    return Named(name, array.dtype.name, array.shape, (little.tobytes(),))
