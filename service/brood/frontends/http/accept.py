"""In which form a caller wants the answer: JSON, events, one output's bytes, or a file of all (RFC 9110, 12.5.1)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, TypeGuard, get_args

from brood.media.formats import output_formats
from brood.protocol.errors import NotAcceptable, show
from brood.protocol.manifest import Operation

File = Literal["png", "webp", "jpeg", "wav", "flac", "mp4", "webm", "apng", "gif", "npy"]  # one output of one sample
Collection = Literal["safetensors", "zip"]  # all samples
Form = Literal["json", File, Collection, "events"]

FORMS: Mapping[str, Form] = {
    "application/json": "json",
    "image/png": "png",
    "image/webp": "webp",
    "image/jpeg": "jpeg",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "image/apng": "apng",
    "image/gif": "gif",
    "application/x-npy": "npy",
    "application/x-safetensors": "safetensors",
    "application/zip": "zip",
    "text/event-stream": "events",
}
FILES = frozenset(get_args(File))
WHOLE: tuple[Form, ...] = ("json", "safetensors", "zip")  # hold all samples
MEDIA_TYPES: Mapping[Form, str] = {form: media_type for media_type, form in FORMS.items()}
ALIASES: Mapping[str, str] = {  # by which clients call what has a registered name, too
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/x-flac": "audio/flac",
}


@lru_cache(maxsize=64)
def wanted_forms(accept: str) -> tuple[Form, ...]:
    """The forms an Accept header asks for, best first; of several liked equally, the one named most exactly, then JSON.

    Raises:
        NotAcceptable: none of what there is.
    """
    ranges = [_range(part) for part in accept.split(",") if part.strip()] or [("*/*", 1.0)]
    liked = sorted(FORMS, key=lambda media_type: _liking(ranges, media_type), reverse=True)
    forms = tuple(FORMS[media_type] for media_type in liked if _liking(ranges, media_type)[0] > 0)
    if not forms:
        raise NotAcceptable(f"Accept: {show(accept)} cannot be given; offered: {', '.join(FORMS)}", field="Accept")
    return forms


def is_file(form: Form) -> TypeGuard[File]:
    """Whether it is the bytes of one output."""
    return form in FILES


def possible_form(forms: tuple[Form, ...], operation: Operation) -> Form:
    """The best of the wanted forms that an operation's outputs can be had in.

    Raises:
        NotAcceptable: none is; the message says what is offered.
    """
    having = {form for output in operation.outputs.values() for form in output_formats(output)}
    for form in forms:
        if not is_file(form) or form in having:
            return form
    offered = [media_type for media_type, form in FORMS.items() if not is_file(form) or form in having]
    text = f"Accept: {MEDIA_TYPES[forms[0]]} cannot show what this operation makes; offered: {', '.join(offered)}"
    raise NotAcceptable(text, field="Accept")


def _range(part: str) -> tuple[str, float]:
    media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
    weights = [parameter[2:] for parameter in parameters if parameter.startswith("q=")]
    try:
        return ALIASES.get(media_range, media_range), float(weights[0]) if weights else 1.0
    except ValueError:
        return media_range, 0.0


def _liking(ranges: list[tuple[str, float]], media_type: str) -> tuple[float, int]:
    """(quality, exactness) of a media type; the most exact range that matches it decides."""
    matching = ["*/*", media_type.split("/")[0] + "/*", media_type]
    found = [(matching.index(name), quality) for name, quality in ranges if name in matching]
    exactness, quality = max(found, default=(0, 0.0))
    return quality, exactness


def check_stream(form: Form, stream: bool) -> None:
    """Hold the form against whether the request asks for a stream, which is JSON by default, too.

    Raises:
        NotAcceptable: they do not go together.
    """
    if form == "events" and not stream:
        text = f'Accept: {MEDIA_TYPES[form]} is given where the request says "stream": true; or send Accept: '
        raise NotAcceptable(text + MEDIA_TYPES["json"], field="Accept")
    if stream and form not in ("json", "events"):
        text = f"stream: true is answered with {MEDIA_TYPES['events']}, not {MEDIA_TYPES[form]}; offered: "
        raise NotAcceptable(text + ", ".join((MEDIA_TYPES["events"], MEDIA_TYPES["json"])), field="Accept")


def only_output(operation: Operation, form: File, n: int) -> str:
    """The one output whose bytes are the answer.

    Raises:
        NotAcceptable: several samples, or not exactly one output of that form; the message says what to do.
    """
    advice = f"or send Accept: {', '.join(media_type for media_type, form in FORMS.items() if form in WHOLE)}"
    if n != 1:
        raise NotAcceptable(
            f"Accept: {MEDIA_TYPES[form]} gives one sample, but n is {n}; ask for n=1, {advice}", field="n"
        )
    names = [name for name, output in operation.outputs.items() if form in output_formats(output)]
    if len(names) != 1:
        text = f"Accept: {MEDIA_TYPES[form]} gives one output, but this operation has {len(names)} of that kind; "
        raise NotAcceptable(text + advice.removeprefix("or "), field="Accept")
    return names[0]
