"""Looks at what a model's code does before it is exported: what no graph can do is refused with its line.

The module runs under an observer that sees every tensor operation, with the line of the model's own code it comes
from. Four things are looked for: randomness of its own, branches on data, scattering writes in place, and rows that
are not independent, a number of rows that is taken for a constant included.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from brood_export.blame import line_of, reason
from brood_export.errors import NotExportable, StaticRows
from brood_export.families.base import StepGraph
from brood_export.targets.base import draw_inputs, tensors

TRIED = (3, 1, 2, 5)  # numbers of rows: that of the export first, then others
CLOSE = 1e-3  # sums come out differently among other rows; mixing rows makes more of a difference
SEED = 30_000
WRAPPED = re.compile(r"^((step|model|unlabelled)(\.|$))+")  # what adapters put around a model

RANDOM = "draws random numbers of its own"
BRANCH = "lets Python decide on the values of tensors"
SCATTER = "writes into a part of a tensor in place"
LOOP = "takes the rows one by one"
SIZES = "makes a tensor whose size depends on values"
REMEDIES: Mapping[str, str] = {
    RANDOM: "take them as an input (noise comes from the request's seed), or switch it off in evaluation",
    BRANCH: "use torch.where, so that every row decides for itself",
    SCATTER: "use torch.where, torch.cat or torch.scatter without underscore, which make a new tensor",
    LOOP: "compute all rows together, their number is open: no loop over the first axis, no x[0], no groups=rows",
    SIZES: "use torch.where with a mask, which keeps all sizes",
}
# What Python does to get at a tensor's values. (In torch's own code they are looked at, too: that is no matter.)
BRANCHES = frozenset(
    {"__bool__", "__int__", "__float__", "__index__", "__contains__", "__array__", "item", "tolist", "numpy", "equal"}
)
SCATTERS = frozenset(
    {"scatter_", "scatter_add_", "scatter_reduce_", "index_put_", "index_copy_", "index_add_", "index_fill_"}
    | {"masked_scatter_", "put_"}
)
DRAWS = frozenset({"bernoulli", "bernoulli_", "multinomial", "native_dropout", "poisson", "binomial"})


@dataclass(frozen=True, slots=True)
class Act:
    """Something a model did."""

    what: str
    operation: str
    where: str  # line and module


@dataclass(slots=True)
class Observer:
    """What has been seen, and in which module the code is just now."""

    modules: list[str] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    loops: list[tuple[int, str]] = field(default_factory=list)  # length of what is taken one by one, and where

    def saw(self, operation: Any, arguments: Sequence[Any]) -> None:
        """Note an operation if it is one that no graph can do."""
        name = operation.overloadpacket.__name__
        what = kind_of(name, operation.tags, arguments)
        if name == "convolution":  # with as many groups as there are rows, each has weights of its own
            self.loops.append((arguments[8], self.place()))
        if what == RANDOM and drops_nothing(operation, arguments):
            return
        if what is not None:
            self.acts.append(Act(what, name, self.place()))

    def place(self) -> str:
        """The line of the model's code that is running, and the module it belongs to."""
        name = WRAPPED.sub("", self.modules[-1]) if self.modules else ""
        module = f" (module {name})" if name else ""
        line = line_of(traceback.extract_stack())
        return f"{line}{module}"


def kind_of(name: str, tags: Sequence[torch.Tag], arguments: Sequence[Any]) -> str | None:
    """Which of the refused things an operation does, if any."""
    if torch.Tag.nondeterministic_seeded in tags or name in DRAWS:
        return RANDOM
    if torch.Tag.dynamic_output_shape in tags and (name != "index" or masks(arguments[1])):
        return SIZES
    return None


def drops_nothing(operation: Any, arguments: Sequence[Any]) -> bool:
    """Whether an operation would only draw for a dropout, and that is switched off, as in attention."""
    names = [argument.name for argument in operation._schema.arguments]
    place = names.index("dropout_p") if "dropout_p" in names else len(arguments)
    return "dropout_p" in names and (place >= len(arguments) or arguments[place] == 0.0)


def masks(indices: Sequence[Any]) -> bool:
    """Whether an index picks by truth, so that what comes out is as large as there is truth."""
    return any(isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8) for index in indices)


def singles(name: str, arguments: Sequence[Any]) -> bool:
    """Whether an operation takes the first axis of a tensor apart, as a loop over it does."""
    if not arguments or not isinstance(arguments[0], Tensor):
        return False
    more = arguments[1:] or (0,)
    if name == "__getitem__":
        first = more[0][0] if isinstance(more[0], tuple) and more[0] else more[0]
        return isinstance(first, int) and not isinstance(first, bool)
    return name == "unbind" and more[0] == 0


