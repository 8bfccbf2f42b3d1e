"""Samples that are near others, or between two of them, for families with a latent: the words of their operations.

``interpolate`` and ``vary`` are both an arc between latents (graph ``blend``): from one end to the other, or from a
parent towards noise of the offspring's own, as far as its strength says. ``cross`` mixes two latents number by number.
Ends and parents are samples of the same model, named by seed and index, or inputs that are encoded first.
"""

from __future__ import annotations

from collections.abc import Callable

from brood.protocol.manifest import Input, Noise, Operation, Output, Param, Scalar, Stage, State
from brood_export.families.base import LABEL_STREAM, LATENT_STREAM, VARY_STREAM

SEEDS = float(2**63 - 2**10)  # the largest float64 that is a seed: bounds are floats
INDICES = float(2**53 - 1)
MOST_FRAMES = 10_000
Bind = dict[str, str | float]

# Params in place of (seed, index); None is the request's own seed.
FIRST, SECOND = (None, "index_from"), ("seed_to", "index_to")
PARENT, OTHER = ("parent_seed", "parent_index"), ("other_seed", "other_index")


def frames_param() -> dict[str, Param]:
    """``frames``, of which a sample is one."""
    text = "samples on the whole way, ends included; sample k stands at k / (frames - 1)"
    return {"frames": Param(type="int", default=None, minimum=2, maximum=MOST_FRAMES, description=text)}


def ends_params() -> dict[str, Param]:
    """``seed_to``, and the indices of both ends."""
    return {
        **frames_param(),
        "index_from": _index("of the sample at the beginning, whose seed is the request's"),
        "seed_to": _seed("of the sample at the end"),
        "index_to": _index("of the sample at the end"),
    }


def parent_params() -> dict[str, Param]:
    """Which sample is the parent."""
    return {"parent_seed": _seed("of the parent"), "parent_index": _index("of the parent")}


def other_params() -> dict[str, Param]:
    """Which sample is the other parent."""
    return {"other_seed": _seed("of the other parent"), "other_index": _index("of the other parent")}


def strength_param() -> dict[str, Param]:
    """How far from the parent."""
    text = "how far from the parent: 0 is the parent, 1 as far as any other sample"
    return {"strength": Param(type="float", default=0.3, minimum=0.0, maximum=1.0, description=text)}


def share_param() -> dict[str, Param]:
    """How much of the other parent."""
    text = "of the latent's numbers that come from the other parent, on average"
    return {"share": Param(type="float", default=0.5, minimum=0.0, maximum=1.0, description=text)}


def _seed(text: str) -> Param:
    return Param(type="int", default=None, minimum=0, maximum=SEEDS, description=f"seed {text}")


def _index(text: str) -> Param:
    return Param(type="int", default=0, minimum=0, maximum=INDICES, description=f"index {text}")


def latent_of(sample: tuple[str | None, str], shape: tuple[int, ...], init: str = "noise") -> State:
    """The latent that another sample began with."""
    return _drawn(Noise(distribution="normal", stream=LATENT_STREAM, seed=sample[0], index=sample[1]), shape, init)


def label_noise_of(sample: tuple[str | None, str]) -> State:
    """The number that decided another sample's class, where any was wanted."""
    return _drawn(Noise(distribution="uniform", stream=LABEL_STREAM, seed=sample[0], index=sample[1]), ())


def fresh(shape: tuple[int, ...]) -> State:
    """What an offspring differs in."""
    return _drawn(Noise(distribution="normal", stream=VARY_STREAM), shape)


def _drawn(noise: Noise, shape: tuple[int, ...], init: str = "noise") -> State:
    return State.model_validate({"dtype": "float32", "shape": shape, "init": init, "noise": noise})


def made(shape: tuple[int, ...]) -> State:
    """A latent that a graph writes."""
    return State(dtype="float32", shape=shape, init="zeros")


def weight_state() -> State:
    """Where between the ends a sample stands."""
    return State(dtype="float32", init="frame")


def blend_stage(first: str, second: str, weight: str, to: str) -> Stage:
    """From one state or input towards another, by a state or parameter."""
    return Stage(graph="blend", bind={"first": first, "second": second, "weight": weight, "blended": to})


def cross_stage(first: str, second: str, to: str) -> Stage:
    """A mixture of two."""
    return Stage(graph="cross", bind={"first": first, "second": second, "child": to})


def of_inputs(
    word: str,
    given: Input,
    output: Output,
    latent: tuple[int, ...],
    label: dict[str, Param],
    encode: Callable[[str], Stage],
    decode: Stage,
    prior: tuple[Stage, ...] = (),
) -> dict[str, Operation]:
    """interpolate, vary and cross of a model that encodes: what is given, of one class, and what is made of latents.

    Args:
        word: what a sample is called.
        given, output: a sample as it comes in, and as it goes out.
        latent: shape of one row's latent.
        label: the parameter that tells the class of what is given, if there are classes.
        encode: input -> the stage that writes its latent to the state ``INPUT_latent``.
        decode: of the state ``latent``.
        prior: what makes a draw of the model's prior of the state ``fresh``, where that is not standard normal.
    """

    def operation(
        text: str, names: tuple[str, ...], params: dict[str, Param], last: tuple[Stage, ...], **more: State
    ) -> Operation:
        return Operation(
            description=text,
            inputs=dict.fromkeys(names, given),
            params=label | params,
            state={f"{name}_latent": made(latent) for name in names} | {"latent": made(latent)} | more,
            stages=(*map(encode, names), *last, decode),
            outputs={word: output},
        )

    return {
        "interpolate": operation(
            "What lies between two others, along the arc between their latents.",
            ("first", "second"),
            frames_param(),
            (blend_stage("first_latent", "second_latent", "weight", "latent"),),
            weight=weight_state(),
        ),
        "vary": operation(
            "Offspring of one: its latent, moved along an arc towards noise.",
            (word,),
            strength_param(),
            (*prior, blend_stage(f"{word}_latent", "fresh", "strength", "latent")),
            fresh=fresh(latent),
        ),
        "cross": operation(
            "Offspring of two: each number of the latent from one or the other.",
            (word, "other"),
            share_param(),
            (cross_stage(f"{word}_latent", "other_latent", "latent"),),
        ),
    }


HALFWAY: dict[str, Scalar] = {"frames": 3, "seed_to": 8, "index_to": 1}
NEAR: dict[str, Scalar] = {"parent_seed": 5, "parent_index": 2, "strength": 0.4}
CROSSED: dict[str, Scalar] = {"parent_seed": 5, "other_seed": 6, "other_index": 1}
