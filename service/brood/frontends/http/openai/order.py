"""From OpenAI's words to a request as the data plane takes it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from brood.dataplane.naming import unknown
from brood.dataplane.params import check_params
from brood.dataplane.validate import steps_of
from brood.frontends.http.openai.form import scalar
from brood.frontends.http.openai.prompt import LABEL, class_of
from brood.frontends.http.openai.verbs import PROMPT, Painter, texts_of
from brood.frontends.http.openai.words import OWN, ImageWords, PromptedWords
from brood.protocol.errors import InvalidArgument, invalid, show
from brood.protocol.manifest import Param
from brood.protocol.requests import GenerateRequest, InputValue, OutputChoice, complaint

NO_LOSS = 100  # output_compression of png


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made, and how it is answered."""

    request: GenerateRequest
    painter: Painter
    stream: bool
    partials: int  # most pictures of what is unfinished


def order_of(words: ImageWords, painter: Painter, inputs: Mapping[str, InputValue], *, textual: bool) -> Order:
    """Hold words against the model that is asked for.

    Args:
        words: what was sent.
        painter: the model.
        inputs: of its operation.
        textual: everything was sent as text; the types of parameters tell how to read it.

    Raises:
        InvalidArgument: naming field, value and what is allowed.
    """
    manifest = painter.manifest
    if words.size not in (None, "auto", painter.size):
        raise invalid("size", words.size, f"auto, or {painter.size}, which is what {manifest.name} makes")
    stream, partials = _streaming(words)
    extra = words.model_extra or {}
    fields: dict[str, Any] = {
        **{name: value for name, value in extra.items() if name in OWN and value is not None},
        "model": manifest.name,
        "version": manifest.version,
        "operation": painter.verb.operation,
        "n": words.n or 1,
        "params": _params(words, painter, textual),
        "inputs": {**inputs, **_texts(words, painter)},
        "output": _output(words),
    }
    try:
        request = GenerateRequest.model_validate(fields)
    except ValidationError as error:
        raise complaint(error) from error
    if partials and painter.operation.preview is not None:
        request = request.model_copy(update={"preview_every": _every(request, painter, partials)})
    return Order(request, painter, stream, partials)


def _streaming(words: ImageWords) -> tuple[bool, int]:
    """Whether the answer is a stream, and with how many partial pictures."""
    if not isinstance(words, PromptedWords):
        return False, 0
    partials = words.partial_images or 0
    if partials and not words.stream:
        raise invalid("partial_images", partials, '0, or "stream": true')
    if partials and words.n not in (None, 1):
        raise invalid("partial_images", partials, f"0 where n is {words.n}: events do not name their picture")
    return bool(words.stream), partials


def _params(words: ImageWords, painter: Painter, textual: bool) -> dict[str, Any]:
    """Parameters from where they may stand: in ``params``, beside the other fields, in the prompt."""
    declared, texts = painter.operation.params, texts_of(painter.operation)
    own = {*OWN, *texts}
    beside = {name: value for name, value in (words.model_extra or {}).items() if name not in own and value is not None}
    for name in beside:
        if name not in declared:
            offered = [*type(words).model_fields, *OWN, *sorted(texts - {PROMPT}), *declared]
            raise InvalidArgument(unknown(name, name, offered), field=name)
    given = {**(words.params or {}), **beside}
    if textual:
        given = {name: _typed(declared.get(name), value) for name, value in given.items()}
    if not isinstance(words, PromptedWords) or PROMPT in texts:
        return given
    meant = class_of(words.prompt, painter.manifest.name, painter.operation)
    if meant and given.get(LABEL, meant[LABEL]) != meant[LABEL]:
        raise invalid("prompt", words.prompt, f'the same as {LABEL}, which is {show(given[LABEL])}, or "any"')
    return {**given, **meant}


def _texts(words: ImageWords, painter: Painter) -> dict[str, Any]:
    """Texts, where the model reads any: the prompt, and others that stand beside the other fields."""
    beside = {**(words.model_extra or {}), **({PROMPT: words.prompt} if isinstance(words, PromptedWords) else {})}
    return {name: beside[name] for name in texts_of(painter.operation) if beside.get(name) is not None}


def _typed(declared: Param | None, value: Any) -> Any:
    """A text in the type that is declared; if it is not of that, whoever checks parameters complains."""
    return value if declared is None or declared.type == "str" or not isinstance(value, str) else scalar(value)


def _output(words: ImageWords) -> OutputChoice:
    form, compression = words.output_format or "png", words.output_compression
    if form != "png":
        return OutputChoice(format=form, quality=compression)
    if compression not in (None, NO_LOSS):
        raise invalid("output_compression", compression, f"{NO_LOSS} with png; 0 to 100 with jpeg and webp")
    return OutputChoice(format=form)


def _every(request: GenerateRequest, painter: Painter, partials: int) -> int:
    """So many steps between previews that at most ``partials`` come before the last step."""
    params = check_params(painter.operation.params, request.params)
    return math.ceil(steps_of(painter.manifest, painter.operation, params) / (partials + 1))
