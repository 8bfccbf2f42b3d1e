"""The directory as those who ask it see it, in this process."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from brood.protocol.errors import ModelNotFound
from brood.protocol.models import ModelStatus
from brood.serve import directory as module
from brood.serve.directory import Directory, Glance, base_of
from brood.serve.register import Place, Report
from brood.store.wanted import Wanted

WANTED = Wanted()
PLACE = Place("one", "a", "127.0.0.1:1", "127.0.0.1", "now")
FIRST = Report(PLACE, base_of(WANTED), "", -1, 0, (ModelStatus("m", 1, "ready"),))
GLANCE = Glance("ingress", "", 0, 0)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.2)
    monkeypatch.setattr(module, "LISTEN_S", 0.0)
    monkeypatch.setattr(module, "LOOK_S", 0.05)


def directory() -> Directory:
    return Directory(WANTED, dict)


async def test_a_first_question_is_answered_at_once_and_the_next_when_there_is_news() -> None:
    found = directory()
    view = await found.watch(GLANCE)
    asked = asyncio.create_task(
        found.watch(replace(GLANCE, incarnation=view.incarnation, revision=view.revision)), name="watch"
    )
    await asyncio.sleep(0)
    assert not asked.done()
    await found.report(FIRST)
    assert (await asked).workers == {"one": PLACE}


async def test_without_news_an_answer_comes_all_the_same() -> None:
    found = directory()
    view = await found.watch(GLANCE)
    again = replace(GLANCE, incarnation=view.incarnation, revision=view.revision)
    assert (await found.watch(again)).workers == {}


async def test_a_change_reaches_a_worker_that_waits_and_ends_when_it_is_done() -> None:
    found = directory()
    orders = await found.report(FIRST)
    assert orders.wanted == WANTED
    waiting = asyncio.create_task(found.report(replace(FIRST, incarnation=orders.incarnation, revision=0)))
    changing = asyncio.create_task(found.change("unload", "m", None, 5.0))
    told = (await waiting).wanted
    assert told == WANTED.after("unload", "m")
    assert not changing.done()
    await found.report(replace(FIRST, incarnation=orders.incarnation, revision=0, done=told.revision))
    await changing


async def test_what_nobody_has_cannot_be_unloaded() -> None:
    found = directory()
    await found.report(FIRST)
    with pytest.raises(ModelNotFound, match='no "x" here'):
        await found.change("unload", "x", None, 5.0)


async def test_a_name_that_no_store_has_is_refused_and_forgotten() -> None:
    found = directory()
    orders = await found.report(FIRST)
    changing = asyncio.create_task(found.change("load", "x", None, 5.0))
    told = (await found.report(replace(FIRST, incarnation=orders.incarnation, revision=0))).wanted
    assert told is not None
    absent = ModelStatus("x", 0, "failed", "no such bundle; there are: m")
    done = replace(FIRST, incarnation=orders.incarnation, revision=1, done=told.revision, models=(absent,))
    answer = await found.report(done)
    with pytest.raises(ModelNotFound, match="no such bundle; there are: m"):
        await changing
    assert answer.wanted is not None
    assert answer.wanted.models == {}


async def test_draining_waits_until_every_ingress_has_nothing_left() -> None:
    found = directory()
    view = await found.watch(replace(GLANCE, running=2))
    draining = asyncio.create_task(found.drain(5.0))
    told = await found.watch(replace(GLANCE, incarnation=view.incarnation, revision=view.revision, running=1))
    assert told.stopping
    assert not draining.done()
    await found.watch(replace(GLANCE, incarnation=view.incarnation, revision=told.revision, running=0))
    await draining


async def test_draining_waits_no_longer_than_it_may() -> None:
    found = directory()
    await found.watch(replace(GLANCE, running=2))
    await found.drain(0.1)


async def test_what_is_wrong_with_a_group_is_told() -> None:
    found = Directory(WANTED, lambda: {"gpu": "no room"})
    view = await found.watch(GLANCE)
    while not view.troubles:
        view = await found.watch(replace(GLANCE, incarnation=view.incarnation, revision=view.revision))
    assert view.troubles == {"gpu": "no room"}
