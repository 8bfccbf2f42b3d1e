"""The verbs that every transport translates to, over whoever runs the models."""

from brood.dataplane.backend import Backend
from brood.dataplane.limits import Limits, ReplayLimits
from brood.dataplane.observer import RequestObserver
from brood.dataplane.plane import DataPlane
from brood.dataplane.readiness import Readiness
from brood.dataplane.result import Answer, EncodedSample, Result, Timing

__all__ = [
    "Answer",
    "Backend",
    "DataPlane",
    "EncodedSample",
    "Limits",
    "Readiness",
    "ReplayLimits",
    "RequestObserver",
    "Result",
    "Timing",
]
