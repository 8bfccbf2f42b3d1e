"""The images API in the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from brood.frontends.http.openai.verbs import VERBS, Verb
from brood.frontends.http.openai.words import ImageWords, PromptedWords
from brood.frontends.http.schema import Told

Json = dict[str, Any]

SUMMARIES = {
    "generations": "Make pictures, as OpenAI's clients ask for them.",
    "edits": "Make parts of a picture anew: those that are transparent in the mask, or in the picture.",
    "variations": "Make pictures like another.",
}
STREAM = """With `"stream": true`, server-sent events: `{event}.partial_image`, then `{event}.completed` for each
picture; an object with `error` is the last of a bad stream."""
# Statuses of answers that are errors; their meaning is the same everywhere.
REFUSALS = ("400", "401", "403", "404", "408", "409", "413", "415", "422", "429", "500", "503", "504")


class PictureView(Told):
    """One picture."""

    b64_json: str = Field(description="a file, in base64")
    seed: int = Field(description="beyond OpenAI's words: with index, what makes it again")
    index: int


class TokensView(Told):
    """Of what is read or written: nothing here is counted in tokens."""

    image_tokens: Literal[0]
    text_tokens: Literal[0]


class ImagesUsageView(Told):
    """Tokens: none."""

    input_tokens: Literal[0]
    input_tokens_details: TokensView
    output_tokens: Literal[0]
    total_tokens: Literal[0]


class ImagesView(Told):
    """Finished pictures."""

    created: int = Field(description="seconds since 1970")
    data: tuple[PictureView, ...] = Field(description="in order of index")
    size: str = Field(examples=["28x28"])
    background: Literal["opaque"]
    output_format: Literal["png", "jpeg", "webp"]
    usage: ImagesUsageView


class ImagesErrorDetail(Told):
    """What went wrong."""

    message: str = Field(description="names the field, the value and what is allowed")
    type: str = Field(examples=["invalid_request_error"])
    param: str | None = Field(description="the field to blame")
    code: str = Field(examples=["invalid_argument"])


class ImagesErrorView(Told):
    """The body of every answer that is an error."""

    error: ImagesErrorDetail


ASKED: tuple[type[BaseModel], ...] = (PromptedWords, ImageWords)
SENT: tuple[type[BaseModel], ...] = (ImagesView, ImagesErrorView)


def paths(refusals: dict[str, str], parameters: list[Json]) -> Json:
    """What is at each address.

    Args:
        refusals: what statuses mean.
        parameters: headers that requests may have.
    """
    return {f"/v1/images/{verb.name}": {"post": _post(verb, refusals, parameters)} for verb in VERBS}


def _post(verb: Verb, refusals: dict[str, str], parameters: list[Json]) -> Json:
    streams = {"description": STREAM.format(event=verb.event)} if verb.event else {}
    good: Json = {"description": "All pictures.", "content": _json("ImagesView")}
    if verb.event:
        good["content"]["text/event-stream"] = {}  # OpenAPI 3.0 has no words for events
    bad = {status: {"description": refusals[status], "content": _json("ImagesErrorView")} for status in REFUSALS}
    return {
        "summary": SUMMARIES[verb.name],
        **streams,
        "parameters": parameters,
        "requestBody": {"required": True, "content": _asked(verb)},
        "responses": {"200": good, **bad},
    }


def _asked(verb: Verb) -> Json:
    words = verb.words.__name__
    if not verb.uploads:
        return _json(words)
    file: Json = {"type": "string", "format": "binary", "description": "PNG, JPEG or WebP, of the model's size"}
    files: Json = {"type": "object", "required": ["image"], "properties": {"image": file, "mask": file}}
    return {"multipart/form-data": {"schema": {"allOf": [_reference(words), files]}}}


def _json(name: str) -> Json:
    return {"application/json": {"schema": _reference(name)}}


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
