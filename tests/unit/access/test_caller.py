"""Which models a caller may use, and that tasks keep their callers apart."""

from __future__ import annotations

import asyncio

import pytest

from brood.access.caller import ANYONE, Caller, current_caller, set_caller, take_back
from brood.protocol.errors import PermissionDenied


def caller(*models: str) -> Caller:
    return Caller("studio", frozenset({"generate"}), models)


@pytest.mark.parametrize(
    ("patterns", "model"),
    [(("*",), "any"), (("glyphs-*",), "glyphs-vae"), (("a", "tin?"), "tiny"), (("[ab]-1",), "b-1")],
)
def test_allowed(patterns: tuple[str, ...], model: str) -> None:
    caller(*patterns).check_model(model)


@pytest.mark.parametrize(
    ("patterns", "model"), [(("glyphs-*",), "points"), (("tiny",), "tiny2"), (("tiny",), "Tiny"), (("a", "b"), "c")]
)
def test_refused(patterns: tuple[str, ...], model: str) -> None:
    with pytest.raises(PermissionDenied) as caught:
        caller(*patterns).check_model(model)
    assert caught.value.field == "model"
    assert caught.value.message == f'model: "{model}" is not allowed to this key; allowed: {", ".join(patterns)}'


def test_anyone_may_use_all() -> None:
    ANYONE.check_model("whatever")


async def test_tasks_keep_their_callers_apart() -> None:
    async def task(own: Caller) -> Caller:
        set_caller(own)
        await asyncio.sleep(0)
        return await asyncio.ensure_future(child())

    async def child() -> Caller:
        return current_caller()

    one, two = Caller("one", frozenset(), ()), Caller("two", frozenset(), ())
    assert await asyncio.gather(*(asyncio.ensure_future(task(own)) for own in (one, two))) == [one, two]
    assert current_caller() is ANYONE


def test_afterwards_it_is_as_before() -> None:
    first = set_caller(caller("a"))
    second = set_caller(caller("b"))
    current_caller().check_model("b")
    take_back(second)
    with pytest.raises(PermissionDenied):
        current_caller().check_model("b")
    take_back(first)
    assert current_caller() is ANYONE
