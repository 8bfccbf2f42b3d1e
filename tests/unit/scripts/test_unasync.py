"""The blocking client is what its source gives."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "unasync.py"


@pytest.fixture(scope="module")
def unasync() -> ModuleType:
    spec = importlib.util.spec_from_file_location("unasync", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_fresh(unasync: ModuleType) -> None:
    assert unasync.stale() == []


def test_no_word_of_asyncio_is_left(unasync: ModuleType) -> None:
    source = '''
class AsyncThing(Base):
    """``async with AsyncThing() as thing: await thing.go()``; asynchronous."""

    async def __aenter__(self) -> Self:
        async with aclosing(self._go()) as going:
            return [await each async for each in going]  # await it in AsyncThing
'''
    assert (
        unasync.without_async(source)
        == '''
class Thing(Base):
    """``with Thing() as thing: thing.go()``; asynchronous."""

    def __enter__(self) -> Self:
        with closing(self._go()) as going:
            return [each for each in going]  # it in Thing
'''
    )
