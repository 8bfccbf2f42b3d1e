"""What OpenAI's clients send. Fields that are null are not given.

Further keys are the service's own: those of `OWN`, and parameters of the operation by their names (``steps``).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from brood.frontends.http.words import Words, few

MOST_PICTURES = 10
MOST_PARTIALS = 3
# Fields of a request to ``/v1/generations`` that mean the same here.
OWN = ("seed", "index", "deadline_ms", "priority", "determinism")


def _here(value: object) -> object:
    if value == "url":
        raise ValueError("b64_json: pictures are sent, and not kept anywhere that a URL could lead to")
    return value


def _opaque(value: object) -> object:
    if value == "transparent":
        raise ValueError("auto, opaque: the models here make opaque pictures")
    return value


class ImageWords(Words):
    """What all requests for pictures say."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    model: str | None = Field(default=None, min_length=1, description="not needed where one model alone can do it")
    version: int | None = Field(default=None, ge=1, description="of the model; default: the newest that is ready")
    n: int | None = Field(default=None, ge=1, le=MOST_PICTURES, description="pictures; default: 1")
    size: str | None = Field(default=None, description="auto, or the size that the model makes", examples=["28x28"])
    response_format: Annotated[Literal["b64_json"] | None, BeforeValidator(_here)] = None
    output_format: Literal["png", "jpeg", "webp"] | None = Field(default=None, description="default: png")
    output_compression: int | None = Field(
        default=None, ge=0, le=100, description="quality of jpeg, and of webp, which then loses; of png, 100"
    )
    params: Annotated[dict[str, Any] | None, BeforeValidator(few)] = Field(
        default=None, description="parameters of the operation; they may also stand beside the other fields"
    )
    user: str | None = Field(default=None, description="without effect, as safety_identifier")
    safety_identifier: str | None = None


class PromptedWords(ImageWords):
    """What requests say that have a prompt."""

    prompt: str = Field(
        max_length=32_000, description="what the model reads, or names one of its classes; empty, or any: one at random"
    )
    stream: bool | None = Field(default=None, description="answer with server-sent events")
    partial_images: int | None = Field(
        default=None, ge=0, le=MOST_PARTIALS, description="pictures of what is unfinished; with stream, and n of 1"
    )
    quality: Literal["auto", "low", "medium", "high", "xhigh", "max", "standard", "hd"] | None = Field(
        default=None, description="without effect, as complexity, moderation, style and input_fidelity: say steps"
    )
    complexity: Literal["low", "medium", "high"] | None = None
    moderation: Literal["auto", "low"] | None = None
    style: Literal["vivid", "natural"] | None = None
    input_fidelity: Literal["high", "low"] | None = None
    background: Annotated[Literal["auto", "opaque"] | None, BeforeValidator(_opaque)] = Field(
        default=None, description="transparent is not offered"
    )
