"""What the directory knows, and what the next one learns from those who ask it."""

from __future__ import annotations

from dataclasses import replace

from brood.protocol.models import ModelState, ModelStatus
from brood.serve.register import SILENCE_S, Memory, Place, Register, Report
from brood.store.wanted import Wanted


def place(worker: str, group: str = "a") -> Place:
    return Place(worker, group, f"127.0.0.1:{sum(worker.encode())}", "127.0.0.1", "now")


def model(name: str, state: ModelState = "ready", version: int = 1) -> ModelStatus:
    return ModelStatus(name, version, state, "it is broken" if state == "failed" else "")


def report(worker: str, *models: ModelStatus, group: str = "a", done: int = 0, base: str = "base") -> Report:
    return Report(place(worker, group), base, "first", 0, done, models)


def register(incarnation: str = "first") -> Register:
    return Register("base", Wanted(), incarnation)


def expected(found: Register) -> list[tuple[str, int]]:
    return [(status.name, status.version) for status in found.view().expected]


def test_workers_are_handed_out_until_they_leave_or_fall_silent() -> None:
    found = register()
    found.report(report("one"), 0.0)
    found.report(report("two"), 0.0)
    revision = found.view().revision
    assert found.view().workers == {"one": place("one"), "two": place("two")}
    found.leave("one")
    assert list(found.view().workers) == ["two"]
    assert found.view().revision > revision
    found.report(report("two"), 1.0)
    found.expire(1.0 + SILENCE_S)
    assert list(found.view().workers) == ["two"]
    found.expire(1.1 + SILENCE_S)
    assert found.view().workers == {}


def test_a_report_without_news_changes_nothing() -> None:
    found = register()
    found.report(report("one", model("m")), 0.0)
    revision = found.view().revision
    found.report(report("one", model("m")), 1.0)
    found.report(replace(report("one"), models=None), 2.0)
    assert found.view().revision == revision


def test_what_was_ready_is_expected_when_its_workers_are_gone() -> None:
    found = register()
    found.report(report("one", model("m"), model("bad", "failed")), 0.0)
    found.leave("one")
    assert expected(found) == [("m", 1)]
    found.report(report("two", model("m", "loading")), 1.0)
    assert expected(found) == [("m", 1)]


def test_what_no_worker_has_any_more_is_not_expected() -> None:
    found = register()
    found.report(report("one", model("m"), model("n")), 0.0)
    found.report(report("two", model("m")), 0.0)
    found.report(report("one", model("m", "unloaded"), model("n", "failed")), 1.0)
    assert expected(found) == [("m", 1)]
    found.report(report("two", model("m", version=2)), 2.0)
    assert expected(found) == [("m", 2)]


def test_what_was_unloaded_by_hand_is_not_expected_even_without_workers() -> None:
    found = register()
    found.report(report("one", model("m"), model("n")), 0.0)
    found.leave("one")
    found.change("unload", "m")
    assert expected(found) == [("n", 1)]


def test_groups_do_not_speak_for_each_other() -> None:
    found = register()
    found.report(report("one", model("m"), group="a"), 0.0)
    found.leave("one")
    found.report(report("two", model("n"), group="b"), 0.0)
    assert sorted(expected(found)) == [("m", 1), ("n", 1)]


def test_a_change_is_done_when_all_workers_of_these_settings_have_done_it() -> None:
    found = register()
    for worker in ("one", "two"):
        found.report(report(worker, model("m")), 0.0)
    found.report(report("old", model("m"), base="other settings"), 0.0)
    revision = found.change("unload", "m")
    assert found.behind(revision) == ["one", "two"]
    found.report(report("one", done=revision), 0.0)
    assert found.behind(revision) == ["two"]
    found.report(report("two", done=revision), 0.0)
    assert found.behind(revision) == []
    assert found.orders(report("one")).wanted == found.wanted
    assert found.orders(report("old", base="other settings")).wanted is None


def test_a_new_register_learns_what_is_wanted_and_what_was_there() -> None:
    before = register()
    before.report(report("one", model("m")), 0.0)
    before.change("unload", "n")
    memory = before.view().memory
    after = register("second")
    after.report(replace(report("one"), memory=memory), 0.0)
    assert after.wanted == before.wanted
    assert expected(after) == [("m", 1)]


def test_what_was_changed_under_other_settings_means_nothing() -> None:
    found = register()
    found.adopt(Memory("other settings", Wanted().after("unload", "m")))
    assert found.wanted == Wanted()


def test_an_older_memory_does_not_undo_a_change() -> None:
    found = register()
    old = Memory("base", found.wanted.after("unload", "m"))
    found.change("unload", "m")
    found.change("load", "m")
    wanted = found.wanted
    found.adopt(old)
    assert found.wanted == wanted


def test_what_does_not_exist_is_told_apart_from_what_fails() -> None:
    found = register()
    nothing = ModelStatus("m", 0, "failed", "no such bundle; there are: n")
    found.report(report("one", nothing, model("n")), 0.0)
    assert found.absent("m", None) == "no such bundle; there are: n"
    assert found.absent("n", None) == ""
    assert found.absent("unheard of", None) == ""


def test_a_change_is_taken_back() -> None:
    found = register()
    found.change("unload", "n")
    before = found.wanted
    found.change("load", "m")
    found.take_back("m", before)
    assert found.wanted.models == before.models
    assert found.wanted.revision == before.revision + 2


def test_problems_and_troubles_are_told() -> None:
    found = register()
    found.report(replace(report("one"), problems=("store: it is not there",)), 0.0)
    found.trouble({"gpu": "no room"})
    view = found.view()
    assert view.problems == ("one: store: it is not there",)
    assert view.troubles == {"gpu": "no room"}
