"""The policies there are, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from brood.simulation.request_level import RequestLevel, padded, same_parameters
from brood.simulation.servers import Outcomes, Server
from brood.simulation.setting import Setting
from brood.simulation.step_level import StepLevel

MakeServer = Callable[[Setting, Outcomes, int], Server]

POLICIES: Mapping[str, MakeServer] = {
    "step-level": StepLevel,
    "same-parameters": partial(RequestLevel, key=same_parameters),
    "padded": partial(RequestLevel, key=padded),
}
