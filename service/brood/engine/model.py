"""What the engine knows about a model: its programs, its runtime and what its graphs cost."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import prod

import numpy as np

from brood.engine.cost import CostModel
from brood.program import Constant, FromNoise, FromSchedule, FromState, Program
from brood.program.compile import Feed, ProgramStage
from brood.runtimes.slots import SlotRuntime


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Rows of one group can share a graph call, whichever request, operation, step or parameters they have.

    There is one object for each: `EngineModel.group_of`.
    """

    model: str
    version: int
    graph: str
    reads: tuple[tuple[str, str], ...] = ()  # (graph input, state)
    writes: tuple[tuple[str, str], ...] = ()  # (graph output, state)


@dataclass(frozen=True, slots=True)
class Draw:
    """A noise input of a call."""

    feed: str
    source: FromNoise
    count: int  # numbers a row and step


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """What a row needs in one step."""

    group: Group
    stage: ProgramStage
    hosted: tuple[Feed, ...] = ()  # inputs that are neither state nor a constant
    draws: tuple[Draw, ...] = ()
    constants: dict[int, dict[str, np.ndarray]] = field(default_factory=dict)  # bucket → those, made when needed
    step_bytes: int = 1  # what a row's host inputs take that change from step to step, at least 1


@dataclass(frozen=True, slots=True)
class EngineModel:
    """A model as it was loaded, warmed up and measured."""

    name: str
    version: int
    programs: Mapping[str, Program]  # operation → program
    runtime: SlotRuntime
    costs: CostModel
    exact: Mapping[str, frozenset[int]] = field(default_factory=dict)  # graph → buckets that give the same bits
    _groups: dict[tuple[object, ...], Group] = field(default_factory=dict)
    _calls: dict[int, Call] = field(default_factory=dict)  # by the stage's identity

    def call_of(self, stage: ProgramStage) -> Call:
        """What a row needs that enters this stage of one of the programs."""
        if id(stage) not in self._calls:
            draws = tuple(
                Draw(feed.name, feed.source, prod(feed.shape))
                for feed in stage.feeds
                if isinstance(feed.source, FromNoise)
            )
            changing = sum(
                prod(feed.shape) * feed.dtype.itemsize
                for feed in stage.feeds
                if isinstance(feed.source, FromNoise | FromSchedule)
            )
            hosted = tuple(feed for feed in stage.feeds if not isinstance(feed.source, FromState | Constant))
            self._calls[id(stage)] = Call(self.group_of(stage), stage, hosted, draws, step_bytes=max(1, changing))
        return self._calls[id(stage)]

    def group_of(self, stage: ProgramStage) -> Group:
        """The group of a row that is about to enter this stage."""
        reads = tuple((feed.name, feed.source.name) for feed in stage.feeds if isinstance(feed.source, FromState))
        key = (stage.graph, reads, stage.to_state)
        if key not in self._groups:
            self._groups[key] = Group(self.name, self.version, stage.graph, reads, stage.to_state)
        return self._groups[key]

    def certified(self, graph: str) -> Collection[int]:
        """The buckets at which this graph gives certified bits."""
        return self.exact.get(graph, frozenset())
