"""What a call's ``parameters`` say: the protocol's own, ours, and the operation's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from brood.frontends.oip.calls import Parameter
from brood.protocol.errors import Unsupported, invalid
from brood.protocol.requests import Priority

OWN = ("operation", "n", "seed", "index", "determinism")  # fields of a request by their own names
SEQUENCES = ("sequence_id", "sequence_start", "sequence_end")
# Said for the transport, or to other servers of the protocol.
NOT_OURS = ("binary_data_output", "headers")
NOT_OURS_PREFIX = "triton_"
SHARED_MEMORY = "shared_memory_region"


@dataclass(frozen=True, slots=True)
class Controls:
    """The parameters of a call, sorted out."""

    own: Mapping[str, Parameter]  # those of `OWN` that are given
    params: Mapping[str, Parameter]  # the operation's
    priority: Priority
    deadline_ms: float | None


def read_controls(parameters: Mapping[str, Parameter]) -> Controls:
    """Sort the parameters of a call.

    ``priority`` counts down from 1, the highest, and 0 means the default; ``timeout`` is in microseconds, 0 means none.

    Raises:
        InvalidArgument: a priority or timeout that is no whole number from 0 on.
        Unsupported: sequences, which need state between calls.
    """
    for name in SEQUENCES:
        if parameters.get(name):
            text = f"parameters.{name}: sequences are not offered here; every call stands for itself"
            raise Unsupported(text, field=f"parameters.{name}")
    timeout_us = _whole("timeout", parameters)
    known = {*OWN, *SEQUENCES, *NOT_OURS, "priority", "timeout"}
    return Controls(
        own={name: parameters[name] for name in OWN if name in parameters},
        params={
            name: value
            for name, value in parameters.items()
            if name not in known and not name.startswith(NOT_OURS_PREFIX)
        },
        priority="bulk" if _whole("priority", parameters) > 1 else "interactive",
        deadline_ms=timeout_us / 1000 if timeout_us else None,
    )


def refuse_shared_memory(field: str, parameters: Mapping[str, Parameter]) -> None:
    """Tensors travel in messages only.

    Raises:
        Unsupported: the parameters of a tensor name a region of shared memory.
    """
    if SHARED_MEMORY in parameters:
        raise Unsupported(f"{field}: shared memory is not offered here; send tensors in the message", field=field)


def _whole(name: str, parameters: Mapping[str, Parameter]) -> int:
    value = parameters.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise invalid(f"parameters.{name}", value, "a whole number from 0 on")
    return value
