"""Pictures and masks that callers upload, as inputs of an operation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from brood.frontends.http.openai.verbs import IMAGE, MASK, Painter
from brood.media.png import write_png
from brood.media.read_foreign import alpha_of, as_png
from brood.media.refused import Refused
from brood.protocol.errors import InvalidArgument, show
from brood.protocol.requests import InputValue


def inputs_of(files: Mapping[str, bytes], painter: Painter) -> dict[str, InputValue]:
    """What the operation takes, of what was uploaded.

    A mask's wholly transparent pixels are made anew, all others kept. Without a mask, the picture's own transparency is
    the mask.

    Args:
        files: by input; of any kind and size.

    Raises:
        InvalidArgument: one is missing, is no picture, is damaged or of another size.
    """
    declared = painter.operation.inputs
    if IMAGE not in declared:
        return {}
    if IMAGE not in files:
        raise InvalidArgument(f"{IMAGE}: missing; needed is a picture of {painter.size} pixels, as a file", field=IMAGE)
    with _blamed(IMAGE):
        inputs = {IMAGE: as_png(files[IMAGE], painter.height, painter.width)}
    if MASK in declared:
        inputs[MASK] = write_png(_kept(files, painter))
    elif MASK in files:
        params = ", ".join(painter.operation.params)
        text = f"{MASK}: {painter.manifest.name} takes none; what it keeps is said by its parameters: {params}"
        raise InvalidArgument(text, field=MASK)
    return {name: InputValue(b64=content, format="png") for name, content in inputs.items()}


def _kept(files: Mapping[str, bytes], painter: Painter) -> np.ndarray:
    """White where a pixel is kept, uint8 [H, W]."""
    source = MASK if MASK in files else IMAGE
    with _blamed(source):
        alpha = alpha_of(files[source], painter.height, painter.width)
    if alpha is None:
        text = f"{MASK}: nothing is transparent; needed is a {MASK}, or an {IMAGE}, that is where it is to be made anew"
        raise InvalidArgument(text, field=MASK)
    return np.where(alpha > 0, 255, 0).astype(np.uint8)


@contextmanager
def _blamed(name: str) -> Iterator[None]:
    """What is refused inside is told of a field.

    Raises:
        InvalidArgument: something was.
    """
    try:
        yield
    except Refused as refused:
        text = f"{name}: {refused.part} {show(refused.found)} is not allowed; allowed: {refused.allowed}"
        raise InvalidArgument(text, field=name) from refused
