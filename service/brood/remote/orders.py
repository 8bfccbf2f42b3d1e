"""Chunks of generations as messages, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from brood.protocol.errors import InvalidArgument, invalid
from brood.protocol.manifest import Scalar
from brood.protocol.requests import Generation
from brood.protocol.wire import worker_pb2 as pb
from brood.protocol.wire.convert import plain_of, value_of
from brood.remote.tensors import Payload

MOST_BYTES = 2**30  # of the inputs of a chunk: a message has 2 GiB at most
EVERY_LIMIT = 2**63 - 1  # a larger number of steps means the same: never


class Piece(NamedTuple):
    """Consecutive rows of a generation."""

    start: int  # position of the first row: 0 … n−1
    rows: int


def submit_message(
    number: int, generation: Generation, piece: Piece, left_s: float | None
) -> tuple[pb.Order, list[np.ndarray]]:
    """The order to make some rows, and the arrays of its payload.

    Args:
        number: of the chunk, on its link.
        generation: whose rows.
        piece: which.
        left_s: seconds until the deadline.

    Raises:
        InvalidArgument: a parameter is text that UTF-8 has no bytes for, or the inputs are larger than a message.
    """
    submit = pb.Submit(
        chunk=number,
        request_id=generation.request_id,
        model=generation.model,
        version=generation.version,
        operation=generation.operation,
        seed=generation.seed,
        index=generation.index + piece.start,
        n=piece.rows,
        left_s=left_s,
        bulk=generation.priority == "bulk",
        tenant=generation.tenant,
        exact=generation.exact,
        progress_every=_every(generation.progress_every),
        preview_every=_every(generation.preview_every),
    )
    params = submit.params
    for name, value in generation.params.items():
        try:
            params[name].CopyFrom(value_of(value))
        except ValueError as error:
            raise InvalidArgument(f"params.{name}: {error}", field=f"params.{name}") from error
    arrays = []
    for name, array in generation.inputs.items():
        tensor, content = _input(name, array, piece)
        submit.inputs.append(tensor)
        arrays.append(content)
    size = sum(array.nbytes for array in arrays)
    if size > MOST_BYTES:
        raise invalid("n", piece.rows, f"1 ≤ n ≤ {piece.rows * MOST_BYTES // size} (memory for inputs)")
    return pb.Order(submit=submit), arrays


def generation_of(submit: pb.Submit, payload: Payload, request_id: str, now: float) -> Generation:
    """The generation of a chunk alone.

    Args:
        submit: the order.
        payload: of its message; the chunk's inputs come next.
        request_id: under which it runs here.
        now: on the clock that its deadline shall be on, in seconds.

    Raises:
        ValueError: the message is not what `submit_message` makes.
    """
    params: dict[str, Scalar] = {}
    for name, value in submit.params.items():
        if (plain := plain_of(value)) is None:
            raise ValueError(f"params.{name} has no value")
        params[name] = plain
    return Generation(
        request_id=request_id,
        part_of=submit.request_id,
        model=submit.model,
        version=submit.version,
        operation=submit.operation,
        n=submit.n,
        seed=submit.seed,
        index=submit.index,
        params=params,
        inputs=_inputs(submit.inputs, submit.n, payload),
        deadline=now + submit.left_s if submit.HasField("left_s") else None,
        priority="bulk" if submit.bulk else "interactive",
        tenant=submit.tenant,
        exact=submit.exact,
        progress_every=submit.progress_every if submit.HasField("progress_every") else None,
        preview_every=submit.preview_every if submit.HasField("preview_every") else None,
    )


def _every(steps: int | None) -> int | None:
    return None if steps is None else min(steps, EVERY_LIMIT)


def _input(name: str, array: np.ndarray, piece: Piece) -> tuple[pb.Tensor, np.ndarray]:
    """One input of some rows; what all rows share in memory is sent once."""
    shared = len(array) > 1 and array.strides[0] == 0
    content = array[:1] if shared else array[piece.start : piece.start + piece.rows]
    return pb.Tensor(name=name, dtype=array.dtype.str, shape=content.shape, shared=shared), content


def _inputs(tensors: Iterable[pb.Tensor], rows: int, payload: Payload) -> dict[str, np.ndarray]:
    inputs = {}
    for tensor in tensors:
        array = payload.take(np.dtype(tensor.dtype), tuple(tensor.shape))
        inputs[tensor.name] = np.broadcast_to(array, (rows, *array.shape[1:])) if tensor.shared else array
    return inputs
