"""The options of a family's adapter: read from its signature, so that what is asked for is what is needed.

Python callers give values, the command line gives text; both are held against the annotation of the adapter's own
parameter, and what is missing is said in the words of its docstring.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
from torch import nn

from brood_export.checkpoint import load_checkpoint
from brood_export.errors import Misfit
from brood_export.factory import make_model
from brood_export.families.base import Examples, ExportSpec
from brood_export.families.textbook import Floats

Parse = Callable[[str], object]
IMAGES, LABELS = "images", "labels"  # arrays in a file of examples


@dataclass(frozen=True, slots=True)
class Option:
    """One thing an adapter asks for."""

    name: str
    required: bool
    default: object
    text: str  # what it is
    allowed: str  # which values
    parse: Parse  # from the command line; ValueError where it cannot be
    fits: Callable[[object], bool]


def options_of(adapter: Callable[..., ExportSpec]) -> dict[str, Option]:
    """What an adapter asks for, by name."""
    hints, texts = get_type_hints(adapter), argument_texts(inspect.getdoc(adapter) or "")
    found = {}
    for name, parameter in inspect.signature(adapter).parameters.items():
        if parameter.kind is not parameter.KEYWORD_ONLY:
            continue
        required = parameter.default is parameter.empty
        allowed, parse, fits = _kind(hints[name])
        found[name] = Option(name, required, parameter.default, texts.get(name, ""), allowed, parse, fits)
    return found


def argument_texts(doc: str) -> dict[str, str]:
    """The entries of a docstring's section ``Args``, by name."""
    section = doc.partition("Args:\n")[2].split("\n\n")[0]
    entries = re.findall(r"^    ([a-z_, 0-9]+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()) for names, text in entries for name in names.split(", ")}


def checked_options(family: str, adapter: Callable[..., ExportSpec], given: Mapping[str, object]) -> dict[str, object]:
    """The options, if they are what an adapter asks for.

    Raises:
        Misfit: naming all that are missing, with what they are; or one that is unknown or of another kind.
    """
    options = options_of(adapter)
    if unknown := [name for name in given if name not in options]:
        near = difflib.get_close_matches(unknown[0], options, 1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(options)}"
        raise Misfit(f"family {family!r} has no option {unknown[0]!r}{hint}")
    if missing := [option for option in options.values() if option.required and option.name not in given]:
        text = "; ".join(f"{option.name} ({option.allowed}): {option.text}" for option in missing)
        raise Misfit(f"family {family!r} also needs {text}")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    for name, value in values.items():
        if not options[name].fits(value):
            raise Misfit(f"{name}: {value!r} is not allowed; allowed: {options[name].allowed}")
    return values


def _kind(hint: Any) -> tuple[str, Parse, Callable[[object], bool]]:
    """Which values an annotation allows in words, how they are read from text, and whether a value is one."""
    parts = get_args(hint)
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(parts), partial(_of_choices, parts), lambda value: value in parts
    if hint is Examples:
        return "an .npz file with images and labels", read_examples, lambda value: isinstance(value, Examples)
    if hint == Floats:
        return "an .npy file of numbers", _read_numbers, lambda value: isinstance(value, np.ndarray)
    if get_origin(hint) is tuple:
        return _tuple(parts)
    if get_origin(hint) is Mapping:
        return "conditions with their numbers of values, as note=24,timbre=4", _read_conditions, _is_conditions
    if get_origin(hint) in (Union, UnionType):
        kinds = [_kind(part) for part in parts if part is not type(None)]
        optional = type(None) in parts
        return (
            " or ".join(allowed for allowed, _, _ in kinds),
            partial(_first_of, [parse for _, parse, _ in kinds]),
            lambda value: (optional and value is None) or any(fits(value) for _, _, fits in kinds),
        )
    return _plain(hint)


def _plain(hint: Any) -> tuple[str, Parse, Callable[[object], bool]]:
    if hint is int:
        return "a whole number", int, lambda value: isinstance(value, int) and not isinstance(value, bool)
    if hint is float:
        return "a number", float, lambda value: isinstance(value, int | float) and not isinstance(value, bool)
    if hint is nn.Module:
        return (
            "a torch.nn.Module (module:factory or module:factory@checkpoint)",
            _make,
            lambda value: isinstance(value, nn.Module),
        )
    return "text", str, lambda value: isinstance(value, str)


def _read_conditions(text: str) -> dict[str, int]:
    """Names with whole numbers, in their order."""
    pairs = [part.partition("=") for part in text.split(",")]
    return {name.strip(): int(value) for name, _, value in pairs}


def _is_conditions(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(k, str) and type(v) is int for k, v in value.items())


def _make(text: str) -> nn.Module:
    """A module of a factory, with the weights of a checkpoint if one is named behind an @."""
    name, _, checkpoint = text.partition("@")
    model = make_model(name)
    if checkpoint:
        load_checkpoint(model, Path(checkpoint))
    return model


def _tuple(parts: tuple[Any, ...]) -> tuple[str, Parse, Callable[[object], bool]]:
    """Numbers with commas between; as many as the annotation says, or any number of them."""
    length = None if parts[-1] is Ellipsis else len(parts)
    item, parse, fits = _plain(parts[0])
    words = {"a whole number": "whole numbers", "a number": "numbers"}[item]

    def read(text: str) -> tuple[object, ...]:
        values = tuple(parse(part) for part in re.split(r"[,x]", text))
        if length not in (None, len(values)):
            raise ValueError(text)
        return values

    def right(value: object) -> bool:
        return isinstance(value, tuple) and length in (None, len(value)) and all(map(fits, value))

    return f"{length or 'some'} {words} with commas between", read, right


def _first_of(parses: list[Parse], text: str) -> object:
    for parse in parses:
        try:
            return parse(text)
        except ValueError:
            continue
    raise ValueError(text)


def _of_choices(choices: tuple[str, ...], text: str) -> str:
    if text not in choices:
        raise ValueError(text)
    return text


def read_examples(text: str) -> Examples:
    """Samples of the kind a model was trained on: arrays ``images`` [m, ...] and ``labels`` [m] of an .npz file.

    Without ``labels`` all are of class 0.

    Raises:
        Misfit: it is no such file.
    """
    try:
        with np.load(Path(text), allow_pickle=False) as arrays:
            images = arrays[IMAGES].astype(np.float32)
            labels = arrays[LABELS].astype(np.int64) if LABELS in arrays else np.zeros(len(images), np.int64)
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Misfit(f"examples: {text!r} is not allowed; allowed: an .npz file with images and labels") from error
    return Examples(images, labels)


def _read_numbers(text: str) -> Floats:
    try:
        numbers: Floats = np.load(Path(text), allow_pickle=False).astype(np.float64)
    except (OSError, EOFError, ValueError, AttributeError) as error:
        raise Misfit(f"{text!r} is not allowed; allowed: an .npy file of numbers") from error
    return numbers
