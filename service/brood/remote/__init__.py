"""Workers in other processes: the link to them, and a backend over many of them."""

from brood.remote.backend import RemoteBackend
from brood.remote.fleet import WorkerView
from brood.remote.options import RemoteOptions
from brood.remote.runner import Runner
from brood.remote.server import WorkerServer
from brood.remote.status import ModelKey, OperationCost, WorkerStatus
from brood.remote.tally import Tally
from brood.remote.waiting import Held

__all__ = [
    "Held",
    "ModelKey",
    "OperationCost",
    "RemoteBackend",
    "RemoteOptions",
    "Runner",
    "Tally",
    "WorkerServer",
    "WorkerStatus",
    "WorkerView",
]
