"""Prompts of models that read no text: a prompt chooses a class, where the model has any, or leaves it open."""

from __future__ import annotations

from brood.dataplane.naming import listed
from brood.protocol.errors import InvalidArgument, show
from brood.protocol.manifest import Operation, Param, Scalar

LABEL = "label"  # the parameter, as all models call it that have it
ANY = ("", "any")
NUMERALS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
FILLERS = frozenset({"a", "an", "the", "class", "digit", "figure", "glyph", "label", "number", "numeral"})
MARKS = " .,!?:;'\"`"


def class_of(prompt: str, model: str, operation: Operation) -> dict[str, Scalar]:
    """The parameters that a prompt means: one class, or none.

    Raises:
        InvalidArgument: it says anything else; the message tells what it may say.
    """
    text = prompt.strip(MARKS).lower()
    if text in ANY:
        return {}
    classes = _classes(operation.params.get(LABEL))
    if text in classes:
        return {LABEL: classes[text]}
    words = [word.strip(MARKS) for word in text.split()]
    named = {classes[word] for word in words if word in classes}
    if len(named) == 1 and all(word in classes or word in FILLERS for word in words):
        return {LABEL: named.pop()}
    raise InvalidArgument(f"prompt: {show(prompt)} is not allowed; allowed: {_allowed(model, classes)}", field="prompt")


def _classes(label: Param | None) -> dict[str, Scalar]:
    """Every name of every class."""
    if label is None:
        return {}
    if label.choices is not None:
        return {str(choice).lower(): choice for choice in label.choices}
    if label.type != "int" or label.maximum is None:
        return {}
    numbers = range(max(0, int(label.minimum or 0)), int(label.maximum) + 1)
    words = {NUMERALS[number]: number for number in numbers if number < len(NUMERALS)}
    return {**{str(number): number for number in numbers}, **words}


def _allowed(model: str, classes: dict[str, Scalar]) -> str:
    if not classes:
        return f'"any", or an empty one ({model} has no classes, and reads no text)'
    names = listed(list(dict.fromkeys(str(value) for value in classes.values())))
    words = ", as numbers or words such as 'seven'" if "zero" in classes or "one" in classes else ""
    return f'one class of {model} ({names}{words}), or "any"'
