"""A model's first calls on this machine: its examples, made alone, and every graph at every bucket."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from brood.host.certificate import Certificate
from brood.host.examples import Example, drawn, first_example, graphs_of, straightened
from brood.host.gate import gate
from brood.host.opened import Opened
from brood.host.trace import Call, Run, numerics_id, trace, usable
from brood.host.trials import PROBES, Trial, try_graph
from brood.host.warmup import Warmed, warm_up
from brood.protocol.errors import BroodError

MANY = 4 * PROBES  # of so many calls, every second is as good: their inputs take memory
LEAST_DRAWN = 4  # samples of each operation from which probes are taken, besides its golden one
Exact = Mapping[str, tuple[int, ...]]  # graph → buckets


@dataclass(frozen=True, slots=True)
class Evidence:
    """How a model ran here."""

    at: Mapping[str, int]  # graph → the bucket at which its examples were made
    runs: Sequence[Run]
    warmed: Mapping[str, Warmed]  # graph → its calls at every bucket

    def numerics_id(self, exact: Exact) -> str:
        """The name of the golden bits, of those runs in which all calls are exact."""
        return numerics_id(run for run in self.runs if all(exact.get(call.graph) for call in run.calls))

    def bears_out(self, certificate: Certificate) -> bool:
        """Whether nothing seen here contradicts a certificate."""
        exact = certificate.exact
        return (
            exact.keys() == self.warmed.keys()
            and all(self.warmed[name].agreeing.issuperset(buckets) for name, buckets in exact.items())
            and self.numerics_id(exact) == certificate.numerics_id
        )


def observe(opened: Opened) -> Evidence:
    """Make the examples of a model at its smallest buckets, hold the golden ones against the recorded, and warm up.

    Raises:
        BundleError: a golden sample comes out differently.
        BroodError: a golden sample, or a call at some bucket, fails.
    """
    at = _smallest(opened, {})
    runs = _examples(opened, at)
    for run in runs:
        gate(run)
    return _evidence(opened, at, runs)


def observe_at(opened: Opened, exact: Exact, before: Evidence) -> Evidence:
    """The same within these buckets: what was observed before, if it was at them.

    Raises:
        BroodError: as `observe` raises.
    """
    at = _smallest(opened, exact)
    return before if at == before.at else _evidence(opened, at, _examples(opened, at))


def try_graphs(opened: Opened, evidence: Evidence, turns: int) -> dict[str, Trial]:
    """Try whether bits depend on the call, with probes from the examples and from samples drawn for this purpose.

    Args:
        opened: the model.
        evidence: of how it ran.
        turns: how many different probes stand in each slot of a bucket, at least.
    """
    calls, graphs, at = _calls(evidence.runs), opened.reachable(), _smallest(opened, {})
    for number in range(PROBES):
        lacking = {name for name in graphs if number < LEAST_DRAWN or len(calls[name]) < PROBES}
        if not lacking:
            break
        programs = [program for program in opened.programs.values() if graphs_of(program) & lacking]
        examples = [each for program in programs for each in straightened(drawn(program, number))]
        for name, more in _calls(_possible(opened, examples, at)).items():
            found = calls[name] + usable(more)
            calls[name] = found if len(found) < MANY else found[::2]
    paced = opened.paced
    return {name: try_graph(paced[name], calls[name], turns) for name in graphs}


def _smallest(opened: Opened, exact: Exact) -> dict[str, int]:
    return {name: min(exact.get(name) or graph.spec.buckets) for name, graph in opened.graphs.items()}


def _examples(opened: Opened, at: Mapping[str, int]) -> list[Run]:
    """The first example of every operation; and once more, straightened, for graphs that these do not call."""
    examples = [first_example(program, opened.golden) for program in opened.programs.values()]
    runs = [trace(example, opened.paced, at) for example in examples if example.golden is not None]
    runs += _possible(opened, [example for example in examples if example.golden is None], at)
    reached = {call.graph for run in runs for call in run.calls}
    straight = [straight for example in examples for straight in straightened(example)]
    return runs + list(_possible(opened, [each for each in straight if not graphs_of(each.program) <= reached], at))


def _possible(opened: Opened, examples: Iterable[Example], at: Mapping[str, int]) -> Iterator[Run]:
    """Drawn samples may ask for what cannot be made: too much contrast, say."""
    for example in examples:
        try:
            yield trace(example, opened.paced, at)
        except BroodError:
            continue


def _evidence(opened: Opened, at: Mapping[str, int], runs: Sequence[Run]) -> Evidence:
    calls = _calls(runs)
    paced, rest = opened.paced, opened.pace.rest
    return Evidence(at, runs, {name: warm_up(paced[name], calls[name], rest) for name in opened.reachable()})


def _calls(runs: Iterable[Run]) -> dict[str, list[Call]]:
    found: dict[str, list[Call]] = defaultdict(list)
    for run in runs:
        for call in run.calls:
            found[call.graph].append(call)
    return found
