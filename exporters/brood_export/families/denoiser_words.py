"""What a denoising model can do, in the words of the manifest, and what its golden samples are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from brood.protocol.manifest import (
    Input,
    Noise,
    Operation,
    Output,
    Param,
    Preview,
    Scalar,
    Schedule,
    Stage,
    State,
    Variant,
)
from brood.sampling.diffusion import SAMPLERS
from brood.sampling.solver import INEXPRESSIBLE
from brood.sampling.spacing import SPACINGS
from brood_export.families.base import LATENT_STREAM, Examples, Request, label_noise, label_param, made_label
from brood_export.families.denoiser import Space
from brood_export.families.relatives import (
    FIRST,
    HALFWAY,
    SECOND,
    blend_stage,
    ends_params,
    label_noise_of,
    latent_of,
    made,
    weight_state,
)

Bind = dict[str, str | float]

CARRIED: Bind = {"next_x": "x", "next_x0": "x0"}  # graph output -> state
UNKNOWN: Bind = {"known": 0.0, "mask": 0.0}
GOLDEN_STEPS = 8  # at most
SILENT = ("ddim", "euler", "dpmpp-2m")  # samplers that draw nothing on the way
MOST_STEPS = 1000  # where the training had no timesteps


@dataclass(frozen=True, slots=True)
class Defaults:
    """Of the parameters that depend on the model."""

    steps: int
    guidance: float
    sampler: str = ""  # empty: there is only one


def operations(space: Space, schedule: Schedule, defaults: Defaults) -> dict[str, Operation]:
    """generate and vary; of pictures also complete."""
    common = params(space, schedule, defaults)
    made = Output(dtype="float32", shape=space.shape, kind=space.medium.kind, value="x")
    generate = Operation(
        description="Denoise pure noise.",
        params=common,
        state=states(space),
        stages=(stage(UNKNOWN if space.completes else {}),),
        preview=Preview(graph="preview"),
        outputs={space.output: made, "label": made_label()},
    )
    found = {"generate": generate, "vary": generate.model_copy(update=vary(space, common))}
    if space.completes:
        found["complete"] = generate.model_copy(update=complete(space))
    return found


def vary(space: Space, common: dict[str, Param]) -> dict[str, object]:
    """What image-to-image (Meng et al. 2022, SDEdit) has in place of the words of generate."""
    return {
        "description": f"Add noise to a given {space.output} and denoise that.",
        "inputs": {space.output: given(space, "what to begin with")},
        "params": common | {"strength": strength_param()},
        "state": states(space, space.output),
    }


def complete(space: Space) -> dict[str, object]:
    """What inpainting has in place of the words of generate: in every step x0 is kept where it is known."""
    kept = "1 where the picture is kept, 0 where it is made, and between for a bit of both"
    mask = Input(kind="image", dtype="float32", shape=space.shape, minimum=0.0, maximum=1.0, description=kept)
    return {
        "description": "Make the part of a picture that is not given.",
        "inputs": {"image": given(space, "the picture"), "mask": mask},
        "stages": (stage({"known": "image"}),),
    }


def interpolate(space: Space, generate: Operation) -> Operation:
    """Between two samples of generate, along the arc between the noise they begin with.

    Only for samplers that draw nothing on the way: with noise in every step, neighbours would not be alike.
    """
    stages = (blend_stage("first", "second", "weight", "x"), *generate.stages)
    states = {
        "first": latent_of(FIRST, space.shape, "mix"),
        "second": latent_of(SECOND, space.shape, "mix"),
        "weight": weight_state(),
        "x": made(space.shape),
        "label_noise": label_noise_of(FIRST),
    }
    params = {name: param for name, param in generate.params.items() if name != "eta"} | ends_params()
    if "sampler" in params:
        default = params["sampler"].default
        silent = {"choices": SILENT, "default": default if default in SILENT else SILENT[0]}
        params["sampler"] = params["sampler"].model_copy(update=silent)
    text = "Samples between two others, along the arc between the noise they begin with."
    return generate.model_copy(
        update={"description": text, "params": params, "state": generate.state | states, "stages": stages}
    )


def strength_param() -> Param:
    text = "share of the steps that are taken, at least one: little changes near 0, little is left at 1"
    return Param(type="float", default=0.6, minimum=0.0, maximum=1.0, description=text)


def given(space: Space, text: str) -> Input:
    low, high = space.range
    return Input(
        kind=space.medium.kind, dtype="float32", shape=space.shape, minimum=low, maximum=high, description=text
    )


def stage(bind: Bind) -> Stage:
    """All steps; those with guidance take the graph that has it."""
    guided = Variant(graph="step_guided", column="guidance", unless=1.0)
    return Stage(graph="step", repeat="schedule", bind=CARRIED | bind, variant=guided)


def states(space: Space, begins_with: str | None = None) -> dict[str, State]:
    latent = Noise(distribution="normal", stream=LATENT_STREAM)
    return {
        "x": State(dtype="float32", shape=space.shape, init="mix", noise=latent, input=begins_with),
        "x0": State(dtype="float32", shape=space.shape, init="zeros"),
        "label_noise": State(dtype="float32", init="noise", noise=label_noise()),
    }


def params(space: Space, schedule: Schedule, defaults: Defaults) -> dict[str, Param]:
    """Those that all operations have."""
    most = int(schedule.numbers.get("train_steps", MOST_STEPS))
    return {
        "label": label_param(space.classes),
        "steps": Param(
            type="int",
            default=defaults.steps,
            minimum=1,
            maximum=most,
            unit="steps",
            description="of the sampler, evenly over the noise levels",
        ),
        **(sampler_params(schedule, defaults.sampler) if defaults.sampler else {}),
        "guidance": Param(
            type="float",
            default=defaults.guidance,
            minimum=0.0,
            maximum=20.0,
            description="strength of the label: 1 as learned, more is more typical and less varied, 0 is any class",
        ),
        "guidance_start": share(0.0, "share of the steps after which guidance begins"),
        "guidance_stop": share(1.0, "share of the steps after which guidance ends"),
    }


def sampler_params(schedule: Schedule, sampler: str) -> dict[str, Param]:
    """Those of a model that several samplers are for."""
    return {
        "sampler": choice(sampler, SAMPLERS, "how to get from one noise level to the next", INEXPRESSIBLE),
        "eta": share(0.0, "of sampler ddim: 0 adds no noise, 1 as much as ddpm"),
        "spacing": choice(
            schedule.words["spacing"], SPACINGS, "which timesteps are visited; trailing is best with few steps"
        ),
    }


def choice(default: str, choices: Iterable[str], text: str, alternatives: Mapping[str, str] | None = None) -> Param:
    return Param(
        type="str", default=default, choices=tuple(choices), alternatives=dict(alternatives or {}), description=text
    )


def share(default: float, text: str) -> Param:
    return Param(type="float", default=default, minimum=0.0, maximum=1.0, description=text)


def golden_steps(timesteps: int) -> int:
    """A divisor of the timesteps: then the papers and all samplers here visit the same ones."""
    return next(steps for steps in range(GOLDEN_STEPS, 0, -1) if timesteps % steps == 0)


def only(requests: Iterable[Request], operations: Mapping[str, Operation]) -> tuple[Request, ...]:
    """The requests of operations that there are, without what they do not take; those that then say the same once."""
    found: dict[str, Request] = {}
    for request in requests:
        if (operation := operations.get(request.operation)) is None:
            continue
        params = {name: value for name, value in request.params.items() if name in operation.params}
        said = f"{request.operation} {request.seed} {request.index} {sorted(params.items())}"
        found.setdefault(said, replace(request, params=params))
    return tuple(replace(one, id=f"{one.operation}_{number}") for number, one in enumerate(found.values()))


def golden(space: Space, examples: Examples, steps: int) -> tuple[Request, ...]:
    """One run at least of every sampler and every operation; the first ones of each take both graphs."""
    short: dict[str, Scalar] = {"steps": steps}
    partly: dict[str, Scalar] = {**short, "guidance": 3.0, "guidance_start": 0.25, "guidance_stop": 0.75}
    label: dict[str, Scalar] = {"label": int(examples.labels[0])}
    example = {space.output: examples.images[0]}
    requests = [
        Request("generate_interval", "generate", 1, 0, {**partly, "label": space.classes - 1}),
        Request("generate_any", "generate", 2, 3, short),
        Request("generate_eta", "generate", 3, 1, {**short, **label, "sampler": "ddim", "eta": 0.6, "guidance": 1.0}),
        *(
            Request(f"generate_{name.replace('-', '_')}", "generate", 4, 0, {**short, **label, "sampler": name})
            for name in SAMPLERS
        ),
        Request("vary_interval", "vary", 5, 0, {**partly, **label}, example),
        Request("vary_euler", "vary", 6, 1, {**short, **label, "sampler": "euler", "strength": 0.75}, example),
    ]
    requests.append(Request("interpolate_half", "interpolate", 9, 1, {**partly, **HALFWAY}))
    requests.append(Request("interpolate_end", "interpolate", 9, 2, {**short, **HALFWAY, **label, "sampler": "euler"}))
    if space.completes:
        upper, left = np.zeros(space.shape, np.float32), np.zeros(space.shape, np.float32)
        upper[:, : space.shape[1] // 2] = left[:, :, : space.shape[2] // 2] = 1.0
        requests += [
            Request("complete_upper", "complete", 7, 0, {**partly, **label}, {**example, "mask": upper}),
            Request(
                "complete_left", "complete", 8, 1, {**short, **label, "sampler": "ddim"}, {**example, "mask": left}
            ),
        ]
    return tuple(requests)
