"""Autoregressive models of tokens (Vaswani et al. 2017, Radford et al. 2018): each token from those before it.

One step draws the token at the row's position by inverting the distribution function at a uniform number. A model that
has ``step`` keeps its keys and values in a state that grows by one slice a step; without it, the whole sequence is
computed again in every step. At the end token a row is done: it takes no further step, and all places behind the end
token hold it too.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from brood.protocol.manifest import (
    GraphInput,
    GraphOutput,
    Input,
    Noise,
    Operation,
    Output,
    Param,
    Sample,
    Schedule,
    Stage,
    State,
)
from brood.sampling.noise import noise
from brood_export.errors import Misfit
from brood_export.families.base import (
    LATENT_STREAM,
    ExportSpec,
    Request,
    StepGraph,
    called,
    label_input,
    label_noise,
    label_output,
    label_param,
    made_label,
    number_input,
    ok_output,
    require,
    sheet,
    tried,
    true_label_param,
)
from brood_export.families.pixelrnn import level_temperature
from brood_export.families.tokens import NO_END, CachedStep, Score, Tokens, WholeStep, shifted
from brood_export.families.unlabelled import labels_optional

LEVELS = 256  # of a picture
CAUSAL = 1e-5  # how far logits may move with a later token
CACHED = 1e-3  # how far a step's logits may be from those of the whole sequence


@labels_optional
def autoregressive(
    model: nn.Module,
    *,
    length: int,
    vocabulary: int,
    start: int,
    classes: int = 0,
    end: int = NO_END,
    cache: tuple[int, ...] = (),
    image: tuple[int, ...] = (),
) -> ExportSpec:
    """A causal network ``model(tokens [rows, length] int64, label [rows]) -> logits [rows, length, vocabulary]``.

    Logits at place k tell the token that follows place k, and depend on no later one: that is tried. With `cache` it
    also has ``step(token [rows], position [rows], keys, values, label) -> (logits [rows, vocabulary], key, value)``;
    keys and values are [rows, *cache], filled up to the position, and key and value are one more slice along the last
    axis but one. Without classes there is no label.

    Args:
        model: in evaluation mode.
        length: tokens of a sample.
        vocabulary: tokens are 0 … vocabulary-1.
        start: token in front of the first one.
        classes: labels are 0 … classes-1; 0: the model takes no label.
        end: token at which a sample ends, after fewer than `length` tokens; -1: there is none.
        cache: shape of keys and of values of one row, as layers,heads,length,width.
        image: channels, height, width, where the tokens are the grey levels of a picture in reading order.

    Raises:
        Misfit: the model gives other shapes, sees later tokens, or its step tells something else than the whole.
    """
    words = Tokens(length, vocabulary, start, end, image, cache, classes)
    check_words(words)
    check_causal(model, words)
    if cache:
        check_cache(model, words)
    return ExportSpec(
        family="autoregressive",
        domain="discrete",
        description="Autoregressive model, one token after another.",
        graphs={
            "step": cached_graph(model, words) if cache else whole_graph(model, words),
            "score": score_graph(model, words),
        },
        operations=operations(words),
        schedule=Schedule(kind="raster", numbers={"count": length}),
        sample=Sample(range=(0.0, vocabulary - 1.0)) if image else None,
        golden=golden(words),
        preview=sheet(classes) if image else (),
        preview_columns=classes,
    )


def check_words(words: Tokens) -> None:
    """Whether the options go together.

    Raises:
        Misfit: naming the one that does not.
    """
    if words.image and (math.prod(words.image) != words.length or words.vocabulary > LEVELS):
        text = f"image: {list(words.image)} with {words.vocabulary} levels is not allowed"
        raise Misfit(f"{text}; allowed: {words.length} pixels, the length, and at most {LEVELS} levels")
    if words.ends and not 0 <= words.end < words.vocabulary:
        raise Misfit(f"end: {words.end} is not allowed; allowed: 0 to {words.vocabulary - 1}, or -1")
    if words.cache and (len(words.cache) < 2 or words.cache[-2] != words.length):
        text = f"cache: {list(words.cache)} is not allowed"
        raise Misfit(f"{text}; allowed: …, {words.length}, width: one slice for each token")


def some_tokens(words: Tokens, index: int) -> NDArray[np.int64]:
    """Tokens of noise, [length]."""
    even = noise("uniform", seed=1, stream=0, index=index, step=0, shape=(words.length,))
    return np.floor(even * words.vocabulary).astype(np.int64).clip(0, words.vocabulary - 1)


def check_causal(model: nn.Module, words: Tokens) -> None:
    """Whether logits have the right shape and see no later token.

    Raises:
        Misfit: they do not; says where.
    """
    half, label = words.length // 2, torch.zeros(2, dtype=torch.int64)
    tokens = torch.from_numpy(np.stack([some_tokens(words, index) for index in range(2)]))
    changed = torch.cat([tokens[:, :half], (tokens[:, half:] + 1) % words.vocabulary], 1)
    logits, again = (tried(model, "autoregressive", "forward", given, label)[0] for given in (tokens, changed))
    wanted = [2, words.length, words.vocabulary]
    if list(logits.shape) != wanted:
        raise Misfit(f"{called(model)} gives {list(logits.shape)}; allowed: {wanted}, logits of every token")
    off = (again - logits)[:, :half].abs().amax((0, 2))
    if half and not float(off.max()) <= CAUSAL:
        text = f"logits at place {int((off > CAUSAL).nonzero()[0])} depend on tokens from place {half} on"
        raise Misfit(f"{called(model)}: {text}; allowed: a causal mask")


def check_cache(model: nn.Module, words: Tokens) -> None:
    """Whether steps with a cache tell what the whole sequence tells.

    Raises:
        Misfit: they do not; says at which position, and by how much.
    """
    require(model, "autoregressive", "step")
    read = shifted(torch.from_numpy(some_tokens(words, 0)[None].repeat(2, 0)), words.start)
    label, keys, values = torch.zeros(2, dtype=torch.int64), torch.zeros(2, *words.cache), torch.zeros(2, *words.cache)
    (whole,) = tried(model, "autoregressive", "forward", read, label)[:1]
    more = [2, *words.cache[:-2], 1, words.cache[-1]]
    wanted = [[2, words.vocabulary], more, more]
    for k in range(words.length):
        found = tried(model, "autoregressive", "step", read[:, k], torch.full((2,), k), keys, values, label)
        if (shapes := [list(result.shape) for result in found]) != wanted:
            raise Misfit(f"{called(model)}.step gives {shapes}; allowed: {wanted}, logits and a key and value slice")
        if not (off := float((found[0] - whole[:, k]).abs().max())) <= CACHED:
            raise Misfit(f"{called(model)}.step is off by {off:.3g} from the whole sequence at position {k}")
        keys[..., k : k + 1, :], values[..., k : k + 1, :] = found[1], found[2]


def common() -> dict[str, GraphInput]:
    """Inputs that both kinds of step have, behind their states."""
    drawn = Noise(distribution="uniform", stream=LATENT_STREAM)
    return {
        "position": GraphInput(dtype="int64", role="schedule"),
        "token_noise": GraphInput(dtype="float32", role="noise", noise=drawn),
        "label_noise": GraphInput(dtype="float32", role="state"),
        "label": label_input(),
        "temperature": number_input(),
        "given": GraphInput(dtype="int64", role="param"),
    }


def told(words: Tokens) -> dict[str, GraphOutput]:
    """Outputs that both kinds of step have, behind their states."""
    done = GraphOutput(dtype="bool", role="done")
    ends = {"done": done, "made_length": GraphOutput(dtype="int64", role="output")} if words.ends else {}
    return {"made_label": label_output(), "ok": ok_output(), **ends}


def ranges(words: Tokens) -> dict[str, tuple[float, float]]:
    return {
        "tokens": (0, words.vocabulary - 1),
        "keys": (-1.0, 1.0),
        "values": (-1.0, 1.0),
        "position": (0, words.length - 1),
        "label_noise": (0.0, 1.0),
        "label": (-1, words.classes - 1),
        "temperature": (0.5, 1.5),
        "given": (0, words.length // 2),
    }


def cached_graph(model: nn.Module, words: Tokens) -> StepGraph:
    step = CachedStep(model, words)
    more, axis = (*words.cache[:-2], 1, words.cache[-1]), len(words.cache) - 2
    grown = GraphOutput(dtype="float32", shape=more, role="append", axis=axis)
    kept = GraphInput(dtype="float32", shape=words.cache, role="state")
    return StepGraph(
        module=step,
        inputs={
            "tokens": GraphInput(dtype=words.dtype, shape=words.shape, role="state"),
            "keys": kept,
            "values": kept,
            **common(),
        },
        outputs={
            "next_tokens": GraphOutput(dtype=words.dtype, shape=words.shape, role="state"),
            "key": grown,
            "value": grown,
            **told(words),
        },
        ranges=ranges(words),
        margin=step.margin,
    )


def whole_graph(model: nn.Module, words: Tokens) -> StepGraph:
    step = WholeStep(model, words)
    return StepGraph(
        module=step,
        inputs={"tokens": GraphInput(dtype=words.dtype, shape=words.shape, role="state"), **common()},
        outputs={
            "next_tokens": GraphOutput(dtype=words.dtype, shape=words.shape, role="state"),
            **told(words),
        },
        ranges=ranges(words),
        margin=step.margin,
    )


def score_graph(model: nn.Module, words: Tokens) -> StepGraph:
    return StepGraph(
        module=Score(model, words),
        inputs={"tokens": GraphInput(dtype=words.dtype, shape=words.shape, role="input"), "label": label_input()},
        outputs={
            "log_likelihood": GraphOutput(dtype="float32", role="output"),
            "bits_per_token": GraphOutput(dtype="float32", role="output"),
            "ok": ok_output(),
        },
        ranges={"tokens": (0, words.vocabulary - 1), "label": (0, words.classes - 1)},
    )


def operations(words: Tokens) -> dict[str, Operation]:
    """generate, complete and score."""
    carried: dict[str, str | float] = {"next_tokens": "tokens"}
    carried |= {"key": "keys", "value": "values"} if words.cache else {}
    kind = "image" if words.image else "tensor"
    about = f"tokens, 0 to {words.vocabulary - 1}"
    common_words = {"dtype": words.dtype, "shape": words.shape, "kind": kind, "description": about}
    made = Output.model_validate(common_words | {"value": "tokens"})
    given = Input.model_validate(common_words | {"minimum": 0, "maximum": words.vocabulary - 1})
    params = {"label": label_param(words.classes), "temperature": level_temperature()}
    text = "tokens until the end token, that one included; behind it, all are end tokens"
    length = Output(dtype="int64", kind="scalar", value="made_length", description=text)
    generate = Operation(
        description="Draw token after token.",
        params=params,
        state=states(words),
        stages=(Stage(graph="step", repeat="schedule", bind=carried | {"given": 0.0}),),
        outputs={words.output: made, "label": made_label(), **({"length": length} if words.ends else {})},
    )
    complete = generate.model_copy(
        update={
            "description": "Keep the first tokens and draw the rest.",
            "inputs": {words.output: given},
            "params": params | {"given": given_param(words)},
            "state": states(words, words.output),
            "stages": (Stage(graph="step", repeat="schedule", bind=carried),),
        }
    )
    return {"generate": generate, "complete": complete, "score": score(words, given)}


def score(words: Tokens, given: Input) -> Operation:
    bits = "the same in bits per token, negated"
    return Operation(
        description="Log-likelihood of tokens, each given those before it.",
        inputs={words.output: given},
        params={"label": true_label_param(words.classes)},
        stages=(Stage(graph="score", bind={"tokens": words.output}),),
        outputs={
            "log_likelihood": Output(dtype="float32", kind="scalar", description="in nats, up to the end token"),
            "bits_per_token": Output(dtype="float32", kind="scalar", description=bits),
        },
    )


def states(words: Tokens, begins_with: str | None = None) -> dict[str, State]:
    begun = {"init": "zeros"} if begins_with is None else {"init": "input", "input": begins_with}
    found = {"tokens": State.model_validate({"dtype": words.dtype, "shape": words.shape, **begun})}
    if words.cache:
        found |= {name: State(dtype="float32", shape=words.cache, init="zeros") for name in ("keys", "values")}
    return found | {"label_noise": State(dtype="float32", init="noise", noise=label_noise())}


def given_param(words: Tokens) -> Param:
    return Param(
        type="int",
        default=words.length // 2,
        minimum=0,
        maximum=words.length,
        unit="tokens",
        description="how many of the first tokens are kept",
    )


def golden(words: Tokens) -> tuple[Request, ...]:
    first, second = (
        {words.output: some_tokens(words, index).reshape(words.shape).astype(words.dtype)} for index in range(2)
    )
    one = {"label": 0}
    return (
        Request("generate_label", "generate", 1, 0, {"label": words.classes - 1}),
        Request("generate_any", "generate", 2, 3, {"temperature": 0.8}),
        Request("complete_half", "complete", 3, 0, one, first),
        Request("complete_little", "complete", 4, 1, {**one, "given": 1}, second),
        Request("score_first", "score", 0, 0, one, first),
        Request("score_second", "score", 0, 0, one, second),
    )
