from __future__ import annotations

import pytest

from brood.frontends.http.openai.prompt import class_of
from brood.protocol.errors import InvalidArgument
from brood.protocol.manifest import Operation, Param
from helpers.backend import manifest

DIGITS = manifest().operations["generate"]
NO_CLASSES = manifest().operations["score"]


def with_label(**words: object) -> Operation:
    label = Param.model_validate({"type": "int", "default": None, "description": "class", **words})
    return DIGITS.model_copy(update={"params": {"label": label}})


@pytest.mark.parametrize("prompt", ["", "any", "  Any. ", '"any"'])
@pytest.mark.parametrize("operation", [DIGITS, NO_CLASSES])
def test_any_class(prompt: str, operation: Operation) -> None:
    assert class_of(prompt, "tiny", operation) == {}


@pytest.mark.parametrize("prompt", ["7", "seven", "Seven!", "digit 7", "a seven", "the number 7.", "class 'seven'"])
def test_one_class(prompt: str) -> None:
    assert class_of(prompt, "tiny", DIGITS) == {"label": 7}


@pytest.mark.parametrize(
    "prompt",
    ["a cat", "a photo of seven cats", "7 8", "11", "-1", "7.5", "1e0", "digit", "\u0667", "seventh", "a" * 32_000],
)
def test_anything_else_is_refused_with_what_may_be_said(prompt: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        class_of(prompt, "tiny", DIGITS)
    assert caught.value.field == "prompt"
    assert caught.value.message.endswith(
        "allowed: one class of tiny (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, as numbers or words such as 'seven'), or \"any\""
    )
    assert len(caught.value.message) < 300


def test_a_model_without_classes_says_so() -> None:
    with pytest.raises(InvalidArgument, match=r"score-it has no classes, and reads no text"):
        class_of("7", "score-it", NO_CLASSES)


def test_classes_with_names() -> None:
    shapes = with_label(type="str", choices=["Two Moons", "ring"])
    assert class_of("two moons", "points", shapes) == {"label": "Two Moons"}
    assert class_of("a RING", "points", shapes) == {"label": "ring"}
    with pytest.raises(InvalidArgument, match=r"one class of points \(Two Moons, ring\), or \"any\""):
        class_of("square", "points", shapes)


def test_classes_beyond_nine_have_numbers_only() -> None:
    many = with_label(minimum=0, maximum=999)
    assert class_of("class 999", "big", many) == {"label": 999}
    with pytest.raises(InvalidArgument, match=r"and 960 more"):
        class_of("thousand", "big", many)


@pytest.mark.parametrize("words", [{"type": "float", "maximum": 9}, {"minimum": 0}])
def test_a_label_that_is_no_class(words: dict[str, object]) -> None:
    with pytest.raises(InvalidArgument, match="has no classes"):
        class_of("7", "odd", with_label(**words))