def picks(index: Any) -> bool:
    """Whether an index names single places by a tensor or a list, rather than a range of them."""
    return any(isinstance(part, Tensor | list) for part in (index if isinstance(index, tuple) else (index,)))


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Shows every operation to an observer."""

    def __init__(self, observer: Observer) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._observer = observer

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self._observer.saw(func, args)
        return func(*args, **(kwargs or {}))


class _Calls(TorchFunctionMode):
    """Shows an observer where Python gets at the values of tensors, and where parts of them are written to."""

    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self._observer = observer

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in BRANCHES:
            self._observer.acts.append(Act(BRANCH, name, self._observer.place()))
        if singles(name, args):
            self._observer.loops.append((len(args[0]), self._observer.place()))
        if name in SCATTERS or (name == "__setitem__" and picks(args[1])):
            self._observer.acts.append(Act(SCATTER, name, self._observer.place()))
        return func(*args, **(kwargs or {}))


@contextmanager
def observed(module: nn.Module) -> Iterator[Observer]:
    """What the module does, while this lasts."""
    observer = Observer()
    hooks = []
    for name, part in module.named_modules():
        hooks.append(part.register_forward_pre_hook(_entering(observer, name)))
        hooks.append(part.register_forward_hook(_leaving(observer), always_call=True))
    try:
        with _Calls(observer), _Operations(observer):
            yield observer
    finally:
        for hook in hooks:
            hook.remove()


def _entering(observer: Observer, name: str) -> Callable[[nn.Module, Any], None]:
    return lambda module, given: observer.modules.append(name)


def _leaving(observer: Observer) -> Callable[[nn.Module, Any, Any], None]:
    def left(module: nn.Module, given: Any, found: Any) -> None:
        observer.modules.pop()

    return left


def scrutinise(name: str, graph: StepGraph) -> None:
    """Whether a graph's module does nothing that no graph can, on any number of rows.

    Raises:
        NotExportable: saying what it does, on which line and in which module, and what to do instead.
        StaticRows: it only works with one number of rows.
    """
    together = draw_inputs(graph, TRIED[0], seed=SEED)
    made, loops = run(name, graph, together)
    for rows in TRIED[1:]:
        try:
            _, again = run(name, graph, draw_inputs(graph, rows, seed=SEED + rows))
            loops &= again
        except (NotExportable, StaticRows):
            raise
        except Exception as error:  # code of others
            where = line_of(traceback.extract_tb(error.__traceback__))
            raise StaticRows(
                f"graph {name!r} runs with {TRIED[0]} rows, not with {rows}: {where}: {reason(error)}; "
                "the number of rows must not be written into the code: take it from the tensor (x.shape[0], or -1)"
            ) from error
    if loops:
        raise StaticRows(f"graph {name!r} {LOOP}: {min(loops)}; {REMEDIES[LOOP]}")
    check_rows(name, graph, together, made)


def run(name: str, graph: StepGraph, arrays: Mapping[str, Any]) -> tuple[tuple[Tensor, ...], set[str]]:
    """One observed call: its results, and the lines that take something as long as the rows apart."""
    values = tensors(graph, arrays)
    kept = [value.clone() for value in values]
    with torch.no_grad(), observed(graph.module) as observer:
        found: tuple[Tensor, ...] = graph.module(*values)
    if observer.acts:
        act = observer.acts[0]
        raise NotExportable(f"graph {name!r} {act.what} ({act.operation}): {act.where}; {REMEDIES[act.what]}")
    for key, value, before in zip(graph.inputs, values, kept, strict=True):
        if not torch.equal(value.nan_to_num(), before.nan_to_num()):
            text = f"graph {name!r} writes into its input {key!r}"
            raise NotExportable(f"{text}: make a new tensor, as x = x + y instead of x += y")
    rows = len(values[0])
    for key, result in zip(graph.outputs, found, strict=True):
        if result.shape[:1] != (rows,):
            text = f"graph {name!r}: output {key!r} is {list(result.shape)} for {rows} rows"
            raise StaticRows(f"{text}; allowed: an axis of rows in front, taken from the inputs")
    return found, {where for length, where in observer.loops if length == rows}


def check_rows(name: str, graph: StepGraph, arrays: Mapping[str, Any], together: tuple[Tensor, ...]) -> None:
    """Whether a row's results are its own: alone it gives what it gives among others."""
    for row in range(TRIED[0]):
        alone, _ = run(name, graph, {key: array[row : row + 1] for key, array in arrays.items()})
        for key, one, all_rows in zip(graph.outputs, alone, together, strict=True):
            left, right = one[0].double().numpy(), all_rows[row].double().numpy()
            if not np.allclose(left, right, rtol=CLOSE, atol=CLOSE, equal_nan=True) and graph.margin is None:
                raise NotExportable(
                    f"graph {name!r}: output {key!r} of a row depends on the other rows, so requests cannot share a "
                    "call; use no statistics of the batch (BatchNorm keeps running ones for evaluation), no sum over "
                    "the rows axis"
                )
