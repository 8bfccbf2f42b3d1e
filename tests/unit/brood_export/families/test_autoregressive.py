"""Tokens: a cache changes nothing, likelihoods are those that were drawn from, what sees the future is refused."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from brood.program import compile_program, run_row
from brood.runtimes.base import Arrays
from brood_export.errors import Misfit
from brood_export.families import FAMILIES, ExportSpec
from brood_export.families.base import complete_params
from brood_export.reference import TorchGraph
from helpers.own_sequences import Causal, Forgetful, Peeking
from helpers.tiny_models import tiny_manifest

pytestmark = pytest.mark.export

WORDS: dict[str, Any] = {"length": 6, "vocabulary": 5, "start": 0}
CACHE = (2, 6, 8)


def model(kind: type[nn.Module] = Causal) -> nn.Module:
    torch.manual_seed(2)
    return kind().eval()


def run(spec: ExportSpec, operation: str, inputs: Arrays, index: int = 0, **params: Any) -> dict[str, Any]:
    return run_counted(spec, operation, inputs, index, **params)[0]


def run_counted(
    spec: ExportSpec, operation: str, inputs: Arrays, index: int, **params: Any
) -> tuple[dict[str, Any], int]:
    """What is made, and the graph calls that it took."""
    manifest = tiny_manifest(spec)
    program = compile_program(manifest, operation)
    graphs = {name: TorchGraph(name, manifest.graphs[name], graph) for name, graph in spec.graphs.items()}
    given = complete_params(program.operation, params)
    made = run_row(program, graphs, seed=1, index=index, params=given, inputs=inputs)
    return made, sum(len(graph.calls) for graph in graphs.values())


def test_a_cache_changes_nothing() -> None:
    with_cache, without = (FAMILIES["autoregressive"](model(), **WORDS, cache=cache) for cache in (CACHE, ()))
    assert "keys" not in without.operations["generate"].state
    for index in range(8):
        one, other = (run(spec, "generate", {}, index)["tokens"] for spec in (with_cache, without))
        np.testing.assert_array_equal(one, other)


def test_what_is_given_is_kept_and_the_rest_is_drawn() -> None:
    spec = FAMILIES["autoregressive"](model(), **WORDS, cache=CACHE)
    tokens = np.array([4, 3, 2, 1, 0, 4])
    made = [run(spec, "complete", {"tokens": tokens}, index, given=3)["tokens"] for index in range(6)]
    assert all(one[:3].tolist() == [4, 3, 2] for one in made)
    assert len({tuple(one) for one in made}) > 1


@pytest.mark.parametrize("cache", [(), CACHE])
def test_after_the_end_there_is_nothing_more(cache: tuple[int, ...]) -> None:
    spec = FAMILIES["autoregressive"](model(), **WORDS, cache=cache, end=3)
    ended = 0
    for index in range(12):
        made = run(spec, "generate", {}, index)
        tokens = made["tokens"].tolist()
        found = tokens.index(3) if 3 in tokens else 5
        assert made["length"] == found + 1
        if 3 in tokens:
            ended += 1
            assert set(tokens[found:]) == {3}
    assert ended > 3


def test_the_end_costs_no_further_step_and_changes_nothing_before_it() -> None:
    ends, endless = (FAMILIES["autoregressive"](model(), **WORDS, cache=CACHE, end=end) for end in (3, -1))
    for index in range(12):
        made, calls = run_counted(ends, "generate", {}, index)
        tokens = made["tokens"].tolist()
        assert calls == (tokens.index(3) + 1 if 3 in tokens else 6)
        assert tokens[:calls] == run(endless, "generate", {}, index)["tokens"].tolist()[:calls]


def test_what_is_given_is_kept_beyond_an_end_token() -> None:
    spec = FAMILIES["autoregressive"](model(), **WORDS, cache=CACHE, end=3)
    made = run(spec, "complete", {"tokens": np.array([3, 1, 2, 0, 0, 0])}, given=3)
    assert made["tokens"][:3].tolist() == [3, 1, 2]
    assert made["length"] > 3
    made = run(spec, "complete", {"tokens": np.array([0, 1, 3, 0, 1, 2])}, given=3)
    assert made["tokens"].tolist() == [0, 1, 3, 3, 3, 3]
    assert made["length"] == 3


def test_likelihoods_are_those_drawn_from_and_sum_to_one() -> None:
    words = {"length": 2, "vocabulary": 3, "start": 0}
    net = Causal(3, 2)
    spec = FAMILIES["autoregressive"](net, **words)
    every = [np.array([a, b]) for a in range(3) for b in range(3)]
    nats = [float(run(spec, "score", {"tokens": tokens})["log_likelihood"]) for tokens in every]
    assert math.fsum(map(math.exp, nats)) == pytest.approx(1.0, abs=1e-5)
    made = [tuple(run(spec, "generate", {}, index)["tokens"]) for index in range(600)]
    for tokens, expected in zip(every, nats, strict=True):
        assert made.count(tuple(tokens)) / 600 == pytest.approx(math.exp(expected), abs=0.07)


def test_the_end_ends_the_likelihood() -> None:
    spec = FAMILIES["autoregressive"](model(), **WORDS, end=3)
    short, long = (np.array([1, 3, *rest]) for rest in ([3, 3, 3, 3], [0, 1, 2, 4]))
    one, other = (run(spec, "score", {"tokens": tokens}) for tokens in (short, long))
    assert one["log_likelihood"] == pytest.approx(other["log_likelihood"])
    assert one["bits_per_token"] == pytest.approx(-one["log_likelihood"] / 2 / math.log(2), rel=1e-5)


def test_tokens_can_be_a_picture() -> None:
    spec = FAMILIES["autoregressive"](model(), **WORDS, cache=CACHE, image=(1, 2, 3))
    image = run(spec, "generate", {})["image"]
    assert (image.shape, image.dtype) == ((1, 2, 3), np.uint8)
    assert spec.preview


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        (Forgetful, {"cache": CACHE}, r"Forgetful.step is off by .* from the whole sequence at position 1"),
        (Peeking, {}, "Peeking: logits at place 0 depend on tokens from place 3 on; allowed: a causal mask"),
        (Causal, {"vocabulary": 4}, r"Causal gives \[2, 6, 5\]; allowed: \[2, 6, 4\]"),
        (Causal, {"cache": (2, 5, 8)}, r"cache: \[2, 5, 8\] is not allowed; allowed: …, 6, width"),
        (Causal, {"cache": (1, 6, 8)}, r"calls Causal.step\(.*fails|step gives"),
        (Causal, {"image": (1, 2, 2)}, r"image: \[1, 2, 2\] with 5 levels is not allowed; allowed: 6 pixels"),
        (Causal, {"end": 9}, "end: 9 is not allowed; allowed: 0 to 4, or -1"),
    ],
)
def test_what_does_not_fit_is_refused(kind: type[nn.Module], changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Misfit, match=words):
        FAMILIES["autoregressive"](model(kind), **WORDS | changes)
